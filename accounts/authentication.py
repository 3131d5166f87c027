"""From a password or an API token to who is acting."""

from __future__ import annotations

import re
from typing import Any

import structlog
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.services.tokens import find_token

_HEADER = re.compile(r'^Token\s+token="?([0-9a-f]{32})"?$', re.IGNORECASE)


class EmailBackend:
    """Sign in by e-mail and password; unknown, inactive and wrong cost the same time."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None
    ) -> User | None:
        if not username or password is None or "\x00" in username:
            return None
        user = User.objects.filter(email=username.strip().lower()).first()
        if user is None:
            make_password(password)
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: Any) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token token=<32 hex>` of scope billing; request.auth is the ApiToken."""

    scopes = (ApiToken.Scope.BILLING,)

    def authenticate(self, request: Request) -> tuple[ApiToken, ApiToken]:
        match = _HEADER.match(request.headers.get("Authorization", ""))
        token = find_token(match[1].lower()) if match else None
        if token is None or token.scope not in self.scopes:
            raise AuthenticationFailed()
        structlog.contextvars.bind_contextvars(caller_id=token.pk)
        return token, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"
