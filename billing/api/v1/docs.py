"""How an endpoint describes itself in the OpenAPI page, once for all of them.

What is said here is data; `billing.api.openapi` makes the document of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema

from billing.api.v1.shapes import In, Out
from lib.api_errors import LISTS, TEXTS

# Code → the shared response of `billing.api.openapi_parts` that describes it.
_REFUSALS = {
    400: "BadParameter",
    401: "Unauthorized",
    404: "NotFound",
    429: "TooMany",
}
_INVALID = {LISTS: "InvalidLists", TEXTS: "InvalidTexts"}


@dataclass(frozen=True)
class Answer:
    """`{"company": {…}}`, or `{"companies": […]}`, with the page's numbers when `paged`."""

    key: str
    shape: type[Out]
    many: bool = False
    paged: bool = False


@dataclass(frozen=True)
class Body:
    """A body to send, in its envelope or bare (billing-api §1.4)."""

    kind: type[In]
    envelope: str


@dataclass(frozen=True)
class Shared:
    """A response that many endpoints have in common, by its name among the components."""

    name: str


@dataclass(frozen=True)
class NoBody:
    """A response of which the code is all."""


def one(key: str, shape: type[Out]) -> Answer:
    """`{"company": {…}}`."""
    return Answer(key, shape)


def listed(key: str, shape: type[Out], *, paged: bool = False) -> Answer:
    """`{"companies": […]}`, with the page's numbers when `paged`."""
    return Answer(key, shape, many=True, paged=paged)


def query(
    name: str, description: str = "", *, required: bool = False, **kwargs: Any
) -> OpenApiParameter:
    """A query parameter of text."""
    return OpenApiParameter(name, str, required=required, description=description, **kwargs)


def documented(
    summary: str,
    *,
    answer: Answer | None = None,
    status: int = 200,
    body: type[In] | None = None,
    envelope: str = "",
    errors_as: str = LISTS,
    parameters: Sequence[OpenApiParameter] = (),
    refuses: Sequence[int] = (),
    description: str = "",
) -> Callable[[Any], Any]:
    """Describe a view method. `answer` None is an empty body; `refuses` are its own error codes.

    401, 404, 429 and, with a body, 422 are every endpoint's; what the reading of a body may bring
    is added for each method that takes one.
    """
    codes = {401, 404, 429, *refuses} | ({422} if body else set())
    responses: dict[int, Any] = {status: answer or NoBody()}
    for code in sorted(codes):
        responses[code] = Shared(_INVALID[errors_as] if code == 422 else _REFUSALS[code])
    return extend_schema(
        summary=summary,
        description=description or None,
        request=Body(body, envelope) if body else None,
        responses=responses,
        parameters=list(parameters),
    )
