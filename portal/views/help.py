"""Help and the privacy notice (P05, §1.5): for everybody, signed in or not."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.models import OrganizationProfile, Party
from billing.selectors.help import get_article, shown_articles
from lib.errors import NotFound
from portal.access import Portal
from portal.anybody import anybody_page
from portal.privacy import notice_of


@require_safe
@anybody_page
def index(request: HttpRequest, portal: Portal | None) -> HttpResponse:
    """Every article, and how to reach people."""
    articles = shown_articles(portal.account if portal else None)
    return render(request, "portal/ajuda.html", {"articles": articles, **_people(portal)})


@require_safe
@anybody_page
def article(request: HttpRequest, portal: Portal | None, slug: str) -> HttpResponse:
    """One article."""
    try:
        found = get_article(portal.account if portal else None, slug)
    except NotFound as error:
        raise Http404 from error
    return render(request, "portal/artigo.html", {"article": found, **_people(portal)})


@require_safe
@anybody_page
def privacy(request: HttpRequest, portal: Portal | None) -> HttpResponse:
    """The notice of who bills, or the one that comes with the product."""
    people = _people(portal)
    notice = notice_of(people["organization"], people["profile"])
    return render(request, "portal/privacidade.html", {"notice": notice, **people})


def _people(portal: Portal | None) -> dict[str, Any]:
    """Context: who bills and its settings; without anybody signed in nobody is named."""
    organization: Party | None = portal.organization if portal else None
    profile = portal.profile if portal else OrganizationProfile()
    return {"organization": organization, "profile": profile}
