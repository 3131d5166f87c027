"""Who is in the portal: the one place that narrows a page to a customer (P-17, ux §1.5 and §5).

A view gets `request.portal`; everything it shows is read through `portal.account` and
`portal.customer`, and what belongs to anybody else does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import rotate_token
from django.urls import reverse

from accounts.access import Capability, can
from accounts.models import Account, AuditEvent, User
from accounts.services import sessions
from accounts.services.audit import Actor
from billing.models import CustomerAccess, OrganizationProfile, Party
from billing.selectors.billers import biller_of
from lib.errors import NotFound
from portal import coming_back
from portal.pages import guarded_page

P = ParamSpec("P")

COMPANY = "portal_company"  # the session's key of the chosen company's access
SAFE = ("GET", "HEAD")


@dataclass(frozen=True)
class Portal:
    """A signed-in person, for one of the companies that they may act for."""

    user: User
    access: CustomerAccess
    accesses: tuple[CustomerAccess, ...]
    ip: str | None

    @property
    def account(self) -> Account:
        return self.access.account

    @property
    def customer(self) -> Party:
        return self.access.customer

    @property
    def role(self) -> str:
        return self.access.role

    @cached_property
    def organization(self) -> Party | None:
        """Who bills: of the last contract, else of the last invoice, else the account's first."""
        return biller_of(self.account, self.customer)

    @cached_property
    def profile(self) -> OrganizationProfile:
        """The settings of who bills; those of an organization without any are the defaults."""
        found = getattr(self.organization, "profile", None)
        return found if found is not None else OrganizationProfile()

    @property
    def actor(self) -> Actor:
        """For services and the trail."""
        return Actor(AuditEvent.Actor.CUSTOMER, self.user.pk, self.user.email, self.ip)

    def can(self, capability: Capability) -> bool:
        """May this person do it (not only see it)?"""
        return can(self.role, capability, write=True)

    def sees(self, capability: Capability) -> bool:
        return can(self.role, capability)


class PortalRequest(HttpRequest):
    """A request that `customer_page` let through."""

    portal: Portal
    user: User


View = Callable[Concatenate[PortalRequest, P], HttpResponseBase]


def customer_page(
    capability: Capability | None = None, *, reads: bool = False
) -> Callable[[View[P]], Callable[..., HttpResponseBase]]:
    """A page for signed-in customers whose role has `capability`; other methods need it in full.

    `reads`: a POST of this page changes nothing that the capability guards. Anonymous people go to
    the entry and come back; a right that is missing is 403.
    """

    def decorate(view: View[P]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            away = _on_the_way(request)
            if away is not None:
                return away
            portal = portal_of(request)
            if portal is None:
                return HttpResponseRedirect(reverse("portal-sem-empresa"))
            request = cast("PortalRequest", request)
            request.portal = portal
            if _lost_company(request):
                return HttpResponseRedirect(reverse("portal-inicio"))
            write = not reads and request.method not in SAFE
            if capability is not None and not can(portal.role, capability, write=write):
                raise PermissionDenied
            try:
                response = guarded_page(view(request, *args, **kwargs))
            except NotFound as error:  # another customer's, or nobody's: the same page
                raise Http404 from error
            coming_back.note(request, response, user=portal.user.pk, access=portal.access.pk)
            return response

        return wrapped

    return decorate


def _on_the_way(request: HttpRequest) -> HttpResponse | None:
    """Where somebody goes who has not signed in, or not with both factors."""
    if not sessions.is_open(request):
        coming_back.keep(request)
        return HttpResponseRedirect(_entry(request, "portal-entrar"))
    if sessions.needs_code(request):
        return HttpResponseRedirect(_entry(request, "portal-codigo"))
    return None


def _entry(request: HttpRequest, name: str) -> str:
    """The page of that name, which leads back here; to a form's page, not into the form."""
    back = request.get_full_path() if request.method in SAFE else request.path
    return f"{reverse(name)}?{urlencode({'next': back})}"


def _lost_company(request: PortalRequest) -> bool:
    """Was the company of this session taken away? Its pages must not act on another one.

    What they hold is worth nothing after this: forms of theirs carry a token of before.
    """
    access, chosen = request.portal.access, request.session.get(COMPANY)
    request.session[COMPANY] = access.pk
    if chosen in (None, access.pk):
        return False
    rotate_token(request)
    messages.warning(
        request, f"Você não tem mais acesso àquela empresa. Agora você vê {access.customer.name}."
    )
    return True


def portal_of(request: HttpRequest) -> Portal | None:
    """The signed-in person at the company they chose, or at their first; None without any."""
    user = cast("User", request.user)
    accesses = tuple(
        CustomerAccess.objects.filter(user=user, account__is_active=True)
        .select_related("account", "customer")
        .order_by("pk")
    )
    if not accesses:
        return None
    chosen = request.session.get(COMPANY)
    access = next((one for one in accesses if one.pk == chosen), accesses[0])
    return Portal(user, access, accesses, request.META.get("REMOTE_ADDR"))


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of every page's frame: `portal` where somebody is signed in.

    `homologacao` is of the installation, for pages that are of no account.
    """
    return {
        "portal": getattr(request, "portal", None),
        "homologacao": settings.AMBIENTE == "homologacao",
    }
