"""Disputes: saying that an invoice is wrong, and what is written about it (P09)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Capability
from billing.models import Dispute, Invoice
from billing.selectors import disputes as found
from billing.selectors.customer_invoices import get_invoice
from billing.services.disputes import files
from billing.services.disputes import thread as writing
from billing.services.disputes.faults import CannotDispute, DisputeClosed, DisputeOpen
from billing.services.disputes.letters import answered_within
from billing.services.disputes.opening import Statement
from billing.services.disputes.opening import open_dispute as open_it
from billing.services.disputes.terms import settings_of
from lib import clock
from lib.errors import NotFound
from portal.access import PortalRequest, customer_page
from portal.dispute_forms import MessageForm, OpenForm
from portal.states import Action, Situation, situation
from portal.submit import new_key, once

PAGE = 50
SENT = "Contestação enviada. Protocolo {protocol}. {within}."
WRITTEN = "Mensagem enviada."
ENDED = "Contestação encerrada. A cobrança da fatura segue normalmente."
# Customers read of themselves what staff read of them.
WORDS = {
    Dispute.State.WAITING: "Aguardando você",
    Dispute.State.WITHDRAWN: "Encerrada por você",
}
_LOOKS = {
    Dispute.State.OPEN: ("info", "relogio"),
    Dispute.State.IN_REVIEW: ("info", "relogio"),
    Dispute.State.WAITING: ("atencao", "balao"),
    Dispute.State.ACCEPTED: ("ok", "certo"),
    Dispute.State.PARTIAL: ("ok", "certo"),
    Dispute.State.REJECTED: ("neutro", "proibido"),
    Dispute.State.WITHDRAWN: ("neutro", "volta"),
}


def state_mark(dispute: Dispute) -> dict[str, str]:
    """The chip of a dispute: words, tone and icon."""
    state = Dispute.State(dispute.state)
    tone, icon = _LOOKS[state]
    return {"texto": WORDS.get(state, str(state.label)), "tom": tone, "icone": icon}


# --- opening --------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.DISPUTES)
def open_dispute(request: PortalRequest, number: str) -> HttpResponse:
    """The form of an invoice; sent, the thread that it begins."""
    if not request.portal.can(Capability.DISPUTES):
        raise PermissionDenied
    try:
        invoice = get_invoice(request.portal.account, request.portal.customer, number)
    except NotFound as error:
        raise Http404 from error
    lines = list(invoice.lines.order_by("position"))
    if request.method != "POST":
        return _form_page(request, invoice, OpenForm(lines=lines))
    form = OpenForm(request.POST, request.FILES, lines=lines)
    if not form.is_valid():
        return _form_page(request, invoice, form)
    try:
        return once(request, lambda: _opened(request, invoice, form))
    except (DisputeOpen, CannotDispute) as error:
        text = "" if isinstance(error, DisputeOpen) else error.mensagem
        return _form_page(request, invoice, form, status=409, erro=text)


def _opened(request: PortalRequest, invoice: Invoice, form: OpenForm) -> str:
    given = form.cleaned_data
    statement = Statement(given["motivo"], given["texto"], given["itens"], given["anexos"])
    portal = request.portal
    dispute = open_it(
        invoice.pk, statement, account=portal.account, customer=portal.customer,
        user=portal.user, actor=portal.actor,
    )  # fmt: skip
    within = answered_within(settings_of(invoice).dispute_answer_days)
    messages.success(request, SENT.format(protocol=dispute.protocol, within=within))
    return reverse("portal-contestacao", args=[dispute.protocol])


def _form_page(
    request: PortalRequest, invoice: Invoice, form: OpenForm, *, status: int = 200, erro: str = ""
) -> HttpResponse:
    stands = situation(invoice, today=clock.today(request.portal.account.time_zone))
    is_possible = Action.DISPUTE in stands.actions
    context = {
        "form": form if is_possible else None,
        "erro": erro,
        "fatura": stands,
        "aberta": stands.dispute,
        "chave": new_key(),
        "rascunho": draft_name(request, invoice.pk),
        "settings": settings_of(invoice),
        "vencimento": stands.due_date if stands.open_parcels else None,
    }
    return render(request, "portal/contestar.html", context, status=status)


def draft_name(request: PortalRequest, invoice_id: int) -> str:
    """Under what the browser keeps a draft: one for each person, company and invoice."""
    return f"contestacao:{request.portal.user.pk}:{request.portal.customer.pk}:{invoice_id}"


# --- reading and answering ------------------------------------------------------------------------


@require_safe
@customer_page(Capability.DISPUTES)
def listing(request: PortalRequest) -> HttpResponse:
    """All disputes of the company, the newest first."""
    rows = found.customer_disputes(request.portal.account, request.portal.customer)
    shown = Paginator(rows, PAGE).get_page(request.GET.get("pagina"))
    marked = [(one, state_mark(one)) for one in shown]
    return render(request, "portal/contestacoes.html", {"contestacoes": marked, "pagina": shown})


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.DISPUTES)
def thread(request: PortalRequest, protocol: str) -> HttpResponse:
    """The messages of a dispute; a POST writes another one."""
    dispute = _dispute(request, protocol)
    if request.method != "POST":
        return _thread_page(request, dispute, MessageForm())
    form = MessageForm(request.POST, request.FILES)
    if not dispute.is_live:
        return _thread_page(request, dispute, form, status=409, erro=DisputeClosed.mensagem)
    if not form.is_valid():
        return _thread_page(request, dispute, form)
    try:
        return once(request, lambda: _written(request, dispute, form))
    except DisputeClosed as error:
        return _thread_page(
            request, _dispute(request, protocol), form, status=409, erro=error.mensagem
        )


def _written(request: PortalRequest, dispute: Dispute, form: MessageForm) -> str:
    portal = request.portal
    writing.write(
        dispute.pk, form.cleaned_data["texto"], account=portal.account, customer=portal.customer,
        user=portal.user, actor=portal.actor, uploads=form.cleaned_data["anexos"],
    )  # fmt: skip
    messages.success(request, WRITTEN)
    return reverse("portal-contestacao", args=[dispute.protocol])


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.DISPUTES)
def end(request: PortalRequest, protocol: str) -> HttpResponse:
    """Ask before the customer takes a dispute back; a POST does it."""
    if not request.portal.can(Capability.DISPUTES):
        raise PermissionDenied
    dispute = _dispute(request, protocol)
    if request.method != "POST":
        if not dispute.is_live:
            return HttpResponseRedirect(reverse("portal-contestacao", args=[protocol]))
        context = {"contestacao": dispute, "chave": new_key()}
        return render(request, "portal/contestacao_encerrar.html", context)
    try:
        return once(request, lambda: _ended(request, dispute))
    except DisputeClosed as error:
        return _thread_page(
            request, _dispute(request, protocol), MessageForm(), status=409, erro=error.mensagem
        )


def _ended(request: PortalRequest, dispute: Dispute) -> str:
    portal = request.portal
    writing.withdraw(
        dispute.pk, account=portal.account, customer=portal.customer, user=portal.user,
        actor=portal.actor,
    )  # fmt: skip
    messages.success(request, ENDED)
    return reverse("portal-contestacao", args=[dispute.protocol])


@require_safe
@customer_page(Capability.DISPUTES)
def attachment(request: PortalRequest, protocol: str, file_id: int) -> HttpResponseBase:
    """A file of the thread, to be saved: never shown as a page of ours."""
    dispute = _dispute(request, protocol)
    try:
        file = found.get_file(dispute, file_id)
        return file_answer(file.name, file.content_type, files.read(file))
    except NotFound as error:
        raise Http404 from error


def file_answer(name: str, content_type: str, data: bytes) -> HttpResponse:
    """Bytes that a stranger sent: nothing in them runs, whatever a browser makes of them."""
    answer = HttpResponse(data, content_type=content_type)
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "no-store, private"
    return answer


def _dispute(request: PortalRequest, protocol: str) -> Dispute:
    try:
        return found.get_dispute(request.portal.account, request.portal.customer, protocol)
    except NotFound as error:
        raise Http404 from error


def _thread_page(
    request: PortalRequest,
    dispute: Dispute,
    form: MessageForm,
    *,
    status: int = 200,
    erro: str = "",
) -> HttpResponse:
    stands = situation(dispute.invoice, today=clock.today(request.portal.account.time_zone))
    may_write = request.portal.can(Capability.DISPUTES) and dispute.is_live
    context: dict[str, Any] = {
        "contestacao": dispute,
        "marca": state_mark(dispute),
        "mensagens": found.thread_of(dispute),
        "contestados": found.contested_lines(dispute),
        "contestado": found.contested_amount(dispute),
        "fatura": stands,
        "form": form if may_write else None,
        "erro": erro,
        "chave": new_key(),
        "rascunho": draft_name(request, dispute.invoice_id) if dispute.is_live else "",
        **_collection(dispute, stands),
    }
    return render(request, "portal/contestacao.html", context, status=status)


def _collection(dispute: Dispute, stands: Situation) -> dict[str, Any]:
    """What the dispute means for paying: while it is open, and after it was not agreed to."""
    settings = settings_of(dispute.invoice)
    grace = dispute.grace_until
    return {
        "settings": settings,
        "prazo": answered_within(settings.dispute_answer_days),
        "vencimento": stands.due_date if dispute.is_live and stands.open_parcels else None,
        "carencia": grace if grace and grace >= stands.today and stands.open_parcels else None,
    }
