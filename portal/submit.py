"""Forms that are sent once, however often the button is pressed (ux §1.3)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.http import HttpResponse, HttpResponseRedirect

from accounts.services import idempotency
from lib.errors import DomainError
from portal.access import PortalRequest

FIELD = "idempotency_key"


def new_key() -> str:
    """The hidden field of a form that was just shown."""
    return uuid.uuid4().hex


def once(request: PortalRequest, run: Callable[[], str]) -> HttpResponse:
    """Run `run`, which answers the address to go to; a form sent again only goes there again.

    Work and key commit together, so `run` does no network. What it refuses is raised, and the key
    stays free. A form without key (an old page) is worked off like a first one.
    """
    posted = request.POST.get(FIELD, "")[:64] or new_key()
    portal = request.portal
    key = f"portal:{portal.user.pk}:{portal.customer.pk}:{posted}"

    def answer() -> tuple[int, str]:
        return 302, run()

    try:
        found = idempotency.once(
            portal.account,
            key=key.encode("ascii", "ignore").decode().replace(" ", ""),
            fingerprint=idempotency.fingerprint("POST", request.path, {}),
            run=answer,
        )
    except idempotency.KeyUsed as used:
        raise StalePage from used
    return HttpResponseRedirect(found.body)


class StalePage(DomainError):
    """What the page showed has changed meanwhile; nothing was done (409)."""

    codigo = "pagina_desatualizada"
    mensagem = "Esta página mudou enquanto você estava aqui. Nada foi feito."
    http_status = 409
