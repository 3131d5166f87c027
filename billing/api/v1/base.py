"""What every endpoint of /api/v1 does the same way: who asks, what was sent, how it is refused."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import JsonNegotiation, JsonParser, JsonRenderer, TokenRateThrottle, idempotent
from accounts.authentication import TokenAuthentication
from accounts.models import Account, ApiToken
from accounts.services.audit import Actor, actor_of
from billing.api.v1.fields import is_blank, is_storable, parse_date, parse_id
from billing.api.v1.shapes import In, Sent
from lib.api_errors import LISTS, LengthRequired
from lib.errors import InvalidInput, NotFound

__all__ = ["LISTS"]


class BadSearch(InvalidInput):
    """400: a search parameter is missing, blank or wrong (§1.5)."""


def bad_parameters(*names: str) -> BadSearch:
    return BadSearch(f"Parâmetro(s) inválido(s) para busca: {', '.join(names)}")


class BillingView(APIView):
    """Base of the views. `envelope` is the singular key; `errors_as` the error shape (§1.6).

    POST answers are kept under the request's Idempotency-Key and repeated to who asks again.
    PUT does what PATCH does: both update what was sent.
    """

    authentication_classes = (TokenAuthentication,)
    parser_classes = (JsonParser,)
    renderer_classes = (JsonRenderer,)
    content_negotiation_class = JsonNegotiation
    throttle_classes = (TokenRateThrottle,)
    envelope: ClassVar[str] = ""
    errors_as: ClassVar[str] = LISTS
    max_body: ClassVar[int] = 1_000_000  # bytes

    rate_headers: dict[str, str] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = idempotent(cls.post)  # type: ignore[attr-defined]
        if "patch" in cls.__dict__:
            cls.put = cls.patch  # type: ignore[attr-defined]

    @property
    def token(self) -> ApiToken:
        return self.request.auth  # type: ignore[return-value]

    @property
    def account(self) -> Account:
        return self.token.account

    @property
    def actor(self) -> Actor:
        return actor_of(self.token, ip=self.request.META.get("REMOTE_ADDR"))

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # Ids in paths are numbers; text, or a number that no row can have, is an unknown id.
        found = {name: _path_id(name, text) for name, text in kwargs.items()}
        return super().dispatch(request, *args, **found)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any(value is None for value in kwargs.values()):
            raise NotFound()
        if request.method in ("POST", "PUT", "PATCH") and hasattr(self, request.method.lower()):
            _read_body(request)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """The methods of this address are in `Allow`, as in every answer."""
        return no_content()

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        for name, value in self.rate_headers.items():
            response[name] = value
        return response

    def read(self, kind: type[In], *, partial: bool = False) -> Sent:
        """The request's body, in its envelope or bare (§1.4), with all its faults."""
        return kind.take(self.body(), partial=partial)

    def body(self) -> dict[str, Any]:
        """The body's object. Everything but an object is as good as malformed: 400, empty."""
        data: Any = self.request.data
        inner = data.get(self.envelope) if self.envelope else None
        return inner if isinstance(inner, dict) else data

    def parameter(self, name: str) -> str:
        """A search parameter that must be there. Raises BadSearch (400)."""
        text: str = self.request.query_params.get(name, "")
        if is_blank(text) or "\x00" in text:
            raise bad_parameters(name)
        return text

    def period(self, first: str, last: str) -> tuple[Any, Any]:
        """Two required dates. Raises BadSearch naming every one that is missing or wrong."""
        days = [parse_date(self.request.query_params.get(name)) for name in (first, last)]
        wrong = [name for name, day in zip((first, last), days, strict=True) if day is None]
        if wrong:
            raise BadSearch(
                "Parâmetro(s) obrigatório(s) para busca não encontrado(s) ou inválido(s): "
                + ", ".join(wrong)
            )
        return days[0], days[1]


def _path_id(name: str, text: Any) -> Any:
    """Segments called id or …_id become numbers; None is what cannot be one."""
    if name != "id" and not name.endswith("_id"):
        return text if is_storable(str(text)) else None
    return parse_id(text) if re.fullmatch(r"\d+", str(text), re.ASCII) else None


def _read_body(request: Request) -> None:
    """A malformed body is refused before anything is done, also where no attribute is read.

    A chunked body has no length, and without one the server interface reads nothing: refused (411),
    since an update without attributes would succeed.
    """
    if request.headers.get("Transfer-Encoding") and not request.META.get("CONTENT_LENGTH"):
        raise LengthRequired()
    _ = request.data


def no_content() -> Response:
    """204 without a body."""
    return Response(status=204)
