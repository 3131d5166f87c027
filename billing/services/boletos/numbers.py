"""Nosso número: each agreement counts its own, under a lock, and never twice (BO-2)."""

from __future__ import annotations

from datetime import date

from billing.errors import NumbersExhausted
from billing.gateways.boleto.bank import Bank, NossoNumero
from billing.models import BankAgreement, NossoNumeroRange


def take_nosso_numero(agreement: BankAgreement, bank: Bank, *, on: date) -> NossoNumero:
    """The next number of a boleto issued `on`, inside the caller's transaction.

    The lock is the last one to be taken: all boletos of the agreement meet here. Raises
    NumbersExhausted past the last number that the bank has.
    """
    key = {"agreement": agreement, "series": bank.series(on)}
    NossoNumeroRange.objects.get_or_create(**key, defaults={"account_id": agreement.account_id})
    row = NossoNumeroRange.objects.select_for_update().get(**key)
    try:
        number = bank.nosso_numero(agreement.terms, row.next_number, on=on)
    except OverflowError as error:
        raise NumbersExhausted() from error
    row.next_number += 1
    row.save(update_fields=["next_number"])
    return number
