"""What people must do about debts, and what rests: tasks, pauses, suspensions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.access import Capability
from accounts.admin_base import TenantForm
from accounts.admin_display import Tone, chip
from accounts.admin_trail import actor_in
from accounts.services.audit import Actor
from billing.admin.rulers import ACTING_FORM
from billing.admin.sections import COLLECTION
from billing.models import CollectionTask, DunningPause, Suspension
from billing.services.dunning import pauses, suspensions
from billing.services.dunning.collection_tasks import close_task
from fiscal.admin.acts import Act, ActForm, ActingScreen, Done
from fiscal.admin.sections import Right
from lib import clock

COLLECT = Right(Capability.RECORD_PAYMENT)


class CloseForm(ActForm):
    observacao = forms.CharField(
        label="Observação", required=False, max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip


def _close(state: str) -> Any:
    def run(task: CollectionTask, data: dict[str, Any], actor: Actor) -> Done:
        close_task(task.pk, account=task.account, actor=actor, state=state, note=data["observacao"])
        return Done("Tarefa encerrada.")

    return run


def _is_open(task: CollectionTask) -> bool:
    return bool(task.state == CollectionTask.State.OPEN)


_TASK_CHIPS: dict[str, tuple[Tone, str]] = {
    CollectionTask.State.OPEN: ("warning", "clock"),
    CollectionTask.State.DONE: ("success", "check"),
    CollectionTask.State.DROPPED: ("neutral", "cross"),
}


@admin.register(CollectionTask)
class CollectionTaskAdmin(ActingScreen):
    section = COLLECTION
    change_form_template = ACTING_FORM
    list_display = ("kind", "customer", "receivable", "situation", "created_at", "closed_at")
    list_filter = ("state", "kind")
    list_select_related = ("customer", "receivable__invoice__series")
    search_fields = ("customer__fold",)
    search_help_text = "Cliente"
    ordering = ("-pk",)
    fields = (
        "kind", "customer", "receivable", "situation", "note", "recorded_by", "created_at",
        "closed_at",
    )  # fmt: skip
    acts = (
        Act(
            slug="feita", label="Marcar como feita", button="Marcar como feita", keep="Voltar",
            right=COLLECT, fits=_is_open, run=_close(CollectionTask.State.DONE), form=CloseForm,
        ),
        Act(
            slug="dispensar", label="Dispensar", button="Dispensar a tarefa", keep="Voltar",
            right=COLLECT, fits=_is_open, run=_close(CollectionTask.State.DROPPED),
            form=CloseForm, is_danger=True,
        ),
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return str(row.state)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())

    @admin.display(description="situação", ordering="state")
    def situation(self, task: CollectionTask) -> str:
        return chip(*_TASK_CHIPS[task.state], task.get_state_display())


class PauseForm(TenantForm):
    """Refused in the words of the service, beside the field."""

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        until, account = data.get("until"), data.get("account")
        today = clock.today(account.time_zone) if account else clock.today()
        if data.get("reason") == DunningPause.Reason.PROMISE and until is None:
            self.add_error("until", pauses.PROMISE_NEEDS_DAY)
        if until is not None and until < today:
            self.add_error("until", pauses.IN_THE_PAST)
        return data


def _lift_pause(row: DunningPause, data: dict[str, Any], actor: Actor) -> Done:
    pauses.lift(row.pk, account=row.account, actor=actor)
    return Done("Pausa retirada.")


@admin.register(DunningPause)
class DunningPauseAdmin(ActingScreen):
    section = COLLECTION
    form = PauseForm
    change_form_template = ACTING_FORM
    list_display = ("receivable", "reason", "until", "situation", "created_at", "lifted_at")
    list_filter = ("reason",)
    list_select_related = ("receivable__invoice__series",)
    search_fields = ("=receivable__invoice__number", "receivable__invoice__fold")
    search_help_text = "Número da fatura ou cliente"
    ordering = ("-pk",)
    autocomplete_fields = ("receivable",)
    only_on_add = ("receivable", "reason", "until", "note")
    fields = (*only_on_add, "situation", "recorded_by", "created_at", "lifted_at")
    may_add = True
    acts = (
        Act(
            slug="retirar", label="Retirar a pausa", button="Retirar a pausa", keep="Manter",
            right=COLLECT, fits=lambda row: row.lifted_at is None, run=_lift_pause,
        ),
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return "retirada" if row.lifted_at else "em vigor"

    @admin.display(description="situação", ordering="lifted_at")
    def situation(self, row: DunningPause) -> str:
        ended = row.until is not None and row.until < clock.today()
        if row.lifted_at or ended:
            return chip("neutral", "dot", "Encerrada")
        return chip("warning", "pause", "Em vigor")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        row = pauses.pause(
            obj.receivable_id,
            account=obj.account,
            actor=actor_in(request),
            reason=obj.reason,
            until=obj.until,
            note=obj.note,
        )
        obj.pk = row.pk

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has told the trail."""


def _lift_suspension(row: Suspension, data: dict[str, Any], actor: Actor) -> Done:
    suspensions.lift(row.pk, account=row.account, actor=actor)
    return Done("Retirada.")


@admin.register(Suspension)
class SuspensionAdmin(ActingScreen):
    section = COLLECTION
    change_form_template = ACTING_FORM
    list_display = ("contract", "kind", "receivable", "since", "lifted_at")
    list_filter = ("kind",)
    list_select_related = ("contract", "receivable__invoice__series")
    search_fields = ("contract__name",)
    ordering = ("-pk",)
    fields = ("contract", "kind", "receivable", "since", "lifted_at")
    acts = (
        Act(
            slug="retirar", label="Retirar", button="Retirar", keep="Manter", right=COLLECT,
            fits=lambda row: row.lifted_at is None, run=_lift_suspension,
        ),
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return "retirada" if row.lifted_at else "em vigor"
