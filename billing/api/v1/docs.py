"""How an endpoint describes itself in the OpenAPI page, once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from billing.api.v1.shapes import In, Out
from lib.api_errors import LISTS, TEXTS

_CODES = {
    400: "Parâmetro de busca ausente ou inválido",
    401: "Token ausente ou inválido (corpo vazio)",
    404: "Não encontrado nesta conta (corpo vazio)",
    413: "Corpo grande demais",
    415: "O corpo não é JSON",
    422: "Dados ou situação não permitem",
    429: "Limite de requisições por minuto excedido",
}


def _errors_body(name: str, doc: str, errors: Any) -> type[serializers.Serializer[Any]]:
    """`{"errors": …}`. Made here because `errors` is also a property of every serializer."""
    return type(name, (serializers.Serializer,), {"__doc__": doc, "errors": errors})


ErrorOut = _errors_body("ErrorOut", "Erro em um só texto (forma C).", serializers.CharField())
ListErrorsOut = _errors_body(
    "ListErrorsOut",
    "Erros por campo, cada um com sua lista de mensagens (forma A), ou um só texto (forma C).",
    serializers.JSONField(),
)
TextErrorsOut = _errors_body(
    "TextErrorsOut",
    "Erros por campo, cada um com uma mensagem (forma B), ou um só texto (forma C).",
    serializers.JSONField(),
)


@cache
def one(key: str, shape: type[Out]) -> type[serializers.Serializer[Any]]:
    """`{"company": {…}}`."""
    return type(f"{shape.__name__}One", (serializers.Serializer,), {key: shape()})


@cache
def listed(key: str, shape: type[Out], *, paged: bool = False) -> type[serializers.Serializer[Any]]:
    """`{"companies": […]}`, with the page's numbers when `paged`."""
    fields: dict[str, Any] = {}
    if paged:
        fields = {name: serializers.IntegerField() for name in ("page", "per_page", "total_pages")}
    fields[key] = shape(many=True)
    return type(f"{shape.__name__}{'Page' if paged else 'List'}", (serializers.Serializer,), fields)


@cache
def _enveloped(key: str, body: type[In]) -> type[serializers.Serializer[Any]]:
    return type(f"{body.__name__}Body", (serializers.Serializer,), {key: body()})


def query(
    name: str, description: str = "", *, required: bool = False, **kwargs: Any
) -> OpenApiParameter:
    """A query parameter of text."""
    return OpenApiParameter(name, str, required=required, description=description, **kwargs)


def documented(
    summary: str,
    *,
    answer: type[serializers.Serializer[Any]] | None = None,
    status: int = 200,
    body: type[In] | None = None,
    envelope: str = "",
    errors_as: str = LISTS,
    parameters: Sequence[OpenApiParameter] = (),
    refuses: Sequence[int] = (),
    examples: Sequence[OpenApiExample] = (),
    description: str = "",
) -> Callable[[Any], Any]:
    """Describe a view method. `answer` None is an empty body; `refuses` are its own error codes.

    401, 404, 429 and, with a body, 400, 413, 415 and 422 are every endpoint's.
    """
    codes = {401, 404, 405, 429, *refuses}
    if body is not None:
        codes |= {400, 413, 415, 422}
    errors = {LISTS: ListErrorsOut, TEXTS: TextErrorsOut}[errors_as]
    responses: dict[int, Any] = {status: answer or OpenApiResponse(description="Sem corpo")}
    for code in sorted(codes):
        responses[code] = _refusal(code, errors)
    return extend_schema(
        summary=summary,
        description=description or None,
        request=(_enveloped(envelope, body) if envelope else body) if body else None,
        responses=responses,
        parameters=list(parameters),
        examples=list(examples),
    )


def _refusal(code: int, errors: Any) -> OpenApiResponse:
    shape: Any = errors if code == 422 else ErrorOut
    if code in (401, 404):
        shape = None
    return OpenApiResponse(shape, description=_CODES.get(code, "Método não permitido"))
