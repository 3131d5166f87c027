"""Exception → error body of /v2: `codigo`, `mensagem` and, with details, `erros` (§1.5–1.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import Http404
from django_fsm import TransitionNotAllowed
from rest_framework import exceptions
from rest_framework.response import Response

from fiscal.errors import RecordFault
from lib.api_errors import EmptyResponse
from lib.errors import Conflict, DomainError, FieldError

_BASIC = {"WWW-Authenticate": 'Basic realm="API"'}
_TEXTS = {
    411: "Informe o tamanho do corpo em Content-Length.",
    413: "O corpo da requisição é grande demais.",
    415: "O corpo da requisição não é um objeto JSON válido.",
}


class AccessDenied(EmptyResponse):
    """401 as the reference gives it where no token came: text, not JSON (§1.2)."""

    @property
    def rendered_content(self) -> str:
        return "HTTP Basic: Access denied\n"


def fiscal_errors(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to a refusal; None for what is no refusal, which becomes a 500."""
    view = context.get("view")
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        return _denied(error, is_silent=getattr(view, "denies_silently", False))
    if isinstance(error, exceptions.MethodNotAllowed):
        return body(404, "nao_encontrado", _use(getattr(view, "allowed_methods", [])))
    if isinstance(error, Http404):
        return body(404, "nao_encontrado", "Endereço não encontrado.")
    if isinstance(error, TransitionNotAllowed):
        error = Conflict()
    if isinstance(error, DomainError):
        return body(error.http_status, error.codigo, error.mensagem, error.erros)
    if isinstance(error, exceptions.ParseError):
        # A body that is no JSON is 415 here, not 400 (§1.5); the companies differ (§14.3).
        status, codigo = getattr(view, "malformed", (415, "requisicao_invalida"))
        # The published sample of the companies has nothing but `erros`.
        faults = [RecordFault("", _TEXTS[415], codigo)] if status == 400 else None
        return body(status, codigo, _TEXTS[415], faults)
    if isinstance(error, exceptions.APIException):
        return _framework(error)
    return None


def body(
    status: int, codigo: str, mensagem: str, erros: Sequence[FieldError] | None = None
) -> Response:
    """An error answer; `campo` is null where the fault has no field of its own."""
    data: dict[str, Any] = {"codigo": codigo, "mensagem": mensagem}
    if erros:
        data["erros"] = [_fault(one) for one in erros]
    return Response(data, status=status)


def _fault(fault: FieldError) -> dict[str, Any]:
    told: dict[str, Any] = {"mensagem": fault.mensagem, "campo": fault.campo or None}
    codigo = getattr(fault, "codigo", "")
    return {"codigo": codigo, **told} if codigo else told


def _denied(error: exceptions.APIException, *, is_silent: bool) -> Response:
    """§14.3: the companies say nothing; elsewhere a wrong token is 403, a missing one 401."""
    if is_silent:
        return EmptyResponse(401, _BASIC)
    if isinstance(error, exceptions.NotAuthenticated):
        return AccessDenied(401, _BASIC)
    return body(403, "permissao_negada", "Access token inválido")


def _use(methods: list[str]) -> str:
    names = [name for name in methods if name not in ("OPTIONS", "HEAD")]
    if len(names) == 1:
        return f"Utilize o método {names[0]}."
    return f"Utilize um dos métodos {', '.join(names)}."


def _framework(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.Throttled):
        wait = int(getattr(error, "wait", None) or 0) + 1
        answer = body(429, "limite_excedido", f"Muitas requisições. Tente de novo em {wait} s.")
        answer["Retry-After"] = str(wait)
        return answer
    codigo = "permissao_negada" if error.status_code == 403 else "requisicao_invalida"
    return body(error.status_code, codigo, _TEXTS.get(error.status_code, str(error.detail)))
