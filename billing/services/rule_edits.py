"""Rules as integrators write them, created, changed and deleted with their invoices (§6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.models import (
    Attachment,
    Contract,
    Invoice,
    InvoiceRule,
    RuleService,
    ScheduledUpdate,
)
from billing.selectors.contracts import settled_invoices
from billing.services import outbox
from billing.services.attachments import drop_files
from billing.services.materialise import Materialised, materialise
from billing.services.option_values import apply_options, option_faults
from billing.services.planning import billable_rules, horizon_of, load_terms
from billing.services.references import check_references
from billing.services.rule_parts import (
    Parts,
    compose_services,
    compose_updates,
    total_of,
    update_faults,
    write_services,
    write_updates,
)
from billing.services.rule_templates import rule_values_from_template
from billing.services.rule_terms import (
    BLANK,
    DUE,
    SCHEDULE,
    apply_due_terms,
    apply_gross_value,
    apply_schedule,
    check_node_id,
    parcel_faults,
    restart,
)
from billing.services.rules import reapply_rule, rewritable
from lib import clock
from lib.errors import Conflict, FieldError, InvalidInput

# A body with one of these makes the invoices anew (§6.3).
_RESCHEDULES = (SCHEDULE, DUE, "charge_type")
# These change nothing that an invoice has copied.
_OF_THE_RULE_ALONE = ("notify_customer", "apply_negative_updates", "scheduled_updates")
_FLAGS = ("notify_customer", "apply_negative_updates")


class InactiveContract(Conflict):
    mensagem = "O contrato está inativo."


@dataclass(frozen=True)
class Edited:
    """A rule after a request, and what the request made of its schedule."""

    rule: InvoiceRule
    invoices: Materialised


@dataclass
class _Draft:
    """The rule and its lists as they would be, with everything that is wrong with them."""

    rule: InvoiceRule
    services: Parts[RuleService]
    updates: Parts[ScheduledUpdate]
    faults: list[FieldError] = field(default_factory=list)


@transaction.atomic
def create_rule(
    values: Mapping[str, Any],
    *,
    contract_id: int,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Edited:
    """Create a rule, maybe from a preset, and the invoices of its first block (DECISIONS 1).

    `faults` were found while reading; all faults are refused together. Raises NotFound,
    InactiveContract or InvalidInput.
    """
    contract = _locked_contract(contract_id, account)
    check_references(account, values)
    if contract.status == Contract.Status.CANCELLED:
        raise InactiveContract()
    found = list(faults)
    if values.get("invoice_template_id") is not None:
        template_id = values["invoice_template_id"]
        values, missing = rule_values_from_template(account, template_id, values)
        if missing:
            raise InvalidInput(erros=found + missing)
    draft = _compose(InvoiceRule(account=account, contract=contract), values, found)
    restart(draft.rule)
    _write(draft)
    done = materialise(account, rule_ids=[draft.rule.pk])
    _refuse_parked(done)
    after = {"contrato": contract.pk, "campos": sorted(values), "faturas": done.created}
    record(account, actor=actor, action="regra.criada", target=draft.rule, after=after)
    return Edited(draft.rule, done)


@transaction.atomic
def update_rule(
    rule_id: int,
    values: Mapping[str, Any],
    *,
    contract_id: int,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Edited:
    """Change what was sent; the invoices not yet emitted follow (§6.3).

    Schedule and due terms make them anew; the rest is rewritten in those from today on, with an
    `update` notice each. Raises NotFound, InvalidInput, or Conflict for a rule that has ended.
    """
    contract = _locked_contract(contract_id, account)
    rule = _locked_rule(rule_id, contract, account)
    values = {name: value for name, value in values.items() if name != "invoice_template_id"}
    check_references(account, values)
    had_schedule = rule.init_date is not None
    draft = _compose(rule, values, list(faults))
    if not values:
        return Edited(rule, Materialised())
    _write(draft)
    done = _follow(rule, values, had_schedule=had_schedule)
    after = {"campos": sorted(values), "faturas": done.created}
    record(account, actor=actor, action="regra.alterada", target=rule, after=after)
    return Edited(rule, done)


@transaction.atomic
def delete_rule(rule_id: int, *, contract_id: int, account: Account, actor: Actor) -> None:
    """Delete a rule and its invoices still to come; the others stay, on their own (§6.3).

    An invoice that once had a number, bills transactions or has a note is among those that stay,
    since its number may not vanish (INV-8). Raises NotFound.
    """
    contract = _locked_contract(contract_id, account)
    rule = _locked_rule(rule_id, contract, account)
    ids = list(_deletable(rule).select_for_update().order_by("id").values_list("id", flat=True))
    drop_files(Attachment.objects.filter(invoice_id__among=ids))
    Invoice.objects.filter(id__among=ids).delete()
    detached = Invoice.objects.filter(rule=rule).update(rule=None)
    record(
        account,
        actor=actor,
        action="regra.excluida",
        target=rule,
        before={"contrato": contract.pk, "titulo": rule.title, "valor": rule.gross_value},
        after={"faturas_apagadas": len(ids), "faturas_mantidas": detached},
    )
    rule.delete()


def _deletable(rule: InvoiceRule) -> QuerySet[Invoice]:
    today = clock.today(rule.account.time_zone)
    return Invoice.objects.filter(
        rule=rule, state=Invoice.State.TO_EMIT, issue_date__gte=today, is_final=False
    ).exclude(pk__in=settled_invoices(rule.contract).values("pk"))


# The contract before the rule, as its cancellation does: nobody waits for the other crosswise.
def _locked_contract(contract_id: int, account: Account) -> Contract:
    contract: Contract = (
        Contract.objects.select_for_update(of=("self",), no_key=True)
        .select_related("organization__profile")
        .get_of(account, pk=contract_id)
    )
    return contract


def _locked_rule(rule_id: int, contract: Contract, account: Account) -> InvoiceRule:
    rule: InvoiceRule = InvoiceRule.objects.select_for_update(no_key=True).get_of(
        account, pk=rule_id, contract=contract
    )
    rule.contract, rule.account = contract, account
    return rule


# --- composing -----------------------------------------------------------------------------------


def _compose(rule: InvoiceRule, values: Mapping[str, Any], faults: list[FieldError]) -> _Draft:
    """Apply the values in memory. Raises NotFound, or InvalidInput with every fault."""
    for name in (SCHEDULE, DUE, "payment_information"):
        check_node_id(rule, values.get(name))
    services = compose_services(rule, values.get("services") or (), rule.account)
    updates = compose_updates(rule, values.get("scheduled_updates") or ())
    if services.kept:
        # Services decide the value: whatever was sent for it is not even looked at.
        faults = [one for one in faults if one.campo != "gross_value"]
    draft = _Draft(rule, services, updates, faults + services.faults + updates.faults)
    draft.faults += _apply(draft, values)
    if draft.faults:
        raise InvalidInput(erros=draft.faults)
    return draft


def _apply(draft: _Draft, values: Mapping[str, Any]) -> list[FieldError]:
    rule, services = draft.rule, draft.services
    before = rule.gross_value, rule.parcel_number
    apply_options(rule, values)
    for name in _FLAGS:
        if values.get(name) is not None:
            setattr(rule, name, values[name])
    faults = _text_faults(rule, values) + _option_faults(rule, values)
    if SCHEDULE in values:
        faults += apply_schedule(rule, values[SCHEDULE])
    if rule.pk is None or DUE in values or "charge_type" in values:
        faults += apply_due_terms(rule, values)
    if rule.pk is None or "services" in values or "scheduled_updates" in values:
        faults += update_faults(draft.updates.kept, services.kept)
    if services.faults:
        return faults  # a sum without its parts says nothing
    total = total_of(services.kept) if services.kept else None
    faults += apply_gross_value(rule, values, services_total=total)
    is_split_again = (rule.gross_value, rule.parcel_number) != before or rule.pk is None
    return faults + (parcel_faults(rule) if is_split_again else [])


def _text_faults(rule: InvoiceRule, values: Mapping[str, Any]) -> list[FieldError]:
    """Texts are demanded of whoever writes them: rules that staff made may lack one."""
    names = [n for n in ("description", "nfe_body") if rule.pk is None or n in values]
    return [FieldError(n, BLANK) for n in names if not (values.get(n) or "").strip()]


def _option_faults(rule: InvoiceRule, values: Mapping[str, Any]) -> list[FieldError]:
    """The same for an automatic rule without its e-mail."""
    found = option_faults(rule, values)
    key = "automatic_email_template_id"
    if rule.pk is None or key in values or "management_type" in values:
        return found
    return [one for one in found if one.campo != key]


# --- writing -------------------------------------------------------------------------------------


def _write(draft: _Draft) -> None:
    draft.rule.save()
    write_services(draft.rule, draft.services)
    write_updates(draft.rule, draft.updates)


def _follow(rule: InvoiceRule, values: Mapping[str, Any], *, had_schedule: bool) -> Materialised:
    """The rule's invoices after it changed; a rule that never had a schedule has none."""
    if any(name in values for name in _RESCHEDULES):
        if not had_schedule and rule.init_date is None:
            return Materialised()
        done = reapply_rule(rule.pk, account=rule.account)
        if not done.created:
            done.add(_carry_on(rule))
        _refuse_parked(done)
        return done
    if rule.init_date is not None and not set(values) <= set(_OF_THE_RULE_ALONE):
        today = clock.today(rule.account.time_zone)
        reapply_rule(rule.pk, account=rule.account, reschedule=False, today=today)
        _announce(rule, today)
    return Materialised()


def _carry_on(rule: InvoiceRule) -> Materialised:
    """An old rule's first block lies in the past: go on to where the nightly run would take it."""
    account = rule.account
    rules = billable_rules(account).filter(pk=rule.pk)
    terms = next(iter(load_terms(rules)), None)
    if terms is None:
        return Materialised()
    limit = horizon_of(terms, account=account, today=clock.today(account.time_zone))
    return materialise(account, rule_ids=[rule.pk], limit=limit)


def _announce(rule: InvoiceRule, today: date) -> None:
    """One `update` for each invoice that was rewritten."""
    contract = rule.contract
    ids = rewritable(rule, today=today).order_by("id").values_list("id", flat=True)
    outbox.announce_many(
        rule.account_id,
        outbox.Event.UPDATE,
        invoices=[(pk, contract.pk, contract.token) for pk in ids],
        at=clock.now(),
    )


def _refuse_parked(done: Materialised) -> None:
    """What the engine cannot bill is not kept either. Its schedule, due terms and amounts were
    judged before, so this is the last net, under the whole object's key."""
    for why in done.parked.values():
        raise InvalidInput(erros=[FieldError("base", why)])
