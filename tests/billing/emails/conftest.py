"""The stand-in of Mailjet for every test of e-mails."""

from support.payment_sandbox import _running_providers, providers

__all__ = ["_running_providers", "providers"]
