"""Second pass, first half: each contract of the file against the database."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing.engine.schedule import Schedule, validate
from billing.engine.splitting import check_minimum, split_equal
from billing.models import Contract, InvoiceRule, Party, Readjustment, RuleService
from billing.services.imports.context import Context, Found
from billing.services.imports.lines import Section
from billing.services.imports.reading import Group, Priced, RuleGroup, br_number
from lib import br
from lib.money import NBSP, brl, half_up

# Keys of a section that are not columns of its own table.
CLAUSE_FIELDS = ("price_index", "readjust_on", "readjust_months")
CANCEL_FIELDS = ("cancel_date", "cancel_reason")
_TOO_MUCH = Decimal(10) ** 13


def compare(groups: Sequence[Group], found: Found, context: Context) -> None:
    """Fill each group with its rows and its changes, and refuse what cannot be imported."""
    for group in groups:
        _compare_customer(group, found, context)
        _compare_contract(group, found, context)
        _compare_rules(group, found, context)
    good = [group for group in groups if group.code not in context.reading.rejected]
    for group in good:
        for rule in group.rules.values():
            _price(group, rule, context)
    _keep_readjusted(good, found, context)
    for group in good:
        for rule in group.rules.values():
            _find_changes(group, rule, found, context)


def differences(row: Any, section: Section, *, but: Sequence[str] = ()) -> Section:
    """What the section says otherwise than the row; a blank cell says nothing."""
    return {
        name: value
        for name, value in section.items()
        if name not in but and getattr(row, name) != value
    }


# --- customer ------------------------------------------------------------------------------------


def _compare_customer(group: Group, found: Found, context: Context) -> None:
    code, document = group.customer_code, group.customer.get("document", "")
    by_code, by_document = found.by_code.get(code), found.by_document.get(document)
    group.party = by_code or by_document
    if by_code is not None and by_code.kind == Party.Kind.ORGANIZATION:
        message = "O código é de uma organização desta conta; use outro."
        context.refuse(group, group.line, "codigo_cliente", code, message)
    elif by_document is not None and by_document != by_code:
        _compare_document(group, by_code, by_document, context)
    elif by_code is not None and document and by_code.document not in ("", document):
        before = br.document_mask(by_code.document)
        _warn_once(group, context, "cnpj_cpf", document, f"O cliente tinha {before}; foi trocado.")


def _compare_document(
    group: Group, by_code: Party | None, by_document: Party, context: Context
) -> None:
    """The document is of a customer with another code; one without code takes this one."""
    if by_code is None and not by_document.external_code:
        return
    other = by_document.external_code or by_document.name
    context.refuse(
        group,
        group.line,
        "cnpj_cpf",
        br.document_mask(by_document.document),
        f"Já é de outro cliente: “{other}”. Use o código dele ou corrija o documento.",
    )


def _warn_once(group: Group, context: Context, column: str, value: str, message: str) -> None:
    if group.customer_code not in context.counted:
        context.warn(group.line, column, value, message)


# --- contract ------------------------------------------------------------------------------------


def _compare_contract(group: Group, found: Found, context: Context) -> None:
    row = group.existing = found.contracts.get(group.code)
    name = group.contract.get("name", "" if row else group.code)
    other = found.names.get(name)
    if other is not None and (row is None or other[0] != row.pk):
        message = f"Já existe outro contrato com este nome (código “{other[1] or '—'}”)."
        context.refuse(group, group.line, "contrato_nome", name, message)
    if row is None:
        return
    if row.organization_id != context.organization.pk or row.kind != Contract.Kind.SALE:
        message = "Já existe contrato com este código em outra organização, ou de compra."
        context.refuse(group, group.line, "codigo_contrato", group.code, message)
    elif group.customer_code and (group.party is None or row.party_id != group.party.pk):
        other_code = row.party.external_code or row.party.name
        message = f"O contrato “{group.code}” é do cliente “{other_code}”."
        context.refuse(group, group.line, "codigo_cliente", group.customer_code, message)
    elif row.status == Contract.Status.CANCELLED:
        _compare_cancelled(group, row, context)


def _compare_cancelled(group: Group, row: Contract, context: Context) -> None:
    """A cancelled contract is not touched again."""
    assert row.cancel_date is not None
    on, since = group.contract.get("cancel_date"), br.date_br(row.cancel_date)
    group.is_closed = True
    if on is None:
        message = f"O contrato foi cancelado em {since}; a linha não muda nada."
        context.warn(group.line, "codigo_contrato", group.code, message)
    elif on != row.cancel_date:
        message = f"O contrato já foi cancelado em {since}; use esta data."
        context.refuse(group, group.line, "cancelado_em", br.date_br(on), message)


# --- rules ---------------------------------------------------------------------------------------


def _compare_rules(group: Group, found: Found, context: Context) -> None:
    for code, rule in group.rules.items():
        row = rule.existing = found.rules.get(code)
        if row is not None and (group.existing is None or row.contract_id != group.existing.pk):
            other = row.contract_code or "sem código"  # type: ignore[attr-defined]
            message = f"O código já é de uma regra de outro contrato ({other}); use outro."
            context.refuse(group, rule.line, "codigo_regra", code, message)
        for line, section in rule.services:
            _compare_tax(group, line, section, context)


def _compare_tax(group: Group, line: int, section: Section, context: Context) -> None:
    """The catalogue's tax serves every contract, so a file does not change it."""
    known, given = context.items.get(section.get("name", "")), section.get("tax_percentage")
    if known is None or given is None or known[1] == given:
        return
    message = f"O serviço está no catálogo com {br_number(known[1])}%. Mude lá, ou deixe em branco."
    context.refuse(group, line, "imposto_percent", br_number(given), message)


