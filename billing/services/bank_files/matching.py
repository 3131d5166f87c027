"""Which boleto of ours a line of a retorno is of: some hundreds of lines at a time (§6.5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from billing.gateways.cnab.titles import Entry
from billing.models import BankAgreement, Charge

_COLUMNS = (
    "id", "state", "nosso_numero", "document_number", "amount", "fine", "interest", "due_date",
    "terms", "agreement__carteira", "receivable_id", "receivable__state",
    "receivable__open_principal", "receivable__due_date", "receivable__charged_until",
    "receivable__grace_until", "receivable__invoice_id",
    "receivable__invoice__organization_id", "replaced_by__id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A boleto of ours and what is open of its receivable, as the database has it now."""

    charge_id: int
    state: str
    nosso_numero: str
    document_number: str
    amount: Decimal
    fine: Decimal
    interest: Decimal
    due: date
    terms: dict[str, Any]
    carteira: str
    receivable_id: int
    receivable_state: str
    open_principal: Decimal
    receivable_due: date
    charged_until: date | None
    grace_until: date | None
    invoice_id: int
    organization_id: int
    replaced_by: int | None


class Matcher:
    """Finds boletos of the agreements that a file may be of."""

    def __init__(self, agreements: Sequence[BankAgreement]) -> None:
        assert agreements
        account_id = agreements[0].account_id
        self._charges = Charge.objects.filter(
            account_id=account_id,
            agreement__in=[one.pk for one in agreements],
            kind=Charge.Kind.BOLETO,
        )

    def find(self, entries: Sequence[Entry]) -> list[Known | None]:
        """For each entry its boleto: by number, then by our id, then by document and value."""
        found = self._by_number(entries)
        for search in (self._by_id, self._by_document):
            missing = [at for at, known in enumerate(found) if known is None]
            if missing:
                for at, known in zip(missing, search([entries[at] for at in missing]), strict=True):
                    found[at] = known
        return found

    def by_ids(self, ids: Iterable[int]) -> dict[int, Known]:
        """Charge id → what is known of it."""
        return {one.charge_id: one for one in self._known(pk__in=list(ids))}

    def _by_number(self, entries: Sequence[Entry]) -> list[Known | None]:
        numbers = {one.nosso_numero for one in entries if one.nosso_numero.strip("0")}
        found = defaultdict(list)
        for known in self._known(nosso_numero__in=numbers) if numbers else ():
            found[known.nosso_numero].append(known)
        return [_of_carteira(found.get(one.nosso_numero, ()), one.carteira) for one in entries]

    def _by_id(self, entries: Sequence[Entry]) -> list[Known | None]:
        """The file brings back what the remessa said in the company's own field."""
        ids = {pk for one in entries if (pk := _id(one.company_use)) is not None}
        found = self.by_ids(ids) if ids else {}
        known = [found.get(_id(one.company_use) or 0) for one in entries]
        return [
            one if one is not None and _is_ours(entry, one) else None
            for entry, one in zip(entries, known, strict=True)
        ]

    def _by_document(self, entries: Sequence[Entry]) -> list[Known | None]:
        """Only when one boleto alone has both."""
        documents = {one.document_number for one in entries if one.document_number.strip("0")}
        found = defaultdict(list)
        for known in self._known(document_number__in=documents) if documents else ():
            found[known.document_number, known.amount].append(known)
        answers = [found.get((one.document_number, one.value), []) for one in entries]
        return [same[0] if len(same) == 1 else None for same in answers]

    def _known(self, **conditions: Any) -> list[Known]:
        rows = self._charges.filter(**conditions).values_list(*_COLUMNS)
        return [Known(*row) for row in rows]


def _of_carteira(found: Sequence[Known], carteira: str) -> Known | None:
    """Two agreements of one account count their numbers apart: the carteira tells them apart.

    So does what another system issued in a carteira that we have no boletos of.
    """
    bare = carteira.lstrip("0")
    if bare or len(found) > 1:
        found = [one for one in found if one.carteira.lstrip("0") == bare]
    return found[0] if len(found) == 1 else None


def _is_ours(entry: Entry, known: Known) -> bool:
    """Another system has ids of its own in the company's field: document or value agree, too."""
    document = entry.document_number
    return entry.value == known.amount or (
        bool(document) and known.document_number.startswith(document)
    )


def _id(text: str) -> int | None:
    bare = text.strip()
    return int(bare) if bare.isascii() and bare.isdecimal() and len(bare) < 19 else None
