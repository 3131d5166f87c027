"""Turn transactions that a person chose in a preview into one invoice (PF-6…PF-11)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import (
    DuplicatePeriod,
    GenerateDisabled,
    KeyReused,
    NegativeTotal,
    PreviewChanged,
    fault,
)
from billing.models import Invoice, Party, Transaction
from billing.selectors.proforma import (
    BILLABLE,
    default_title,
    mark,
    marks_of,
    overlapping_invoice,
    unbilled,
)
from billing.services.drafts import MAX_LINES, InvoiceDraft, LineDraft, write_invoice
from billing.services.invoices import put_in_force
from lib import clock
from lib.errors import FieldError, NotFound

# PF-11: without a key, the same request within this time is a double submission.
REPEAT_WINDOW = timedelta(minutes=10)
MAX_KEY = 80
MAX_ID = 2**63 - 1  # of the column


@dataclass(frozen=True)
class ProformaRequest:
    """The form as it was submitted.

    `fingerprint` is the preview's. `idempotency_key` is unique to each form shown; without it, the
    fingerprint with the same choices stands for it during ten minutes. `emit` false leaves the
    invoice to be emitted later.
    """

    customer_id: int
    start: date | None
    end: date | None
    due: date | None
    included_ids: Sequence[int]
    fingerprint: str
    organization_id: int | None = None
    title: str = ""
    idempotency_key: str = ""
    confirm_duplicate: bool = False
    emit: bool = True


@dataclass(frozen=True)
class _Form:
    """A request whose form is right: every date given, ids sorted and unique, key settled."""

    request: ProformaRequest
    start: date
    end: date
    due: date
    ids: tuple[int, ...]
    key: str
    today: date


def generate(
    request: ProformaRequest, *, account: Account, actor: Actor, today: date | None = None
) -> Invoice:
    """Bill the included transactions in one invoice, all or nothing; a repeat gets the first one.

    `today` is a date in the account's zone and becomes the issue date. Raises GenerateDisabled for
    the form, NotFound, PreviewChanged with the differences, NegativeTotal, DuplicatePeriod until
    confirmed, KeyReused.
    """
    form = _checked(request, today=today or clock.today(account.time_zone))
    try:
        return _generate(form, account, actor)
    except IntegrityError:
        # The customer's lock does not stop the same key in use for another customer right now.
        if not Invoice.objects.of(account).filter(idempotency_key=form.key).exists():
            raise
        raise KeyReused() from None


@transaction.atomic
def _generate(form: _Form, account: Account, actor: Actor) -> Invoice:
    at = clock.now()
    _lock_customer(form, account)
    first = _first_answer(form, account, at=at)
    if first is not None:
        return first
    rows = _lock_transactions(form, account)
    _check_amounts(rows)
    _check_period(form, account)
    left_out = _left_out(form, account)
    invoice = write_invoice(_draft(form, rows, account), account=account, at=at)
    Transaction.objects.filter(pk__among=form.ids).update(invoice=invoice)
    if form.request.emit:
        put_in_force(invoice, today=form.today)
    _record(invoice, account, actor, form.ids, left_out)
    return invoice


# --- the form ----------------------------------------------------------------------------------


def _checked(request: ProformaRequest, *, today: date) -> _Form:
    """PF-6: every reason that keeps the button off, at once."""
    erros = list(_form_faults(request, today))
    if erros:
        raise GenerateDisabled(" ".join(e.mensagem for e in erros), erros=erros)
    assert request.start
    assert request.end
    assert request.due
    ids = tuple(sorted(set(request.included_ids)))
    if ids[0] < 1 or ids[-1] > MAX_ID:
        raise NotFound()
    key = request.idempotency_key or _key_of(request, ids)
    return _Form(request, request.start, request.end, request.due, ids, key, today)


def _form_faults(request: ProformaRequest, today: date) -> Iterable[FieldError]:
    if not request.included_ids:
        yield FieldError("included_ids", "Selecione ao menos uma transação.")
    if len(request.included_ids) > MAX_LINES:
        yield FieldError("included_ids", "Selecione no máximo 10.000 transações.")
    if request.start is None:
        yield FieldError("start", "Informe a data de início.")
    if request.end is None:
        yield FieldError("end", "Informe a data de término.")
    if request.start and request.end and request.start > request.end:
        yield FieldError("start", "A data de início deve ser anterior ou igual à de término.")
    if request.due is None:
        yield FieldError("due", "Informe a data de vencimento.")
    elif request.due < today:
        yield FieldError("due", "A data de vencimento não pode ser anterior à data de emissão.")
    if len(request.title) > 200:
        yield FieldError("title", "O título deve ter até 200 caracteres.")
    if len(request.idempotency_key) > MAX_KEY:
        yield FieldError("idempotency_key", f"A chave deve ter até {MAX_KEY} caracteres.")


def _key_of(request: ProformaRequest, ids: Sequence[int]) -> str:
    """The key of a request that brought none: same preview, same choices, same key."""
    text = f"{request.customer_id}|{ids}|{request.fingerprint}"
    return f"proforma:{hashlib.sha256(text.encode()).hexdigest()}"


# --- repeats -----------------------------------------------------------------------------------


def _lock_customer(form: _Form, account: Account) -> None:
    """One generation per customer at a time: a double submission waits, then finds the first.

    no_key, because everybody else who bills this customer only needs the row to exist.
    """
    Party.objects.select_for_update(no_key=True).get_of(account, pk=form.request.customer_id)


def _first_answer(form: _Form, account: Account, *, at: datetime) -> Invoice | None:
    """The invoice that this very request made before (PF-11)."""
    invoice: Invoice | None = Invoice.objects.of(account).filter(idempotency_key=form.key).first()
    if invoice is None:
        return None
    if form.request.idempotency_key:
        if not _same_request(form, invoice):
            raise KeyReused()
        return invoice
    if not invoice.void and at - invoice.created_at <= REPEAT_WINDOW:
        return invoice
    # Void, its transactions may be billed again; old, the request is a new one. Free the key.
    Invoice.objects.filter(pk=invoice.pk).update(idempotency_key="")
    return None


def _same_request(form: _Form, invoice: Invoice) -> bool:
    ids = set(invoice.lines.values_list("transaction_id", flat=True))
    return invoice.customer_id == form.request.customer_id and ids == set(form.ids)


# --- the transactions --------------------------------------------------------------------------


def _lock_transactions(form: _Form, account: Account) -> list[Transaction]:
    """PF-7: the included rows, locked, oldest first; each still as the preview showed it.

    Raises NotFound for a row of another customer, PreviewChanged with every difference.
    """
    rows = list(
        Transaction.objects.select_for_update()
        .of(account)
        .filter(pk__among=form.ids)
        .order_by("id")  # two generations lock in the same order
    )
    if any(row.customer_id != form.request.customer_id for row in rows):
        raise NotFound()
    differences = _differences(form, account, rows)
    if differences:
        raise PreviewChanged(
            summary=_summary(differences),
            erros=[FieldError(str(pk), text) for pk, _, text in differences],
        )
    return sorted(rows, key=lambda row: (row.created_at, row.pk))


Difference = tuple[int, str, str]
_KINDS = {
    "billed": ("já faturada", "já faturadas"),
    "deleted": ("excluída", "excluídas"),
    "moved": ("fora do período", "fora do período"),
    "changed": ("alterada", "alteradas"),
}


def _differences(form: _Form, account: Account, rows: Sequence[Transaction]) -> list[Difference]:
    """(transaction id, kind, text for people) of each row that is not as it was shown."""
    marks = marks_of(form.request.fingerprint)
    labels = _labels({row.invoice_id for row in rows if row.invoice_id is not None})
    zone = ZoneInfo(account.time_zone)
    found: list[Difference] = []
    for row in rows:
        if row.invoice_id is not None:
            text = f"A transação {row.pk} já foi faturada na fatura {labels[row.invoice_id]}."
            found.append((row.pk, "billed", text))
        elif not form.start <= row.created_at.astimezone(zone).date() <= form.end:
            found.append((row.pk, "moved", f"A transação {row.pk} está fora do período."))
        elif row.kind not in BILLABLE or mark(row) not in marks:
            found.append((row.pk, "changed", f"A transação {row.pk} foi alterada."))
    gone = set(form.ids) - {row.pk for row in rows}
    found += [(pk, "deleted", f"A transação {pk} foi excluída.") for pk in gone]
    return sorted(found)


def _labels(invoice_ids: set[int]) -> dict[int, str]:
    if not invoice_ids:
        return {}
    invoices = Invoice.objects.filter(pk__in=invoice_ids).select_related("series")
    return {invoice.pk: invoice.label for invoice in invoices}


def _summary(differences: Sequence[Difference]) -> str:
    """ "3 já faturadas, 1 alterada"."""
    counts = Counter(kind for _, kind, _ in differences)
    return ", ".join(
        f"{counts[kind]} {one if counts[kind] == 1 else many}"
        for kind, (one, many) in _KINDS.items()
        if counts[kind]
    )


def _check_amounts(rows: Sequence[Transaction]) -> None:
    if sum((row.retail_cost + row.tax_amount for row in rows), Decimal(0)) < 0:
        raise NegativeTotal()


def _check_period(form: _Form, account: Account) -> None:
    if form.request.confirm_duplicate:
        return
    other = overlapping_invoice(
        account, customer_id=form.request.customer_id, start=form.start, end=form.end
    )
    if other is not None:
        raise DuplicatePeriod(other.label)


def _left_out(form: _Form, account: Account) -> list[int]:
    """Ids of the period's unbilled transactions that the person excluded, for the audit."""
    shown = unbilled(account, customer_id=form.request.customer_id, start=form.start, end=form.end)
    return sorted(set(shown.values_list("pk", flat=True)) - set(form.ids))


