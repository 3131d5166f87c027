"""What a person decides about a line that found no boleto: its parcel, its customer, or nothing."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import CannotResolveLine, fault
from billing.models import CnabRecord, Party, Receivable
from billing.services.bank_files.results import QUEUED
from lib.errors import NotFound

Resolution = CnabRecord.Resolution
NO_NOTE = "Informe o motivo."
NO_MONEY = "Esta linha não tem valor pago."


def waits(line: CnabRecord) -> bool:
    """May a person decide about it? Of a remessa's lines, and of what is applied, there is none."""
    return line.result in QUEUED and line.applied_at is None


@transaction.atomic
def link(
    record_id: int, *, account: Account, actor: Actor, receivable_id: int, note: str = ""
) -> CnabRecord:
    """The money is of this parcel; applying the file puts it there, and the rest is credit.

    Raises NotFound, CannotResolveLine, or InvalidInput for a line without money.
    """
    line = _lock(account, record_id)
    _check_money(line)
    line.receivable = Receivable.objects.get_of(account, pk=receivable_id)
    line.resolution, line.customer = Resolution.LINKED, None
    return _keep(line, account, actor, note)


@transaction.atomic
def credit(
    record_id: int, *, account: Account, actor: Actor, customer_id: int, note: str = ""
) -> CnabRecord:
    """The money is this customer's; applying the file makes it credit. Raises as `link`."""
    line = _lock(account, record_id)
    _check_money(line)
    line.customer = Party.objects.get_of(account, pk=customer_id)
    if line.customer.kind == Party.Kind.ORGANIZATION:
        raise NotFound()
    line.resolution, line.receivable = Resolution.CREDITED, None
    return _keep(line, account, actor, note)


@transaction.atomic
def ignore(record_id: int, *, account: Account, actor: Actor, note: str) -> CnabRecord:
    """Nothing is to be done; `note` says why. Raises NotFound, CannotResolveLine, InvalidInput."""
    if not note.strip():
        raise fault("note", NO_NOTE)
    line = _lock(account, record_id)
    line.resolution, line.receivable, line.customer = Resolution.IGNORED, None, None
    return _keep(line, account, actor, note)


def _lock(account: Account, record_id: int) -> CnabRecord:
    """A line that waits for a decision; a decision that is not applied may be changed."""
    line: CnabRecord | None = (
        CnabRecord.objects.select_for_update().filter(account=account, pk=record_id).first()
    )
    if line is None:
        raise NotFound()
    if not waits(line):
        raise CannotResolveLine()
    return line


def _check_money(line: CnabRecord) -> None:
    if line.paid <= 0:
        raise fault("resolution", NO_MONEY)


def _keep(line: CnabRecord, account: Account, actor: Actor, note: str) -> CnabRecord:
    line.note = note.strip()[:500]
    line.save(update_fields=["resolution", "receivable", "customer", "note"])
    after = {
        "linha": line.line, "decisao": line.resolution, "parcela": line.receivable_id,
        "cliente": line.customer_id, "motivo": line.note,
    }  # fmt: skip
    record(account, actor=actor, action="cnab.linha_resolvida", target=line, after=after)
    return line
