"""/central/exportar/ and /central/tarefas/ (P19, B19): what a customer takes along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import (
    FileResponse,
    HttpResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Capability
from accounts.models import Job
from accounts.services import jobs
from billing.services.exports import files
from billing.services.exports.asking import ask_export, exports_of
from lib import clock
from lib.errors import Conflict, DomainError
from lib.tabular import csv_lines
from portal.access import PortalRequest, customer_page
from portal.exports import ExportForm, clock_text, shown
from portal.submit import StalePage, new_key, once

# Answers what to say, and the job to go on with.
Act = Callable[[PortalRequest, Job], tuple[str, Job]]
_METHODS = ["GET", "HEAD", "POST"]
ASKED = "Exportação pedida. Avisaremos por e-mail quando o arquivo estiver pronto."


@require_http_methods(_METHODS)
@customer_page(Capability.PREFERENCES)
def ask(request: PortalRequest) -> HttpResponse:
    """What may be exported, and what the person has asked for lately."""
    today = clock.today(request.portal.account.time_zone)
    if request.method != "POST":
        return _form(request, ExportForm.of_this_year(today))
    form = ExportForm(request.POST)
    if not form.is_valid():
        return _form(request, form, status=400)
    try:
        return once(request, lambda: _asked(request, form))
    except DomainError as error:
        return _form(request, form, status=error.http_status, erro=error.mensagem)


def _asked(request: PortalRequest, form: ExportForm) -> str:
    portal = request.portal
    job = ask_export(
        form.cleaned_data["o_que"],
        form.period,
        account=portal.account,
        customer=portal.customer,
        user=portal.user,
        actor=portal.actor,
        today=clock.today(portal.account.time_zone),
    )
    messages.success(request, ASKED)
    return _page_of(job)


def _page_of(job: Job) -> str:
    return reverse("portal-tarefa", args=[job.pk])


def _form(
    request: PortalRequest, form: ExportForm, *, status: int = 200, erro: str = ""
) -> HttpResponse:
    portal, now = request.portal, clock.now()
    mine = exports_of(portal.account, portal.customer, portal.user)
    context = {
        "form": form,
        "chave": new_key(),
        "erro": erro,
        "recentes": [shown(job, now=now) for job in mine],
    }
    return render(request, "portal/exportar.html", context, status=status)


# --- the page of a job ----------------------------------------------------------------------------


@require_http_methods(_METHODS)
@customer_page(Capability.PREFERENCES)
def job(request: PortalRequest, job_id: int) -> HttpResponse:
    """How it is going; a POST cancels, tries again, resumes or asks for an e-mail."""
    found = _mine(request, job_id)
    if request.method != "POST":
        return _job(request, found)
    act = _ACTS.get(request.POST.get("acao", ""))
    if act is None:
        return _job(request, found, status=400, erro="Escolha uma ação da página.")
    try:
        return once(request, lambda: _done(request, found, act))
    except (Conflict, StalePage) as error:
        return _job(request, _mine(request, job_id), status=409, erro=error.mensagem)


def _done(request: PortalRequest, found: Job, act: Act) -> str:
    text, going_on = act(request, found)
    messages.success(request, text)
    return _page_of(going_on)


def _mine(request: PortalRequest, job_id: int) -> Job:
    portal = request.portal
    return files.get_job(job_id, account=portal.account, customer=portal.customer, user=portal.user)


def _job(request: PortalRequest, found: Job, *, status: int = 200, erro: str = "") -> HttpResponse:
    row = shown(found, now=clock.now())
    context: dict[str, Any] = {
        "tarefa": row,
        "decorrido": clock_text(row.elapsed),
        "estimativa": clock_text(row.left),
        "erro": erro,
        "chave": new_key(),
    }
    return render(request, "portal/tarefa.html", context, status=status)


def _by(request: PortalRequest) -> dict[str, Any]:
    return {"account": request.portal.account, "actor": request.portal.actor}


def _cancel(request: PortalRequest, found: Job) -> tuple[str, Job]:
    cancelled = jobs.request_cancel(found.pk, **_by(request))
    is_over = cancelled.state == Job.State.CANCELLED
    text = "Tarefa cancelada." if is_over else "A tarefa para depois do item atual."
    return text, cancelled


def _retry(request: PortalRequest, found: Job) -> tuple[str, Job]:
    return "Nova tentativa na fila.", jobs.retry(found.pk, **_by(request))


def _resume(request: PortalRequest, found: Job) -> tuple[str, Job]:
    return "Tarefa retomada.", jobs.resume(found.pk, **_by(request))


def _notify(request: PortalRequest, found: Job) -> tuple[str, Job]:
    return "Avisaremos por e-mail.", jobs.set_notify(found.pk, True, **_by(request))


def _quiet(request: PortalRequest, found: Job) -> tuple[str, Job]:
    return "Não avisaremos por e-mail.", jobs.set_notify(found.pk, False, **_by(request))


_ACTS: dict[str, Act] = {
    "cancelar": _cancel,
    "repetir": _retry,
    "retomar": _resume,
    "avisar": _notify,
    "nao-avisar": _quiet,
}


@require_safe
@customer_page(Capability.PREFERENCES)
def file(request: PortalRequest, job_id: int) -> HttpResponseBase:
    """The file, for whoever asked for it and as long as it is kept (P19)."""
    portal = request.portal
    stored, opened = files.download(
        job_id,
        account=portal.account,
        customer=portal.customer,
        user=portal.user,
        actor=portal.actor,
    )
    return FileResponse(
        opened, as_attachment=True, filename=stored.name, content_type=stored.content_type
    )


@require_safe
@customer_page(Capability.PREFERENCES)
def report(request: PortalRequest, job_id: int) -> HttpResponseBase:
    """The items in error and their causes, as a CSV."""
    found = _mine(request, job_id)
    rows = found.errors.order_by("pk").values_list("item", "cause")
    answer = StreamingHttpResponse(csv_lines(("Item", "Causa"), rows), content_type="text/csv")
    answer["Content-Disposition"] = f'attachment; filename="tarefa-{found.pk}-erros.csv"'
    return answer
