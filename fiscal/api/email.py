"""E-mail: send a document again, and the addresses that take none (fiscal-api §2.10, §16)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import re_path
from django.utils import timezone
from rest_framework.response import Response

from accounts.models import ApiToken
from fiscal.api.base import FiscalView
from fiscal.models import BlockedEmail
from fiscal.selectors.documents import get_document
from fiscal.services.mail import send_again
from fiscal.services.mail_blocks import unblock
from lib import clock
from lib.errors import NotFound


class SendView(FiscalView):
    """POST: confirmed at once, sent in the background."""

    modelo: ClassVar[int]

    def post(self, request: Any, ref: str) -> Response:
        document = get_document(self.company, ambiente=self.ambiente, modelo=self.modelo, ref=ref)
        emails = send_again(document, self.body().get("emails"), now=clock.now())
        return Response({"emails": emails, "mensagem": "Os e-mails serão enviados em instantes."})


class NfeSendView(SendView):
    modelo = 55


class NfceSendView(SendView):
    modelo = 65


class BlockedView(FiscalView):
    """GET: why an address is blocked. DELETE: write to it again. One list for the account."""

    scopes = (ApiToken.Scope.FISCAL, ApiToken.Scope.MASTER)

    def get(self, request: Any, email: str) -> Response:
        return Response(_shown(self._blocked(email)))

    def delete(self, request: Any, email: str) -> Response:
        blocked = self._blocked(email)
        shown = _shown(blocked)
        unblock(blocked, actor=self.actor)
        return Response(shown)

    def _blocked(self, email: str) -> BlockedEmail:
        rows = BlockedEmail.objects.of(self.account).select_related("account")
        found: BlockedEmail | None = rows.filter(email=email.strip().lower()).first()
        if found is None:
            raise NotFound("E-mail não encontrado na lista de bloqueados.")
        return found


def _shown(blocked: BlockedEmail) -> dict[str, Any]:
    body = {
        "email": blocked.email,
        "block_type": blocked.block_type,
        "bounce_type": blocked.bounce_type,
        "diagnostic_code": blocked.diagnostic_code,
        "blocked_at": timezone.localtime(blocked.blocked_at).isoformat(timespec="seconds"),
    }
    return {name: value for name, value in body.items() if value}


routes = [
    re_path(r"^nfe/(?P<ref>[^/]+)/email$", NfeSendView.as_view()),
    re_path(r"^nfce/(?P<ref>[^/]+)/email$", NfceSendView.as_view()),
    re_path(r"^blocked_emails/(?P<email>[^/]+)$", BlockedView.as_view()),
]
