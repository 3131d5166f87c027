"""/v2/hooks: gatilhos (fiscal-api §13), by a company's token or by the account's own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import structlog
from django.urls import path, re_path
from rest_framework.response import Response

from accounts.models import ApiToken
from fiscal.api.base import FiscalView
from fiscal.errors import InvalidRequest, IssuerForbidden
from fiscal.models import Company, FiscalHook
from fiscal.selectors.companies import company_by_document
from fiscal.selectors.documents import get_document
from fiscal.selectors.hooks import get_hook, listed_hooks
from fiscal.services.hook_events import tell_again
from fiscal.services.hooks import SECRET, create_hook, delete_hook, read_wanted
from lib import clock
from lib.br import document_kind, normalise_document
from lib.clock import SAO_PAULO
from lib.crypto import Unreadable, decrypt
from lib.errors import NotFound

log = structlog.get_logger(__name__)


class HookView(FiscalView):
    """Base: whose hooks they are."""

    scopes = (ApiToken.Scope.FISCAL, ApiToken.Scope.MASTER)

    def reach(self) -> dict[str, Any]:
        """The company and environment of the token; the account's token has neither."""
        if self.token.scope == ApiToken.Scope.FISCAL:
            return {"company": self.company, "ambiente": self.ambiente}
        return {"company": None, "ambiente": ""}


class HooksView(HookView):
    """Create (200) and list."""

    def post(self, request: Any) -> Response:
        owner = self._owner()
        wanted = read_wanted(self.body())
        hook = create_hook(
            wanted,
            account=self.account,
            company=owner,
            ambiente=self.reach()["ambiente"],
            actor=self.actor,
            at=clock.now(),
        )
        return Response(shown(hook))

    def get(self, request: Any) -> Response:
        return Response([shown(hook) for hook in listed_hooks(self.account, **self.reach())])

    def _owner(self) -> Company | None:
        """The company named in the body, or else the token's.

        Raises InvalidRequest, or IssuerForbidden for one that is not the token's.
        """
        sent = [self.body().get(name) for name in ("cnpj", "cpf")]
        named = [str(value) for value in sent if value not in (None, "")]
        if len(named) > 1:
            raise InvalidRequest('Informe "cnpj" ou "cpf", e não ambos.')
        own: Company | None = self.reach()["company"]
        if not named:
            return own
        if document_kind(named[0]) is None:
            raise InvalidRequest('Parâmetro "cnpj" ou "cpf" inválido.')
        if own is None:
            return self._company(named[0])
        if normalise_document(named[0]) != own.document:
            raise IssuerForbidden()
        return own

    def _company(self, document: str) -> Company:
        try:
            return company_by_document(self.account, document=document)
        except NotFound as error:
            raise IssuerForbidden() from error


class OneHookView(HookView):
    """One hook with its metrics, and its end."""

    def get(self, request: Any, public_id: str) -> Response:
        return Response(_with_metrics(self._wanted(public_id), at=clock.now()))

    def delete(self, request: Any, public_id: str) -> Response:
        hook = self._wanted(public_id)
        told = shown(hook)
        delete_hook(hook, actor=self.actor)
        return Response({**told, "deleted": True})

    def _wanted(self, public_id: str) -> FiscalHook:
        return get_hook(self.account, public_id=public_id, **self.reach())


class AgainView(FiscalView):
    """POST: tell the matching hooks of a document once more; answers them."""

    modelo: ClassVar[int] = 55

    def post(self, request: Any, ref: str) -> Response:
        document = get_document(self.company, ambiente=self.ambiente, modelo=self.modelo, ref=ref)
        return Response(told_hooks(self, tell_again(document, at=clock.now())))


def told_hooks(view: FiscalView, told: list[FiscalHook]) -> list[dict[str, Any]]:
    """Those that the token of the view may see.

    The account's own hooks are told too, but their addresses are not the company's to see.
    """
    own = listed_hooks(view.account, company=view.company, ambiente=view.ambiente)
    seen = set(own.values_list("pk", flat=True))
    return [shown(hook) for hook in told if hook.pk in seen]


def shown(hook: FiscalHook) -> dict[str, Any]:
    """A hook as the API tells it."""
    return {
        "id": hook.public_id,
        "url": hook.url,
        "authorization": _authorization(hook),
        "authorization_header": hook.authorization_header,
        "event": hook.event,
        "cnpj": hook.company.cnpj or None if hook.company else None,
    }


def _authorization(hook: FiscalHook) -> str | None:
    """Its text; None without one, or when it was closed with a key that is lost."""
    try:
        return decrypt(hook.authorization, purpose=SECRET) if hook.authorization else None
    except Unreadable:
        log.warning("hook.unreadable", hook_id=hook.pk)
        return None


def _with_metrics(hook: FiscalHook, *, at: datetime) -> dict[str, Any]:
    successes, failures = hook.counts(at=at)
    since = hook.counted_since(at=at).astimezone(ZoneInfo(SAO_PAULO))
    company = hook.company
    return {
        **shown(hook),
        "cpf": company.cpf or None if company else None,
        "nome": company.nome if company else None,
        "empresa_id": str(company.pk) if company else None,
        "active": hook.is_active,
        "count_since": since.isoformat(timespec="seconds"),
        "request_count": successes + failures,
        "success_count": successes,
        "error_count": failures,
    }


routes = [
    path("hooks", HooksView.as_view()),
    path("hooks/<str:public_id>", OneHookView.as_view()),
    re_path(r"^nfe/(?P<ref>[^/]+)/hook$", AgainView.as_view(modelo=55)),
    re_path(r"^nfce/(?P<ref>[^/]+)/hook$", AgainView.as_view(modelo=65)),
]
