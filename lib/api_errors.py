"""Exception → error body of each API."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions
from rest_framework.response import Response

from lib.errors import DomainError


def billing_errors(error: Exception, context: dict[str, Any]) -> Response | None:
    """Bodies of /api/v1 and /crm: 401 and 404 are empty, the rest is {"errors": text} (shape C)."""
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        return Response(status=401)
    if isinstance(error, DomainError):
        if error.http_status == 404:
            return Response(status=404)
        return Response({"errors": error.mensagem}, status=error.http_status)
    if isinstance(error, exceptions.APIException):
        return Response({"errors": str(error.detail)}, status=error.status_code)
    return None
