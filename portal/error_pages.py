"""What customers see where no page is: refusals and faults, in the frame of every other page (P21).

The frame needs the database and a template, which may be what failed: then it is left out, and in
the end a plain page says the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.html import format_html

from accounts.services import sessions
from lib.templatetags.br import data_hora
from portal.access import portal_of
from portal.pages import guarded, guarded_page

log = logging.getLogger(__name__)

_HOME = "/central/"
AREAS = (_HOME, "/p/")
_TEMPLATE = "portal/erro.html"
_PLAIN = (
    '<!doctype html><html lang="pt-BR"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>{title}</title></head>"
    '<body data-screen="P21"><main><h1>{title}</h1><p>{text}</p>{code}'
    '<p><a href="/central/">Voltar ao início</a></p></main></body></html>'
)
_CODE = "<p>Código do erro: {}</p>"


@dataclass(frozen=True)
class Words:
    """What a page says: the sentence of ux P21, and what to do about it."""

    title: str
    text: str


WORDS = {
    400: Words(
        "Não foi possível confirmar o envio. Recarregue a página e tente de novo.",
        "Nada foi feito.",
    ),
    403: Words(
        "Você não tem permissão para isto. Peça acesso ao titular da conta.", "Nada foi feito."
    ),
    404: Words("Página não encontrada.", "Confira o endereço ou volte ao início."),
    405: Words("Página não encontrada.", "Confira o endereço ou volte ao início."),
    409: Words("Esta página mudou enquanto você estava aqui. Nada foi feito.", "Abra-a de novo."),
    410: Words("Este endereço não vale mais.", "Ele expirou ou já foi usado."),
    422: Words("Não foi possível concluir.", "Nada foi feito."),
    429: Words("Muitas tentativas. Aguarde alguns minutos.", "Depois, tente de novo."),
    500: Words(
        "Algo deu errado do nosso lado. Já registramos o erro.",
        "Tente de novo em alguns minutos. Se continuar, fale com o suporte e informe o código.",
    ),
    503: Words("Estamos em manutenção.", "Voltamos em breve."),
}


def is_of_customers(request: HttpRequest) -> bool:
    """Is this one of the pages that customers see?"""
    return request.path_info.startswith(AREAS)


def error_page(
    request: HttpRequest, status: int, *, title: str = "", text: str = ""
) -> HttpResponse:
    """The page of an HTTP status, as whole as what works allows; a fault tells its request id."""
    words = WORDS.get(status, WORDS[500])
    context = {
        "title": title or words.title,
        "text": text or words.text,
        "code": getattr(request, "request_id", "") if status >= 500 else "",
        "homologacao": settings.AMBIENTE == "homologacao",
    }
    return _headed(request, HttpResponse(_body(request, context, status), status=status))


def _headed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Pages behind links tell nobody their address; the others have forms, which must."""
    guard = guarded_page if request.path_info.startswith(_HOME) else guarded
    return guard(response)


def maintenance_page(request: HttpRequest, until: datetime | None) -> HttpResponse:
    """503, with the expected end where one was told; touches no database."""
    words = WORDS[503]
    text = f"Previsão de volta: {data_hora(until)} (horário de Brasília)." if until else words.text
    sandbox = settings.AMBIENTE == "homologacao"
    context = {"title": words.title, "text": text, "code": "", "homologacao": sandbox}
    response = _headed(request, HttpResponse(_without_person(context), status=503))
    moment = until.astimezone(UTC) if until else None
    response._has_been_logged = True  # type: ignore[attr-defined]  # no fault, and many of them
    response["Retry-After"] = format_datetime(moment, usegmt=True) if moment else "600"
    return response


def _body(request: HttpRequest, context: dict[str, Any], status: int) -> str:
    try:
        return _with_person(request, context)
    except Exception:  # the page of an error must not be another one
        if status < 500:
            log.exception("error_page.no_frame", extra={"status": status})
        return _without_person(context)


def _with_person(request: HttpRequest, context: dict[str, Any]) -> str:
    """In the frame with the person's menu. The same page has the same bytes."""
    portal = getattr(request, "portal", None)
    if portal is None and sessions.is_open(request) and not sessions.needs_code(request):
        portal = portal_of(request)
    get_token(request)
    # The plain secret is as good as a masked token, which would differ each time: nobody can tell
    # a page that is missing from one of another customer.
    fixed = {"csrf_token": request.META.get("CSRF_COOKIE", "")}
    return render_to_string(_TEMPLATE, {**context, "portal": portal, **fixed, "request": request})


def _without_person(context: dict[str, Any]) -> str:
    try:
        return render_to_string(_TEMPLATE, context)
    except Exception:
        log.exception("error_page.no_template")
        code = format_html(_CODE, context["code"]) if context["code"] else ""
        return format_html(_PLAIN, title=context["title"], text=context["text"], code=code)
