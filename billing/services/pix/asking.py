"""Asking a bank what became of a charge."""

from __future__ import annotations

from billing.gateways.pix.provider import PixProvider, PixRefused, PixUnavailable, Registered
from billing.models import Charge
from billing.services.pix.draft import kind_of


def known_at_bank(provider: PixProvider, charge: Charge) -> Registered | None:
    """The charge as the bank has it; None when it has none. Raises PixUnavailable.

    A question that is refused has told nothing of the charge: it is asked again later.
    """
    try:
        return provider.read(kind_of(charge), charge.txid)
    except PixRefused as error:
        raise PixUnavailable(str(error)) from error
