"""Everything an invoice document is made of, read with few cheap queries.

A cached PDF is good as long as its source has the hash it was made from (PDF-4), so this runs for
every download: plain rows, no model instances, nothing drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from accounts.models import Account
from billing.documents.shape import (
    LOGO,
    Head,
    Line,
    Parcel,
    Parties,
    Withheld,
    variables,
    watermark,
)
from billing.models import (
    Asset,
    DocumentTemplate,
    Invoice,
    InvoiceLine,
    InvoiceWithholding,
    OrganizationProfile,
    Party,
    PartySnapshot,
    Receivable,
)
from billing.selectors.templates import FALLBACK_LANGUAGE, version_for
from billing.services.snapshots import party_data
from lib.compiled import CompiledQuery
from lib.errors import NotFound
from lib.pdf import ENGINE_VERSION
from lib.pdf_wire import dumps

MAX_ID = 2**63 - 1


class Version(NamedTuple):
    """The template text to print with, and the language it is written in."""

    id: int
    sha256: str
    language: str


@dataclass(frozen=True)
class Source:
    """What a document is made of. `assets` are SHA-256 by name; their bytes are read to render.

    `version` is None as long as the organization has no template at all.
    """

    invoice_id: int
    organization_id: int
    context: dict[str, Any]
    version: Version | None
    watermark: str | None = None
    assets: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that decides about the PDF's bytes (PDF-1)."""
        parts = [self.context, self.version, self.watermark, dict(self.assets), ENGINE_VERSION]
        return hashlib.sha256(dumps(parts).encode()).hexdigest()


_HEAD = (
    "id", "organization_id", "customer_id", "state", "void", "payment_status", "number",
    "client_number", "series__prefix", "title", "start_date", "end_date", "issue_date",
    "accrual_date", "due_date", "total_amount", "total_tax", "gross_value", "payment_value",
    "notes", "emitted_at", "contract__title", "contract__name", "customer_snapshot_id",
    "organization_snapshot_id", "template_version_id", "template_version__sha256",
    "template_version__template__language",
)  # fmt: skip
_HEADS = CompiledQuery(
    lambda account_id, pk: Invoice.objects.filter(account_id=account_id, pk=pk).values_list(*_HEAD),
    n_parameters=2,
)
# Apart from the head: planning two more joins takes PostgreSQL longer than another question.
_SNAPSHOTS = CompiledQuery(
    lambda one, other: PartySnapshot.objects.filter(Q(pk=one) | Q(pk=other)).values_list(
        "id", "data"
    ),
    n_parameters=2,
)
_LINES = CompiledQuery(
    lambda invoice_id: (
        InvoiceLine.objects.filter(invoice_id=invoice_id)
        .order_by("position")
        .values_list(*Line._fields)
    )
)
_RECEIVABLES = CompiledQuery(
    lambda invoice_id: (
        Receivable.objects.filter(invoice_id=invoice_id)
        .order_by("position")
        .values_list(*Parcel._fields)
    )
)
_TEMPLATES = CompiledQuery(
    lambda organization_id: (
        DocumentTemplate.objects.filter(
            organization_id=organization_id, active_version__isnull=False
        )
        .order_by("id")
        .values_list("is_default", "language", "active_version_id", "active_version__sha256")
    )
)


_WITHHELD = CompiledQuery(
    lambda invoice_id: (
        InvoiceWithholding.objects.filter(invoice_id=invoice_id, withheld__gt=0)
        .order_by("id")
        .values_list("tax", "rate", "withheld")
    )
)


def _withheld(head: Head) -> list[Withheld]:
    if head.gross_value == head.payment_value:
        return []
    return [Withheld(*row) for row in _WITHHELD.rows(head.id)]


def invoice_source(invoice_id: int, account: Account) -> Source:
    """Read an invoice of `account` for printing. Raises NotFound.

    Four queries when emitted, one more as long as no template is pinned, and for withholdings.
    """
    head = _head(invoice_id, account)
    parties = _parties(head)
    version = _version(head, str(parties.customer.get("language") or ""))
    context = variables(
        head,
        [Line(*row) for row in _LINES.rows(head.id)],
        [Parcel(*row) for row in _RECEIVABLES.rows(head.id)],
        parties,
        zone=ZoneInfo(account.time_zone),
        withheld=_withheld(head),
    )
    context["language"] = version.language if version else FALLBACK_LANGUAGE
    # ux §1.5: on every PDF of a sandbox installation, and of a sandbox tenant in production.
    context["sandbox"] = account.is_sandbox or settings.AMBIENTE != "producao"
    logo = parties.organization.get("logo_sha256")
    return Source(
        invoice_id=head.id,
        organization_id=head.organization_id,
        context=context,
        version=version,
        watermark=watermark(head),
        assets={LOGO: logo} if logo else {},
    )


def read_assets(source: Source) -> dict[str, bytes]:
    """The bytes behind the source's assets; one that is not kept is missing.

    An emitted invoice's logo is among the kept assets; a draft's is still the profile's.
    """
    digest = source.assets.get(LOGO)
    if digest is None:
        return {}
    kept = Asset.objects.filter(
        account__in=Party.objects.filter(pk=source.organization_id).values("account"),
        sha256=digest,
    )
    current = OrganizationProfile.objects.filter(party_id=source.organization_id)
    for (data,) in (*kept.values_list("data"), *current.values_list("logo")):
        if data and hashlib.sha256(data).hexdigest() == digest:
            return {LOGO: bytes(data)}
    return {}


# --- reading ---------------------------------------------------------------------------------


def _head(invoice_id: int, account: Account) -> Head:
    if not 0 < invoice_id <= MAX_ID:
        raise NotFound()
    rows = _HEADS.rows(account.pk, invoice_id)
    if not rows:
        raise NotFound()
    return Head(*rows[0])


def _parties(head: Head) -> Parties:
    """Customer and organization: frozen once emitted, before that as they are now."""
    customer, organization = head.customer_snapshot_id, head.organization_snapshot_id
    if customer is not None and organization is not None:
        data = dict(_SNAPSHOTS.rows(customer, organization))
        return Parties(data[customer], data[organization])
    ids = (head.customer_id, head.organization_id)
    found = Party.objects.select_related("profile").in_bulk(ids)
    return Parties(*(party_data(found[pk]) for pk in ids))


def _version(head: Head, language: str) -> Version | None:
    """The pinned version, else the organization's active one for the language (TPL-3)."""
    if head.version_id is not None:
        return Version(head.version_id, head.version_sha256 or "", head.version_language or "")
    rows = _TEMPLATES.rows(head.organization_id)
    # An organization may have deactivated its default: any template is better than none.
    chosen = [row for row in rows if row[0]] or rows
    versions = [Version(pk, sha256, of) for _, of, pk, sha256 in chosen]
    # Read backwards, so that of two templates in one language the oldest counts.
    places = {versions[n].language: n for n in reversed(range(len(versions)))}
    place = version_for(places, language)
    return None if place is None else versions[place]
