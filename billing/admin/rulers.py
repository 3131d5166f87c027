"""Rulers, switched on after a look at what they would have done, and what came of their steps."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts.access import Capability
from accounts.admin_base import TenantAdmin, TenantForm, TenantInline
from accounts.admin_display import Tone, chip
from accounts.services.audit import Actor
from billing.admin.owned import OwnedAdmin
from billing.admin.sections import COLLECTION
from billing.engine.dunning import PAST_MESSAGE, read_condition
from billing.models import (
    NotificationRuler,
    RulerExecution,
    RulerStep,
)
from billing.services.dunning.rulers import activate, deactivate, step_fault
from billing.services.dunning.simulation import simulate
from billing.services.dunning.simulation_report import lines_of, report_of
from fiscal.admin.acts import Act, ActForm, ActingScreen, Done
from fiscal.admin.sections import Right
from lib import clock

RULERS = Right(Capability.TEMPLATES)
# A page must come up: longer pasts are simulated by the command.
PREVIEWED = 50_000
CONDITION_HELP = (
    'Vazio: todas as parcelas. Por exemplo {"methods": ["billet"], "min": "10.00", '
    '"max": "999.99", "consumer": true}.'
)
ACTING_FORM = "admin/fiscal/acting_form.html"


class StepForm(TenantForm):
    """A step that means something (`step_fault`)."""

    class Meta:
        help_texts = {"condition": CONDITION_HELP}

    def clean_condition(self) -> Any:
        raw = self.cleaned_data["condition"] or {}
        try:
            read_condition(raw)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return raw

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors and (told := step_fault(self.instance)):
            self.add_error(None, told)


class StepInline(TenantInline):
    model = RulerStep
    form = StepForm
    fields = ("offset_days", "hour", "channel", "action", "template", "condition", "is_active")
    editable = fields
    may_add = may_delete = True
    verbose_name_plural = "Passos"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Steps that were executed are proofs: they are switched off instead."""
        executed = obj is not None and RulerExecution.objects.filter(step__ruler=obj).exists()
        return not executed and super().has_delete_permission(request, obj)


class ActivateForm(ActForm):
    passado = forms.ChoiceField(
        label="Parcelas que já passaram de um passo",
        choices=NotificationRuler.Past.choices,
        initial=PAST_MESSAGE,
    )


def _activate(ruler: NotificationRuler, data: dict[str, Any], actor: Actor) -> Done:
    activate(
        ruler.pk,
        account=ruler.account,
        actor=actor,
        on=clock.today(ruler.account.time_zone),
        past=data["passado"],
    )
    return Done("Régua ativada.")


def _preview(ruler: NotificationRuler) -> list[str]:
    """DUN-8: what it would have done in the last thirty days."""
    end = clock.today(ruler.account.time_zone) - timedelta(days=1)
    start = end - timedelta(days=29)
    try:
        found = list(islice(
            simulate(ruler, account=ruler.account, start=start, end=end), PREVIEWED
        ))  # fmt: skip
    except ValueError as error:
        return [str(error)]
    report = report_of(found, start=start, end=end)
    told = lines_of(report, list(ruler.steps.filter(is_active=True)))
    if len(found) == PREVIEWED:
        told.append(
            f"Só os primeiros {PREVIEWED} passos foram contados. Para o resto, use "
            f"manage.py simulate_ruler --ruler {ruler.pk}."
        )
    return ["O que esta régua teria feito nos últimos 30 dias.", *told]


def _deactivate(ruler: NotificationRuler, data: dict[str, Any], actor: Actor) -> Done:
    deactivate(ruler.pk, account=ruler.account, actor=actor)
    return Done("Régua desativada. O que estava selecionado não será feito.")


@admin.register(NotificationRuler)
class NotificationRulerAdmin(OwnedAdmin, ActingScreen):
    """A new ruler is off until somebody has seen what it would do."""

    section = COLLECTION
    change_form_template = ACTING_FORM
    list_display = ("name", "organization", "situation", "is_default", "activated_on")
    list_filter = ("is_active", "is_default")
    search_fields = ("name",)
    ordering = ("name", "pk")
    editable = ("name", "is_default")
    fields = ("organization", *editable, "situation", "activated_on", "past", "created_at")
    inlines = (StepInline,)
    acts = (
        Act(
            slug="ativar", label="Ativar", button="Ativar a régua", keep="Deixar desativada",
            right=RULERS, fits=lambda row: not row.is_active, run=_activate, form=ActivateForm,
            notes=_preview, initial=lambda row: {"passado": PAST_MESSAGE},
        ),
        Act(
            slug="desativar", label="Desativar", button="Desativar a régua", keep="Deixar ativa",
            right=RULERS, fits=lambda row: row.is_active, run=_deactivate, is_danger=True,
        ),
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return "ativa" if row.is_active else "desativada"

    @admin.display(description="situação", ordering="is_active")
    def situation(self, ruler: NotificationRuler) -> str:
        if ruler.is_active:
            return chip("success", "check", "Ativa")
        return chip("neutral", "pause", "Desativada")


_EXECUTION_CHIPS: dict[str, tuple[Tone, str]] = {
    RulerExecution.State.PENDING: ("info", "clock"),
    RulerExecution.State.DONE: ("success", "check"),
    RulerExecution.State.SKIPPED: ("neutral", "back"),
    RulerExecution.State.FAILED: ("danger", "alert"),
}


@admin.register(RulerExecution)
class RulerExecutionAdmin(TenantAdmin):
    """The proof of what a ruler did, and why it left the rest."""

    section = COLLECTION
    list_display = (
        "step", "receivable", "cycle", "situation", "note", "message", "created_at", "done_at",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("step", "receivable__invoice__series", "message")
    search_fields = ("=receivable__invoice__number", "receivable__invoice__fold")
    search_help_text = "Número da fatura ou cliente"
    ordering = ("-pk",)
    fields = (
        "step", "receivable", "cycle", "situation", "note", "message", "attempts",
        "next_attempt_at", "created_at", "done_at",
    )  # fmt: skip

    @admin.display(description="situação", ordering="state")
    def situation(self, row: RulerExecution) -> str:
        return chip(*_EXECUTION_CHIPS[row.state], row.get_state_display())


@admin.register(RulerStep)
class RulerStepAdmin(TenantAdmin):
    """Reached from executions; written on the ruler's page."""

    tenant_path = "ruler__account"
    secondary = True
    list_display = ("__str__", "ruler", "offset_days", "hour", "channel", "action", "is_active")
    list_select_related = ("ruler",)
    ordering = ("-pk",)
