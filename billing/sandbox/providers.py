"""The one table of stand-ins: prefix of the address → class."""

from __future__ import annotations

from importlib import import_module

from billing.sandbox.wire import StandIn

PROVIDERS = {
    "boletos": "billing.sandbox.boletos.Boletos",
    "cep": "billing.sandbox.cep.Cep",
    "mailjet": "billing.sandbox.mailjet.Mailjet",
    "pix": "billing.sandbox.pix.Pix",
    "stripe": "billing.sandbox.stripe.provider.Stripe",
}


def provider_class(name: str) -> type[StandIn]:
    """Raises KeyError for a prefix that nobody has."""
    module, _, attribute = PROVIDERS[name].rpartition(".")
    found: type[StandIn] = getattr(import_module(module), attribute)
    return found
