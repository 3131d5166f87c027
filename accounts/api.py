"""What both APIs share: reading JSON, counting requests, answering repetitions."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiToken
from accounts.services import idempotency
from lib.api_errors import PayloadTooLarge

WINDOW = 60  # seconds


class JsonParser(BaseParser):
    """A JSON object of at most the view's `max_body` bytes; numbers stay exact (Decimal).

    Whatever is not an object, NaN, bad UTF-8 and endless nesting are all malformed: ParseError.
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
            data = json.loads(raw, parse_float=_number, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError() from error
        if not isinstance(data, dict):
            raise exceptions.ParseError()
        return data


def _number(text: str) -> Decimal:
    return Decimal(text)


def _no_constant(text: str) -> Any:
    raise ValueError(text)


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
        headers = {"Idempotent-Replayed": "true"} if answer.is_replay else {}
        return Response(answer.body, status=answer.status, headers=headers)

    return once


def _run(
    view: Any, post: Callable[..., Response], request: Request, args: Any, kwargs: Any
) -> tuple[int, Any]:
    try:
        with transaction.atomic():
            response = post(view, request, *args, **kwargs)
    except Exception as refusal:
        response = view.handle_exception(refusal)  # raises again what is no refusal
    return response.status_code, response.data
