"""Which agreement with a bank an invoice is collected by."""

from __future__ import annotations

from billing.models import BankAgreement, ChargeTemplate, Invoice


def agreement_of(invoice: Invoice, template: ChargeTemplate | None) -> BankAgreement | None:
    """The active agreement of the template's bank account, else the organization's only one.

    None when there is nothing to issue a boleto with. Of two agreements of one bank account the
    older one is used; of two bank accounts none is guessed.
    """
    active = BankAgreement.objects.filter(
        account_id=invoice.account_id,
        is_active=True,
        financial_account__organization_id=invoice.organization_id,
    ).select_related("financial_account", "gateway")
    found = list(active.order_by("id"))
    if template is not None and template.financial_account_id is not None:
        found = [one for one in found if one.financial_account_id == template.financial_account_id]
        return found[0] if found else None
    return found[0] if len(found) == 1 else None


def is_online(agreement: BankAgreement) -> bool:
    """Registered by the bank's API, not by files."""
    return agreement.registration == BankAgreement.Registration.ONLINE
