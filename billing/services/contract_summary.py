"""What the printed summary of a contract says (P12)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.documents.contract import ContractSummary, Side
from billing.documents.templates import SANDBOX_TEXT
from billing.models import Contract, Party
from billing.selectors.contract_history import readjustments_of
from billing.selectors.customer_contracts import ContractRow, get_row
from lib.br import cep_mask, date_br, document_kind, document_mask
from lib.money import brl


def summary_of(contract: Contract, *, today: date) -> ContractSummary:
    """The contract as it stands on `today`."""
    row = get_row(contract.account, contract.party, contract.pk, today=today)
    return ContractSummary(
        number=str(contract.pk),
        title=contract.title or contract.name,
        sides=(_side("Fornecedor", contract.organization), _side("Cliente", contract.party)),
        facts=_facts(row),
        items=tuple(
            (one.name, _units(one.units), brl(one.unit_value), brl(one.value), one.every)
            for one in row.items
        ),
        readjustments=tuple(
            (
                date_br(one.on),
                one.index,
                f"{one.percent:.2f}%".replace(".", ","),
                "Aplicado" if one.was_applied else "Não aplicado: valor mantido",
            )
            for one in readjustments_of(contract)
        ),
        made_on=date_br(today),
        description=contract.description,
        mark="CANCELADO" if contract.status == Contract.Status.CANCELLED else "",
        notice=SANDBOX_TEXT if contract.account.is_sandbox else "",
    )


def _facts(row: ContractRow) -> tuple[tuple[str, str], ...]:
    contract = row.contract
    shown = [
        ("Situação", row.texto),
        ("Valor mensal", brl(row.monthly)),
        ("Cobrança", contract.get_charging_method_display()),
        ("Início", _day(contract.init_date)),
        ("Fim", _day(contract.end_date)),
        ("Próximo faturamento", _day(row.next_billing)),
        ("Próximo reajuste", f"{_day(row.next_update)} ({row.index})" if row.next_update else ""),
        ("Fidelidade até", _day(contract.minimum_term_until)),
        ("Cancelamento agendado para", _day(row.ending.effective_on) if row.ending else ""),
        ("Cancelado em", _day(contract.cancel_date)),
    ]
    return tuple((label, value) for label, value in shown if value)


def _day(day: date | None) -> str:
    return date_br(day) if day else ""


def _units(units: Decimal) -> str:
    """A quantity without the zeros that say nothing."""
    return f"{units.normalize():f}".replace(".", ",")


def _side(role: str, party: Party) -> Side:
    kind = document_kind(party.document)
    street = ", ".join(part for part in (party.address, party.number, party.complement) if part)
    town = "/".join(part for part in (party.city, party.state) if part)
    zipcode = f"CEP {cep_mask(party.zipcode)}" if party.zipcode else ""
    lines = (street, party.district, " – ".join(part for part in (town, zipcode) if part))
    return Side(
        role=role,
        name=party.company_name or party.name,
        document=f"{kind.upper()} {document_mask(party.document)}" if kind else party.document,
        lines=tuple(line for line in lines if line),
    )