# --- the invoice -------------------------------------------------------------------------------


def _draft(form: _Form, rows: Sequence[Transaction], account: Account) -> InvoiceDraft:
    request = form.request
    return InvoiceDraft(
        organization_id=request.organization_id or _only_organization(account),
        customer_id=request.customer_id,
        title=request.title.strip() or default_title(form.start, form.end),
        issue_date=form.today,
        start_date=form.start,
        end_date=form.end,
        due_dates=[form.due],
        lines=[_line(row) for row in rows],
        idempotency_key=form.key,
    )


def _line(row: Transaction) -> LineDraft:
    return LineDraft(
        title=row.title,
        description=row.description,
        units=Decimal(1),
        unit_value=row.retail_cost,
        service_item_id=row.service_item_id,
        transaction_id=row.pk,
        tax_percentage=row.tax_percentage,
        tax_amount=row.tax_amount,
        occurred_at=row.created_at,
    )


def _only_organization(account: Account) -> int:
    ids = (
        Party.objects.of(account)
        .filter(kind=Party.Kind.ORGANIZATION)
        .values_list("pk", flat=True)[:2]
    )
    if len(ids) != 1:
        raise fault("organization_id", "Informe a organização que emite a fatura.")
    return int(ids[0])


def _record(
    invoice: Invoice,
    account: Account,
    actor: Actor,
    included: Sequence[int],
    left_out: Sequence[int],
) -> None:
    """ux B03: ids in and out, totals."""
    record(
        account,
        actor=actor,
        action="fatura.gerada",
        target=invoice,
        after={
            "number": invoice.label,
            "state": invoice.state,
            "included": list(included),
            "excluded": list(left_out),
            "subtotal": invoice.total_amount,
            "tax": invoice.total_tax,
            "total": invoice.gross_value,
        },
    )
