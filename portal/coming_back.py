"""After a session has ended by itself: back to the same company and page, with what was typed.

A cookie tells who was last signed in here and for which company, signed, since the session's own
cookie is gone by then. A form that was sent too late waits, without passwords, files and codes, in
the new session, and is shown only to that same person (ux §1.5).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

COOKIE = "central"
_COOKIE_SECONDS = 24 * 60 * 60
_SALT = "portal.coming_back"
_KEPT = "portal_kept"
_KEPT_SECONDS = 30 * 60
_MOST_FIELDS, _MOST_CHARACTERS = 300, 20_000
_SECRET = re.compile(r"senha|password|token|cvv|cvc|^codigo$", re.IGNORECASE)
# What a page carries along, and which of its buttons was pressed.
_TECHNICAL = re.compile(r"csrfmiddlewaretoken|idempotency_key|next|versao|acao|recalcular|auto_.*")
_CODE = re.compile(r"on|[a-z]+(?:_[a-z]+)+")  # a choice's value, which no person has typed
_LABELS = {
    "email": "E-mail", "emails": "E-mails", "cep": "CEP", "uf": "UF", "numero": "Número",
    "sem_numero": "Sem número", "municipio": "Município", "comentario": "Comentário",
    "inscricao_estadual": "Inscrição estadual", "inscricao_municipal": "Inscrição municipal",
    "ultimo_dia": "Último dia", "confirmacao": "Confirmação",
}  # fmt: skip
_BY_HAND = "navigate"  # not by a script, which keeps its page
_ROOT = "/central/"


# --- addresses ------------------------------------------------------------------------------------


def safe_next(request: HttpRequest, given: str | None = None) -> str:
    """`?next=`, or `given`, where it is a page of the portal on this host; else the home page."""
    if given is None:
        given = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = given.startswith(_ROOT) and url_has_allowed_host_and_scheme(given, allowed_hosts=None)
    doors = (reverse("portal-entrar"), reverse("portal-sair"), reverse("portal-codigo"))
    if not is_ours or "/../" in given or not given.isprintable() or given.startswith(doors):
        return reverse("portal-inicio")
    return given


def page_before(request: HttpRequest) -> str:
    """The page of the portal whose form or link led here; its own address where none is told."""
    told = urlsplit(request.headers.get("Referer", ""))
    if told.netloc == request.get_host() and told.path.startswith(_ROOT):
        return safe_next(request, told.path + (f"?{told.query}" if told.query else ""))
    return request.path


# --- who was here ---------------------------------------------------------------------------------


def note(request: HttpRequest, response: HttpResponseBase, *, user: int, access: int) -> None:
    """Note on the browser who is signed in, and for which company.

    The form that waited is done with once it, or another of its page, was sent.
    """
    if request.method == "POST" and request.get_full_path() == _kept(request).get("path"):
        drop_form(request)
    value = f"{user}-{access}"
    if _cookie(request) != value:
        response.set_signed_cookie(
            COOKIE,
            value,
            salt=_SALT,
            max_age=_COOKIE_SECONDS,
            path=_ROOT,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


def forget(response: HttpResponseBase) -> None:
    """Whoever signs out leaves nothing."""
    response.delete_cookie(COOKIE, path=_ROOT, samesite="Lax")


def last_here(request: HttpRequest) -> tuple[int, int] | None:
    """(user, access) of the last person signed in on this browser, within a day."""
    user, _, access = _cookie(request).partition("-")
    return (int(user), int(access)) if access else None


def _cookie(request: HttpRequest) -> str:
    found = request.get_signed_cookie(COOKIE, "", salt=_SALT, max_age=_COOKIE_SECONDS)
    return found or ""


# --- the form -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeptForm:
    """A form that was sent too late: where to, the page it is on, and its fields in order."""

    path: str
    page: str
    user: int
    access: int
    fields: tuple[tuple[str, str], ...]

    @property
    def typed(self) -> list[tuple[str, str]]:
        """What a person would know again, under the fields' names."""
        return [
            (_LABELS.get(name) or name.replace("_", " ").capitalize(), value)
            for name, value in self.fields
            if value.strip() and not _TECHNICAL.fullmatch(name) and not _CODE.fullmatch(value)
        ]


def keep(request: HttpRequest) -> None:
    """Keep the fields of a POST that came too late, where we know whose it is."""
    if request.method != "POST" or request.headers.get("Sec-Fetch-Mode", _BY_HAND) != _BY_HAND:
        return
    whose = last_here(request)
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        if name != "csrfmiddlewaretoken" and not _SECRET.search(name)
        for value in values
        if isinstance(value, str)
    ]
    size = sum(len(name) + len(value) for name, value in fields)
    is_typed = any(not _TECHNICAL.fullmatch(name) and value.strip() for name, value in fields)
    if whose is None or not is_typed or request.path == reverse("portal-trocar"):
        return
    if len(fields) > _MOST_FIELDS or size > _MOST_CHARACTERS:
        return
    request.session[_KEPT] = {
        "path": request.get_full_path(),
        "page": page_before(request),
        "whose": list(whose),
        "fields": fields,
        "at": int(time.time()),
    }


def kept_form(request: HttpRequest) -> KeptForm | None:
    """What waits in this session, for half an hour."""
    found = _kept(request)
    if not found or time.time() - found["at"] > _KEPT_SECONDS:
        return None
    user, access = found["whose"]
    fields = tuple((name, value) for name, value in found["fields"])
    return KeptForm(found["path"], found["page"], user, access, fields)


def _kept(request: HttpRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.session.get(_KEPT) or {}
    return found


def drop_form(request: HttpRequest) -> None:
    """It was sent after all, or is somebody else's."""
    request.session.pop(_KEPT, None)
