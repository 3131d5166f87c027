"""Which fiscal company issues for an organization: the one of its CNPJ (DECISIONS 14)."""

from __future__ import annotations

from collections.abc import Iterable

from billing.models import Party
from fiscal.models import Company


def issuers_of(organizations: Iterable[Party]) -> dict[int, Company]:
    """Organization id → its company, where there is one. One query."""
    wanted = {party.pk: (party.account_id, party.document) for party in organizations}
    documents = {document for _, document in wanted.values() if document}
    if not documents:
        return {}
    rows = Company.objects.filter(cnpj__in=documents, removed_at=None)
    found = {(row.account_id, row.cnpj): row for row in rows}
    return {pk: found[key] for pk, key in wanted.items() if key in found}