def _price(group: Group, rule: RuleGroup, context: Context) -> None:
    """LINE-1 for each service, and totals that can be collected (SPLIT-3)."""
    for line, section in rule.services:
        units, unit_value = section["units"], section["unit_value"]
        value = half_up(units * unit_value)
        description = section.get("description", "")
        rule.priced.append(Priced(section["name"], description, units, unit_value, value))
        if abs(value) >= _TOO_MUCH:
            context.refuse(
                group, line, "valor_unitario", br_number(unit_value), "Valor alto demais."
            )
            return
    if rule.total >= _TOO_MUCH:
        context.refuse(group, rule.line, "valor_unitario", _plain(rule.total), "Total alto demais.")
    elif rule.total < 0:
        message = "O total da regra é negativo: os descontos passam dos serviços."
        context.refuse(group, rule.line, "valor_unitario", _plain(rule.total), message)
    elif rule.total == 0:
        context.warn(rule.line, "valor_unitario", "", "O total da regra é zero.")
    else:
        _check_parcels(group, rule, context)


def _check_parcels(group: Group, rule: RuleGroup, context: Context) -> None:
    parcels = rule.section.get("parcel_number") or 1
    try:
        check_minimum(split_equal(rule.total, parcels), minimum=context.minimum)
    except ValueError as error:
        context.refuse(group, rule.line, "parcelas", str(parcels), f"{error}.")


def _plain(value: Decimal) -> str:
    return brl(value).replace(NBSP, " ")


def _keep_readjusted(groups: Sequence[Group], found: Found, context: Context) -> None:
    """A price that a readjustment has replaced since is no change: importing again keeps the new.

    Prices are told apart by what each executed readjustment noted as "antes" (IDX-6).
    """
    changed = {
        rule.existing.pk: rule
        for group in groups
        for rule in group.rules.values()
        if rule.existing is not None
        and rule.priced != [_priced(row) for row in found.services.get(rule.existing.pk, [])]
    }
    if not changed:
        return
    executed = Readjustment.objects.of(context.account).filter(
        rule_id__among=changed, outcome=Readjustment.Outcome.EXECUTED
    )
    replaced = {
        (rule_id, value.get("servico"), Decimal(value["antes"]))
        for rule_id, values in executed.values_list("rule_id", "values")
        for value in values
    }
    if replaced:
        for pk, rule in changed.items():
            _keep_prices(rule, found.services.get(pk, []), replaced, context)


def _keep_prices(
    rule: RuleGroup,
    rows: list[RuleService],
    replaced: set[tuple[int, str | None, Decimal]],
    context: Context,
) -> None:
    for at, (mine, row) in enumerate(zip(rule.priced, rows, strict=False)):
        old = (row.rule_id, str(row.service_item_id), mine.unit_value)
        if mine.name != row.service_item.name or mine.units != row.units or old not in replaced:
            continue
        rule.priced[at] = mine._replace(unit_value=row.unit_value, value=row.value)
        context.warn(
            rule.services[at][0],
            "valor_unitario",
            br_number(mine.unit_value),
            f"O preço já foi reajustado para {_plain(row.unit_value)} e assim ficou.",
        )


def _priced(row: RuleService) -> Priced:
    return Priced(row.service_item.name, row.description, row.units, row.unit_value, row.value)


def _find_changes(group: Group, rule: RuleGroup, found: Found, context: Context) -> None:
    row = rule.existing
    if row is None or group.is_closed:
        return
    rule.changes = differences(row, rule.section, but=CLAUSE_FIELDS)
    before = [_priced(service) for service in found.services.get(row.pk, [])]
    rule.has_new_services = rule.priced != before
    if row.gross_value != rule.total:
        rule.changes["gross_value"] = rule.total
    if not rule.changes and not rule.has_new_services:
        return
    if row.status == InvoiceRule.Status.ENDED:
        message = "A regra está encerrada e não muda mais; use outro código de regra."
        context.refuse(group, rule.line, "codigo_regra", row.external_code, message)
        return
    _check_schedule(group, rule, row, context)


def _check_schedule(group: Group, rule: RuleGroup, row: InvoiceRule, context: Context) -> None:
    """The new dates with the old end, which a blank cell keeps."""
    section = rule.section
    end = section.get("end_date", row.end_date)
    schedule = Schedule(
        section["init_date"], section["period_unit"], section["month_quantity"], end
    )
    faults = [message for _, message in validate(schedule)]
    if end is not None and end < schedule.init_date:
        faults.append("termina antes de começar")
    for message in faults:
        shown = br.date_br(end) if end else ""
        context.refuse(group, rule.line, "ultima_emissao", shown, f"O intervalo {message}.")
