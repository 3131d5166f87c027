"""What every page for customers has in common: the headers of a page behind a secret address."""

from __future__ import annotations

from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

_POLICY = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src 'self' data:; "
    "style-src 'self'; script-src 'self'; connect-src 'self'"
)


def private_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page that nobody indexes, caches or learns the address of (P17)."""
    return guarded(render(request, template, context, status=status))


Answer = TypeVar("Answer", bound=HttpResponseBase)


def guarded(response: Answer) -> Answer:
    """The same of an answer that is no page."""
    response["Content-Security-Policy"] = _POLICY
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store, private"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["X-Content-Type-Options"] = "nosniff"
    return response
