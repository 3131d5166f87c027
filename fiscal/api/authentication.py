"""From a request of /v2 to its token, and how often it may come (fiscal-api §1.2, §1.9)."""

from __future__ import annotations

import base64
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.request import Request

from accounts.api import WINDOW, TokenRateThrottle
from accounts.models import ApiToken
from accounts.services.tokens import find_token


class FiscalAuthentication(BaseAuthentication):
    """HTTP Basic with the token as user name, or `?token=`; request.auth is the ApiToken.

    Raises NotAuthenticated without a token, AuthenticationFailed for an unknown, revoked or
    blocked one, and Throttled when the address has presented too many of those. The limit never
    stops a good token: behind a proxy many callers have one address.
    """

    def authenticate(self, request: Request) -> tuple[ApiToken, ApiToken]:
        raw = presented(request)
        if raw is None:
            raise NotAuthenticated()
        token = find_token(raw)
        if token is None:
            Failures(request).note()
            raise AuthenticationFailed()
        structlog.contextvars.bind_contextvars(caller_id=token.pk)
        return token, token

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="API"'


def presented(request: Request) -> str | None:
    """The text given as token; None when the request has none, "" when it cannot be read."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _user_name(value)
    return request.query_params.get("token")


def _user_name(value: str) -> str:
    try:
        pair = base64.b64decode(value.strip(), validate=True).decode()
    except ValueError:
        return ""
    return pair.partition(":")[0]


class Failures:
    """Wrong tokens from one address in the present minute."""

    def __init__(self, request: Any) -> None:
        self.limit: int = settings.FISCAL_AUTH_FAILURES_PER_MINUTE
        address = request.META.get("REMOTE_ADDR") or "unknown"
        self._key = f"v2-failures:{address}:{int(time.time()) // WINDOW}"

    def note(self) -> None:
        """Count one more. Raises Throttled past the limit."""
        if not self.limit:
            return
        cache.add(self._key, 0, timeout=WINDOW + 5)
        try:
            count = cache.incr(self._key)
        except ValueError:  # the window ended between the two calls
            return
        if count > self.limit:
            raise Throttled(wait=_seconds_left())

    def headers(self) -> dict[str, str]:
        """What an answer without a token tells in the place of the token's credits."""
        count = int(cache.get(self._key) or 0)
        return _headers(self.limit, self.limit - count) if self.limit else {}


class CreditThrottle(TokenRateThrottle):
    """Each request of a token costs one of its credits of the minute (§1.9)."""

    def __init__(self) -> None:
        self.limit = settings.FISCAL_RATE_LIMIT_PER_MINUTE
        self.count = 0

    def headers(self) -> dict[str, str]:
        return _headers(self.limit, self.limit - self.count)


def _headers(limit: int, left: int) -> dict[str, str]:
    return {
        "Rate-Limit-Limit": str(limit),
        "Rate-Limit-Remaining": str(max(left, 0)),
        "Rate-Limit-Reset": str(int(_seconds_left()) + 1),
    }


def _seconds_left() -> float:
    return WINDOW - time.time() % WINDOW
