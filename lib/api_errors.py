"""Exception → error body of each API."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django_fsm import TransitionNotAllowed
from rest_framework import exceptions
from rest_framework.response import Response

from lib.errors import Conflict, DomainError, FieldError, InvalidInput

# How a view tells faults of fields (billing-api §1.6): shape A, a list of messages per key; shape
# B, one message per key, the key a dotted path. Everything else is shape C, a single text.
LISTS = "lists"
TEXTS = "texts"

_TEXTS = {
    405: "Método não permitido neste endereço.",
    411: "Informe o tamanho do corpo em Content-Length.",
    413: "O corpo da requisição é grande demais.",
    415: "Envie o corpo como application/json.",
}


class PayloadTooLarge(exceptions.APIException):
    status_code = 413


class LengthRequired(exceptions.APIException):
    status_code = 411


class EmptyResponse(Response):
    """No body, and the content type that clients of this API have always seen with it (§1.2)."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(status=status, headers=headers, content_type="text/html; charset=utf-8")

    @property
    def rendered_content(self) -> str:
        return ""


def billing_errors(error: Exception, context: dict[str, Any]) -> Response | None:
    """Bodies of /api/v1 and /crm: 401, 404 and malformed bodies are empty."""
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        return EmptyResponse(401, {"WWW-Authenticate": "Token"})
    if isinstance(error, Http404):
        return EmptyResponse(404)
    if isinstance(error, exceptions.ParseError):
        return EmptyResponse(400)
    if isinstance(error, TransitionNotAllowed):
        error = Conflict()
    if isinstance(error, DomainError):
        return _domain(error, getattr(context.get("view"), "errors_as", ""))
    if isinstance(error, exceptions.APIException):
        return _framework(error)
    return None


def _domain(error: DomainError, shape: str) -> Response:
    if error.http_status == 404 and error.mensagem == type(error).mensagem:
        return EmptyResponse(404)
    if isinstance(error, InvalidInput) and error.erros and shape:
        return Response({"errors": by_field(error.erros, shape)}, status=422)
    # 409 tells staff that their screen is old; the documented codes know only 422.
    status = 422 if error.http_status == 409 else error.http_status
    return Response({"errors": error.mensagem}, status=status)


def by_field(faults: list[FieldError], shape: str) -> dict[str, Any]:
    """Faults under their keys, in the order they were found, each message once."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        messages = found.setdefault(fault.campo, [])
        if fault.mensagem not in messages:
            messages.append(fault.mensagem)
    return {key: texts[0] for key, texts in found.items()} if shape == TEXTS else dict(found)


def _framework(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.Throttled):
        wait = int(getattr(error, "wait", None) or 1)
        text = f"Muitas requisições. Tente de novo em {wait} s."
        return Response({"errors": text}, status=429, headers={"Retry-After": str(wait)})
    text = _TEXTS.get(error.status_code, str(error.detail))
    return Response({"errors": text}, status=error.status_code)
