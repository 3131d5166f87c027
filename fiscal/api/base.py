"""What every endpoint of /v2 does the same way: who asks, what was sent, how it is refused."""

from __future__ import annotations

import io
import re
from typing import Any, ClassVar

from django.http import Http404
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import JsonNegotiation, JsonParser, JsonRenderer
from accounts.models import Account, ApiToken
from accounts.services.audit import Actor, actor_of
from fiscal.api.authentication import CreditThrottle, Failures, FiscalAuthentication
from fiscal.api.errors import fiscal_errors
from fiscal.errors import InvalidRequest, IssuerForbidden
from fiscal.models import Company
from fiscal.selectors.companies import company_of_token
from lib.api_errors import LengthRequired
from lib.errors import NotFound

__all__ = ["FiscalView"]


class FiscalNegotiation(JsonNegotiation):
    """A body is read as JSON whatever its type: `curl -d` calls it a form."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:
        parser: BaseParser = parsers[0]
        return parser


class FiscalView(APIView):
    """Base of the views.

    A token of scope fiscal is one company in one environment: `company` and `ambiente`. Views
    for the account's own resources name the scopes they take; without a fiscal token they have
    `account` only.
    """

    authentication_classes: Any = (FiscalAuthentication,)
    parser_classes = (JsonParser,)
    renderer_classes = (JsonRenderer,)
    content_negotiation_class = FiscalNegotiation
    throttle_classes = (CreditThrottle,)
    scopes: ClassVar[tuple[str, ...]] = (ApiToken.Scope.FISCAL,)
    denies_silently: ClassVar[bool] = False  # 401 without a body (§14.3)
    malformed: ClassVar[tuple[int, str]] = (415, "requisicao_invalida")  # status and codigo
    max_body: ClassVar[int] = 5_000_000  # bytes; 990 items with all their taxes are some 3 million

    rate_headers: dict[str, str] = {}
    company: Company
    ambiente: str

    @property
    def token(self) -> ApiToken:
        return self.request.auth  # type: ignore[return-value]

    @property
    def account(self) -> Account:
        return self.token.account

    @property
    def actor(self) -> Actor:
        return actor_of(self.token, ip=self.request.META.get("REMOTE_ADDR"))

    def get_exception_handler(self) -> Any:
        return fiscal_errors

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # A page of our own fault has them too (config.errors).
        request._request.rate_headers = self.rate_headers  # type: ignore[attr-defined]
        self._enter()
        if not all(_is_storable(text) for text in kwargs.values()):
            raise Http404
        if request.method in ("POST", "PUT", "PATCH", "DELETE") and hasattr(
            self, request.method.lower()
        ):
            _read_body(self, request)

    def _enter(self) -> None:
        """Find the token's company. Raises IssuerForbidden for a token of another kind."""
        if self.token.scope not in self.scopes:
            raise IssuerForbidden("Este token não dá acesso a este recurso.")
        if self.token.scope != ApiToken.Scope.FISCAL:
            return
        try:
            self.company = company_of_token(self.token)
        except NotFound as error:
            raise IssuerForbidden() from error
        self.ambiente = self.token.ambiente

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """The methods of this address are in `Allow`, as in every answer."""
        return Response(status=204)

    def finalize_response(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, *args, **kwargs)
        for name, value in (self.rate_headers or Failures(request).headers()).items():
            response[name] = value
        return response

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent; {} without a body."""
        data: Any = self.request.data
        return data if isinstance(data, dict) else {}

    def parameter(self, name: str) -> str:
        """A query parameter, "" when it is absent. Raises InvalidRequest for unusable text."""
        text: str = self.request.query_params.get(name, "")
        if not _is_storable(text):
            raise InvalidRequest(f'Parâmetro "{name}" inválido.')
        return text.strip()

    def offset(self) -> int:
        """Where a page of a list begins. Raises InvalidRequest."""
        text = self.parameter("offset") or "0"
        if not re.fullmatch("[0-9]{1,9}", text):
            raise InvalidRequest('Parâmetro "offset" deve ser um número.')
        return int(text)

    def is_on(self, name: str) -> bool:
        """Is a flag like `dry_run=1` or `completa=1` set?"""
        return self.parameter(name).lower() in ("1", "true", "sim")


class UnknownView(FiscalView):
    """An address that is none of ours; told to anybody, with a token or without."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


def _read_body(view: FiscalView, request: Request) -> None:
    """A malformed body is refused before anything is done.

    A NUL or half a surrogate pair can be in no document and in no column.
    """
    if request.headers.get("Transfer-Encoding") and not request.META.get("CONTENT_LENGTH"):
        _take_chunks(request, limit=view.max_body)
    if not _is_storable(request.data):
        raise exceptions.ParseError()


def _take_chunks(request: Request, *, limit: int) -> None:
    """A chunked body comes without a length, and Django would take it for an empty one.

    Raises LengthRequired where the server does not say that the body ends by itself.
    """
    django: Any = request._request
    if not django.environ.get("wsgi.input_terminated"):
        raise LengthRequired()
    try:
        raw = django.environ["wsgi.input"].read(limit + 1)  # whoever parses it refuses the last one
    except Exception as error:  # each server has an error of its own for chunks that are none
        raise exceptions.ParseError() from error
    django._stream = io.BytesIO(raw)
    django.META["CONTENT_LENGTH"] = str(len(raw))


def _is_storable(node: Any) -> bool:
    if isinstance(node, str):
        return "\x00" not in node and (node.isascii() or _is_unicode(node))
    if isinstance(node, dict):
        return all(_is_storable(key) and _is_storable(value) for key, value in node.items())
    return all(_is_storable(one) for one in node) if isinstance(node, list) else True


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
