"""Pages for everybody, which know a person who has signed in (§1.5)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.services import sessions
from portal.access import Portal, portal_of
from portal.pages import guarded_page


def anybody_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Call `view(request, portal, …)`; `portal` is None where nobody has signed in fully."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        known = sessions.is_open(request) and not sessions.needs_code(request)
        portal: Portal | None = portal_of(request) if known else None
        request.portal = portal  # type: ignore[attr-defined]
        return guarded_page(view(request, portal, *args, **kwargs))

    return wrapped
