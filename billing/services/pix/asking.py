"""Asking a bank what became of a charge."""

from __future__ import annotations

from billing.gateways.pix.provider import PixProvider, PixRefused, PixUnavailable, Registered
from billing.models import Charge
from billing.services.pix.draft import kind_of

ANOTHER = "O banco respondeu sobre outra cobrança."


def known_at_bank(provider: PixProvider, charge: Charge) -> Registered | None:
    """The charge as the bank has it; None when it has none. Raises PixUnavailable.

    A question that is refused has told nothing of the charge: it is asked again later.
    """
    try:
        found = provider.read(kind_of(charge), charge.txid)
    except PixRefused as error:
        raise PixUnavailable(str(error)) from error
    return None if found is None else about(charge, found)


def about(charge: Charge, found: Registered) -> Registered:
    """An answer that is about the charge. Raises PixUnavailable for one about another."""
    if found.txid != charge.txid:
        raise PixUnavailable(ANOTHER)
    return found
