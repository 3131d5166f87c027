"""Invoices as integrators write them (billing-api §2.8, §6.1, §6.11): create, change, delete.

All faults of a request are refused together, and a refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, models, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import InUse
from billing.models import Contract, Invoice
from billing.services.attachments import drop_files, save_attachments
from billing.services.drafts import minimum_receivable
from billing.services.invoice_lines import write_services
from billing.services.invoice_parcels import follow_invoice, split_amounts, write_receivables
from billing.services.invoice_plan import Plan, draft_of, plan_edit, plan_invoice
from billing.services.invoice_values import check_allowed, refold
from billing.services.invoices import create_invoice
from billing.services.outbox import Event, announce
from billing.services.references import check_references
from billing.services.rule_templates import invoice_values_from_template
from lib import clock
from lib.errors import FieldError, InvalidInput, NotFound
from lib.locks import hold

_DELETABLE = (Invoice.State.TO_EMIT, Invoice.State.CANCELLED)


class CannotDelete(InUse):
    mensagem = "Não foi possível apagar este faturamento."


@transaction.atomic
def create_from_values(
    values: Mapping[str, Any],
    *,
    contract_id: int,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Invoice:
    """Create an invoice of a contract, also of an inactive one (question 36).

    `faults` were found while reading. Raises NotFound for a contract, service or preset of another
    account, or InvalidInput with every fault.
    """
    contract = _held_contract(contract_id, account)
    check_references(account, values)
    values, wrong = _with_template(account, values)
    plan = plan_invoice(contract, values, account=account)
    _refuse(plan, [*faults, *wrong])
    draft = draft_of(plan, approval=values.get("approval_status"))
    invoice = create_invoice(draft, account=account, actor=actor)
    if files := values.get("attachments"):
        save_attachments(invoice, files, account=account, actor=actor, faults=[])
    return invoice


@transaction.atomic
def update_from_values(
    invoice_id: int,
    values: Mapping[str, Any],
    *,
    contract_id: int,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Invoice:
    """Change what was sent; if that makes a difference, integrators are told.

    Raises NotFound (also for nested ids of another invoice), InvalidInput with every fault, or
    CannotChange when the state forbids one of the changes.
    """
    invoice = _locked(invoice_id, contract_id, account)
    check_references(account, values)
    plan = plan_edit(invoice, values)
    _refuse(plan, faults)
    files = values.get("attachments")
    changed = [*plan.changed(), *(["attachments"] if files else [])]
    if not changed:
        return invoice
    check_allowed(invoice, changed)
    _save(plan)
    if files:
        save_attachments(invoice, files, account=account, actor=actor, faults=[])
    announce(invoice, Event.UPDATE)
    before, after = plan.difference()
    after["campos"] = sorted(changed)
    record(
        account, actor=actor, action="fatura.alterada", target=invoice, before=before, after=after
    )
    return invoice


@transaction.atomic
def delete_invoice(invoice_id: int, *, contract_id: int, account: Account, actor: Actor) -> None:
    """Delete an invoice that was never emitted; its rule does not create the occurrence again.

    Raises NotFound, or CannotDelete: a number once given may not vanish (INV-8), nor may what was
    billed of a customer's transactions.
    """
    invoice = _locked(invoice_id, contract_id, account)
    if invoice.state not in _DELETABLE or invoice.number is not None:
        raise CannotDelete()
    drop_files(invoice.attachments.all())
    before = {"title": invoice.title, "total": invoice.gross_value}
    record(account, actor=actor, action="fatura.excluida", target=invoice, before=before)
    try:
        with transaction.atomic():
            invoice.delete()
    except (models.ProtectedError, IntegrityError) as error:
        raise CannotDelete() from error


# --- details -----------------------------------------------------------------------------------


def _held_contract(contract_id: int, account: Account) -> Contract:
    """The account's contract, which nobody deletes before the commit. Raises NotFound."""
    for contract in hold(Contract.objects.of(account).filter(pk=contract_id)):
        return contract
    raise NotFound()


def _locked(invoice_id: int, contract_id: int, account: Account) -> Invoice:
    """The contract's invoice, locked until the commit, with what an edit reads. Or NotFound."""
    invoices = Invoice.objects.select_for_update(of=("self",)).select_related(
        "account", "contract", "customer", "organization__profile"
    )
    invoice: Invoice = invoices.get_of(account, pk=invoice_id, contract_id=contract_id)
    return invoice


def _with_template(
    account: Account, values: Mapping[str, Any]
) -> tuple[Mapping[str, Any], list[FieldError]]:
    """The values of the single-use preset, if one was named, overridden by those sent (§6.10)."""
    template_id = values.get("invoice_template_id")
    if template_id is None:
        return values, []
    return invoice_values_from_template(account, template_id, values)


def _refuse(plan: Plan, faults: Sequence[FieldError]) -> None:
    """Raise InvalidInput if anything is wrong; with services, a gross value may be anything."""
    is_priced = bool(plan.services.services)
    read = [fault for fault in faults if not (is_priced and fault.campo == "gross_value")]
    if found := [*read, *plan.faults]:
        raise InvalidInput(erros=found)


def _save(plan: Plan) -> None:
    """Write a change that is allowed; the rule leaves an edited invoice alone from now on."""
    invoice, parcels = plan.invoice, plan.parcels
    if plan.is_repriced or parcels.is_split_again:
        minimum = minimum_receivable(invoice.organization)
        if wrong := split_amounts(invoice, parcels.rows, minimum=minimum):
            raise InvalidInput(erros=wrong)
    invoice.due_date = parcels.rows[0].due_date
    invoice.edited_by_hand = True
    refold(invoice)
    invoice.save()
    if plan.services.is_touched:
        write_services(plan.services)
    if plan.is_repriced or parcels.is_touched:
        write_receivables(invoice, parcels, at=clock.now())
    if plan.invoice.issue_date != parcels.rows[0].invoice_date:
        follow_invoice(invoice)
