"""Printed templates: publish a version, make one active, give an organization the default ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.models import Account, User
from accounts.services.audit import Actor, actor_of, record
from billing.documents.screening import screen, screen_css
from billing.documents.templates import TemplateFault, compile_template
from billing.models import DocumentTemplate, DocumentTemplateVersion, Party
from lib import clock
from lib.errors import FieldError, InvalidInput, NotFound

# File name → the name people see. The first is the default.
SHIPPED = {"simples": "Simples", "detalhada": "Detalhada"}
FOLDER = Path(settings.BASE_DIR) / "templates" / "billing" / "documents"


@dataclass(frozen=True)
class Published:
    """A new version and, in pt-BR, what was taken out of it for safety (SAFE-5)."""

    version: DocumentTemplateVersion
    warnings: list[str]


@transaction.atomic
def publish_version(
    template_id: int,
    *,
    account: Account,
    html: str,
    css: str = "",
    user: User | None = None,
    actor: Actor | None = None,
) -> Published:
    """Keep `html` and `css` as the next version of a template; it prints once activated.

    `user` wrote it; None means that it came with the product. Raises NotFound, or InvalidInput when
    the template has a fault (SAFE-2).
    """
    template: DocumentTemplate = DocumentTemplate.objects.select_for_update().get_of(
        account, pk=template_id
    )
    html, warnings = screen(html)
    css, more = screen_css(css)
    try:
        compile_template(html, css)
    except TemplateFault as fault:
        raise InvalidInput(fault.text, erros=[FieldError("html", fault.text)]) from fault
    last = template.versions.order_by("-number").values_list("number", flat=True).first()
    version = DocumentTemplateVersion.objects.create(
        template=template,
        number=(last or 0) + 1,  # the template's row is locked: nobody else is counting
        html=html,
        css=css,
        sha256=digest(html, css),
        created_at=clock.now(),
        created_by=user,
    )
    record(
        account,
        actor=actor or actor_of(user),
        action="modelo.salvo",
        target=template,
        after={"versao": version.number, "sha256": version.sha256},
    )
    return Published(version, [*warnings, *more])


@transaction.atomic
def activate_version(
    version_id: int, *, account: Account, actor: Actor | None = None
) -> DocumentTemplate:
    """Print with this version from now on; documents with a pinned version keep theirs (TPL-3).

    Cached PDFs of the others no longer match their source, so they are rendered again (PDF-4).
    Raises NotFound.
    """
    version = DocumentTemplateVersion.objects.filter(
        pk=version_id, template__account=account
    ).first()
    if version is None:
        raise NotFound()
    template = DocumentTemplate.objects.select_for_update().get(pk=version.template_id)
    if template.active_version_id == version.pk:
        return template
    before = template.active_version.number if template.active_version else None
    template.active_version = version
    template.save(update_fields=["active_version"])
    record(
        account,
        actor=actor or actor_of(None),
        action="modelo.ativado",
        target=template,
        before={"versao": before},
        after={"versao": version.number},
    )
    return template


@transaction.atomic
def install_default_templates(organization: Party) -> list[DocumentTemplate]:
    """Give an organization the templates that come with the product; safe to repeat.

    A template that nobody edited follows the product to its newest text; others are left alone.
    """
    # The party's row keeps a second installation waiting until ours is there to be found.
    Party.objects.select_for_update().get(pk=organization.pk)
    return [_install(organization, file, name) for file, name in SHIPPED.items()]


def _install(organization: Party, file: str, name: str) -> DocumentTemplate:
    template, _ = DocumentTemplate.objects.get_or_create(
        account=organization.account,
        organization=organization,
        name=name,
        defaults={"is_default": _is_first(organization, name)},
    )
    if template.versions.exclude(created_by=None).exists():
        return template
    html, css = _shipped(file)
    if not template.versions.filter(sha256=digest(html, css)).exists():
        published = publish_version(template.pk, account=organization.account, html=html, css=css)
        return activate_version(published.version.pk, account=organization.account)
    return template


def _is_first(organization: Party, name: str) -> bool:
    """The default one, unless the organization already has a default in Portuguese."""
    taken = DocumentTemplate.objects.filter(
        organization=organization, is_default=True, language="pt-BR"
    ).exists()
    return name == next(iter(SHIPPED.values())) and not taken


def _shipped(file: str) -> tuple[str, str]:
    """A shipped template as publish_version keeps it."""
    html = (FOLDER / f"{file}.html").read_text(encoding="utf-8")
    css = (FOLDER / f"{file}.css").read_text(encoding="utf-8")
    return screen(html)[0], screen_css(css)[0]


def digest(html: str, css: str) -> str:
    """SHA-256 that names a version's text."""
    return hashlib.sha256(f"{html}\0{css}".encode()).hexdigest()
