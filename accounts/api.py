"""What both APIs share: reading JSON, counting requests, answering repetitions."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiToken
from accounts.services import idempotency
from lib.api_errors import EmptyResponse, PayloadTooLarge

WINDOW = 60  # seconds
MAX_DEPTH = 64  # of nested lists and objects; no body of ours has more than six


class JsonNegotiation(DefaultContentNegotiation):
    """Answers are JSON, whatever `Accept` says; a body without a type is taken for JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return super().select_parser(request, parsers) if request.content_type else parsers[0]

    def select_renderer(  # type: ignore[override]
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class JsonRenderer(BaseRenderer):
    """JSON in UTF-8; a page of fifty invoices takes a tenth of what the framework's takes."""

    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8, and says so by itself

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class JsonParser(BaseParser):
    """A JSON object of at most the view's `max_body` bytes; numbers stay exact (Decimal).

    Whatever is not an object, NaN, bad UTF-8 and deep nesting are all malformed: ParseError.
    """

    media_type = "application/json"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        limit = getattr((parser_context or {}).get("view"), "max_body", 1_000_000)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge()
        try:
            # As text: bytes would be taken for UTF-16 or UTF-32 if they look like it.
            text = raw.decode("utf-8-sig")
            data = json.loads(text, parse_float=_number, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError() from error
        if not isinstance(data, dict) or _is_deeper(data, MAX_DEPTH):
            raise exceptions.ParseError()
        return data


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:  # an exponent of twenty digits
        raise ValueError(text[:40]) from error


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _is_deeper(node: Any, levels: int) -> bool:
    """Does `node` nest more than `levels` deep? Whoever walks a body later may then recurse."""
    if not isinstance(node, dict | list):
        return False
    inner = node.values() if isinstance(node, dict) else node
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


class TokenRateThrottle(BaseThrottle):
    """So many requests of a token per minute, told in the answer's headers."""

    def __init__(self) -> None:
        self.limit = settings.RATE_LIMIT_PER_MINUTE
        self.count = 0

    def allow_request(self, request: Request, view: Any) -> bool:
        token = request.auth
        if not self.limit or not isinstance(token, ApiToken):
            return True
        key = f"rate:{token.pk}:{int(time.time()) // WINDOW}"
        self.count = 1
        if not cache.add(key, 1, timeout=WINDOW + 5):
            self.count = _increment(key)
        view.rate_headers = self.headers()
        return self.count <= self.limit

    def wait(self) -> float:
        return WINDOW - time.time() % WINDOW

    def headers(self) -> dict[str, str]:
        """Limit, what is left of it, and the seconds until it starts anew."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.limit - self.count, 0)),
            "X-RateLimit-Reset": str(int(self.wait()) + 1),
        }


def _increment(key: str) -> int:
    try:
        return int(cache.incr(key))
    except ValueError:  # the window ended between the two calls
        return 1


def idempotent(post: Callable[..., Response]) -> Callable[..., Response]:
    """Make a view's POST answer a repeated Idempotency-Key with what the first one was told."""

    @functools.wraps(post)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return post(view, request, *args, **kwargs)
        account = request.auth.account  # type: ignore[union-attr]
        answer = idempotency.once(
            account,
            key=key,
            fingerprint=idempotency.fingerprint("POST", request.path, request.data),
            run=lambda: _run(view, post, request, args, kwargs),
        )
        response = _repeated(answer)
        if answer.is_replay:
            response["Idempotent-Replayed"] = "true"
        return response

    return once


def _repeated(answer: idempotency.Answer) -> Response:
    """The answer as it was; its body is kept as text, since the database sorts the keys of JSON."""
    if answer.body is not None:
        return Response(json.loads(answer.body), status=answer.status)
    return EmptyResponse(answer.status) if answer.status >= 400 else Response(status=answer.status)


def _run(
    view: Any, post: Callable[..., Response], request: Request, args: Any, kwargs: Any
) -> tuple[int, Any]:
    try:
        with transaction.atomic():
            response = post(view, request, *args, **kwargs)
    except Exception as refusal:
        # What is a refusal is REST framework's to tell: it is kept like any answer.
        response = view.handle_exception(refusal)  # raises again what is no refusal
    body = None if response.data is None else json.dumps(response.data)
    return response.status_code, body
