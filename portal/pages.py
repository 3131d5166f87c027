"""What every page for customers has in common: its headers."""

from __future__ import annotations

from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

_OWN = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src 'self' data:; "
    "style-src 'self'; script-src 'self'{script}; connect-src 'self'{connect}{frame}"
)
_POLICY = _OWN.format(script="", connect="", frame="")
# The fields for a new card are in a frame of the provider's: the only other origin (V-2).
_STRIPE_POLICY = _OWN.format(
    script=" https://js.stripe.com https://*.js.stripe.com",
    connect=" https://api.stripe.com",
    frame="; frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com",
)

Answer = TypeVar("Answer", bound=HttpResponseBase)


def private_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page that nobody indexes, caches or learns the address of (P17)."""
    return guarded(render(request, template, context, status=status))


def guarded(response: Answer) -> Answer:
    """The same of an answer that is no page."""
    guarded_page(response)
    response["Referrer-Policy"] = "no-referrer"
    return response


def guarded_page(response: Answer) -> Answer:
    """Headers of a page behind a sign-in; what the view has set itself stays."""
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers.setdefault("Cache-Control", "no-store, private")
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def with_card_fields(response: Answer) -> Answer:
    """Allow the provider's card fields in this page."""
    response["Content-Security-Policy"] = _STRIPE_POLICY
    return response
