"""Boletos are registered at the stand-in of the providers."""

from __future__ import annotations

import pytest
from support.payment_sandbox import _running_providers, providers

from billing.gateways.boleto import registrar_http

__all__ = ["_running_providers", "providers"]


@pytest.fixture(autouse=True)
def _providers_are_near(settings):
    """The stand-in is on this machine, and knows no token of another test."""
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    registrar_http._tokens.clear()
