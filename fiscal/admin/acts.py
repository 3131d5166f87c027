"""Acts on a row, each confirmed on a page of its own (ux §1.3).

The page names the act and what it does; the POST carries a key, so that a repeated one does
nothing again, and the state that the person saw, so that a stale page does nothing at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from accounts.admin_base import TenantAdmin, shown_once
from accounts.admin_trail import actor_in
from accounts.models import Account
from accounts.services import idempotency
from accounts.services.audit import Actor, record
from fiscal.admin.sections import Right, may
from lib.errors import DomainError

_OWN = ("csrfmiddlewaretoken",)
REPEATED = "Este pedido já tinha sido feito: nada foi feito de novo."


class ActForm(forms.Form):
    """The fields of an act; the hidden ones are of the mechanism."""

    idempotency_key = forms.CharField(widget=forms.HiddenInput)
    situacao = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    def renew_key(self) -> None:
        """A refusal used the key up: what is corrected and sent again is another request."""
        if self.is_bound:
            sent: Any = self.data
            renewed = sent.copy()
            renewed["idempotency_key"] = uuid.uuid4().hex
            self.data = renewed

    def tell(self, error: DomainError) -> None:
        """A refusal, with every fault that it names."""
        self.add_error(None, error.mensagem)
        for one in error.erros:
            self.add_error(None, f"{one.campo}: {one.mensagem}")


@dataclass(frozen=True)
class Done:
    """What an act says when it is over. `secret` is shown on a page of its own, once."""

    text: str
    is_good: bool = True
    secret: str = ""
    told: dict[str, Any] = field(default_factory=dict)  # for the trail


@dataclass(frozen=True)
class Act:
    """Something that a person may do to a row.

    `fits` says whether the row allows it now; `run` does it, outside of any transaction, and
    raises DomainError to refuse. `audit` is empty when the service tells the trail itself.
    """

    slug: str
    label: str
    button: str
    keep: str
    right: Right
    fits: Callable[[Any], bool]
    run: Callable[[Any, dict[str, Any], Actor], Done]
    form: type[ActForm] = ActForm
    audit: str = ""
    is_danger: bool = False
    # What the person should know before, line by line.
    notes: Callable[[Any], list[str]] = lambda row: []
    initial: Callable[[Any], dict[str, Any]] = lambda row: {}


class ActingScreen(TenantAdmin):
    """A screen whose rows have acts."""

    acts: ClassVar[tuple[Act, ...]] = ()

    def standing(self, row: Any) -> str:
        """What a person decides by; another one than the page showed makes the page stale."""
        return ""

    def standing_label(self, row: Any) -> str:
        return self.standing(row)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.act_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("<path:object_id>/acao/<slug:slug>/", view, name=name), *super().get_urls()]

    def act_url(self, row: Any, slug: str) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_act"
        return reverse(name, args=(row.pk, slug))

    def page_url(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(row.pk,))

    def open_acts(self, request: HttpRequest, row: Any) -> list[Act]:
        """Those that the person may do to the row as it stands."""
        account_id = self.account_id(row)
        return [one for one in self.acts if may(request, account_id, one.right) and one.fits(row)]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        shown = context.get("act_in_box", "")  # has its button elsewhere on the page
        context["acts"] = [
            {"label": one.label, "url": self.act_url(row, one.slug), "is_danger": one.is_danger}
            for one in (self.open_acts(request, row) if row is not None else ())
            if one.slug != shown
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    # --- the page -----------------------------------------------------------------------------

    def act_view(self, request: HttpRequest, object_id: str, slug: str) -> HttpResponse:
        """GET asks, POST does; back to the row's page with what came of it."""
        row: Any = self.get_object(request, object_id)
        act = next((one for one in self.acts if one.slug == slug), None)
        if act is None:
            raise Http404
        if not may(request, self.account_id(row), act.right):
            raise PermissionDenied
        if request.method == "POST":
            return self._posted(request, row, act)
        if not act.fits(row):
            return self._not_now(request, row)
        initial = {
            "idempotency_key": uuid.uuid4().hex,
            "situacao": self.standing(row),
            **act.initial(row),
        }
        return self._page(request, row, act, act.form(initial=initial))

    def _posted(self, request: HttpRequest, row: Any, act: Act) -> HttpResponse:
        form = act.form(request.POST)
        account = Account.objects.filter(pk=self.account_id(row) or 0).first()
        if account is not None and was_done(request, account):
            return redirect(self.page_url(row))
        if request.POST.get("situacao", "") != self.standing(row) or not act.fits(row):
            return self._stale(request, row)
        if not form.is_valid():
            return self._page(request, row, act, form)
        return self._done(request, row, act, form, account)

    def _done(
        self, request: HttpRequest, row: Any, act: Act, form: ActForm, account: Account | None
    ) -> HttpResponse:
        """`account` is None for a row that all accounts share: its acts repeat themselves."""
        key = form.cleaned_data["idempotency_key"]
        try:
            if account is not None and is_repeated(request, account, key):
                return redirect(self.page_url(row))
            done = act.run(row, form.cleaned_data, actor_in(request))
        except DomainError as error:
            form.tell(error)
            return self._page(request, row, act, form)
        if act.audit and account is not None:
            record(account, actor=actor_in(request), action=act.audit, target=row, after=done.told)
        if done.secret:
            return shown_once(request, self, row, title=done.text, secret=done.secret)
        (messages.success if done.is_good else messages.warning)(request, done.text)
        return redirect(self.page_url(row))

    def _page(self, request: HttpRequest, row: Any, act: Act, form: ActForm) -> HttpResponse:
        form.renew_key()
        context = {
            **self.admin_site.each_context(request),
            "title": act.label,
            "opts": self.opts,
            "object": row,
            "act": act,
            "notes": act.notes(row),
            "form": form,
            "back_url": self.page_url(row),
            "list_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
        }
        return TemplateResponse(request, "admin/fiscal/confirmar.html", context)

    def _not_now(self, request: HttpRequest, row: Any) -> HttpResponse:
        label = self.standing_label(row)
        now = f" (agora: {label})" if label else ""
        messages.warning(request, f"A situação não permite esta ação{now}.")
        return redirect(self.page_url(row))

    def _stale(self, request: HttpRequest, row: Any) -> HttpResponse:
        """409 with the fresh page (ux §1.3)."""
        label = self.standing_label(row)
        now = f" (agora: {label})" if label else ""
        text = f"{row} mudou enquanto você estava aqui{now}. Nada foi feito."
        messages.error(request, text)
        request.method = "GET"
        page = self.change_view(request, str(row.pk))
        page.status_code = 409
        return page


def was_done(request: HttpRequest, account: Account) -> bool:
    """Is this POST the repetition of one that was accepted? The person is told so."""
    key = request.POST.get("idempotency_key", "")
    if not key or not idempotency.is_known(account, key=key, fingerprint=_mark(request)):
        return False
    messages.info(request, REPEATED)
    return True


def is_repeated(request: HttpRequest, account: Account, key: str) -> bool:
    """Take the key; True, and told, when an equal POST had taken it. Raises KeyUsed.

    Committed before anything is done: what follows calls others, and must hold no lock.
    """
    claim = idempotency.once(account, key=key, fingerprint=_mark(request), run=lambda: (202, {}))
    if claim.is_replay:
        messages.info(request, REPEATED)
    return claim.is_replay


def _mark(request: HttpRequest) -> str:
    """What was asked, for telling a repetition from another request with the same key."""
    sent = {name: request.POST.getlist(name) for name in request.POST if name not in _OWN}
    return idempotency.fingerprint("POST", request.path, sent)
