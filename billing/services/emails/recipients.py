"""To whom an e-mail about an invoice goes (EM-1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parseaddr

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import Account
from billing.errors import EmailNoContact, EmailSuppressed
from billing.models import Contact, EmailSuppression, InvoiceLink, Party

_SEPARATORS = re.compile(r"[,;\s]+")
_OF_A_LIST = re.compile(r"[,;]")
_LONGEST = 254  # RFC 5321, §4.5.3.1.3


@dataclass(frozen=True)
class Recipient:
    """An address, bare; the contact whose it is, where one is known; what its link allows."""

    address: str
    contact: Contact | None = None
    is_copy: bool = False
    scopes: tuple[str, ...] = InvoiceLink.SCOPES


def recipients_of(customer: Party, *, cc: str = "") -> list[Recipient]:
    """Everybody with the role of billing, else the main contact; then the copies. Each once.

    The customer's list of billing addresses is of that role too, and its own address stands for
    the main contact that it does not have. Raises EmailNoContact, EmailSuppressed.
    """
    main = addresses_of(customer)
    if not main:
        raise EmailNoContact()
    everybody = _each_once([*main, *_copies(cc)])
    barred = _barred(customer, everybody)
    if barred.issuperset(one.address.lower() for one in main):
        raise EmailSuppressed([one.address for one in main])
    return [one for one in everybody if one.address.lower() not in barred]


def addresses_of(customer: Party, *, only_billing: bool = False) -> list[Recipient]:
    """Whom invoices would go to, suppressed or not; `only_billing` leaves the main contact out."""
    found = _billing(customer)
    return _each_once(found if only_billing else found or _primary(customer))


def billing_addresses(customer: Party) -> list[str]:
    """The addresses with the role of billing, each once; without any the customer's."""
    return [one.address for one in _each_once(_billing(customer) or _primary(customer))]


def check_address(account: Account, address: str) -> None:
    """Raises EmailSuppressed for an address that gets nothing more."""
    rows = EmailSuppression.objects.of(account).filter(address=address.lower())
    if rows.exists():
        raise EmailSuppressed([address])


def is_address(text: str) -> bool:
    """A bare address that servers take."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= _LONGEST


def _billing(customer: Party) -> list[Recipient]:
    contacts = Contact.objects.filter(party=customer, is_billing=True).order_by("pk")
    listed = _SEPARATORS.split(customer.billing_contacts)
    return [*_of_contacts(contacts), *(Recipient(one) for one in listed if is_address(one))]


def _primary(customer: Party) -> list[Recipient]:
    contacts = Contact.objects.filter(party=customer, is_primary=True).order_by("pk")
    own = customer.email.strip()
    return _of_contacts(contacts)[:1] or ([Recipient(own)] if is_address(own) else [])


def _of_contacts(contacts: Iterable[Contact]) -> list[Recipient]:
    found = [(contact.email.strip(), contact) for contact in contacts]
    return [Recipient(address, contact) for address, contact in found if is_address(address)]


def _copies(cc: str) -> list[Recipient]:
    found = (parseaddr(one.strip())[1] for one in _OF_A_LIST.split(cc))
    return [Recipient(one, is_copy=True) for one in found if is_address(one)]


def _each_once(found: Iterable[Recipient]) -> list[Recipient]:
    """By address without case; the first one counts."""
    kept: dict[str, Recipient] = {}
    for one in found:
        kept.setdefault(one.address.lower(), one)
    return list(kept.values())


def _barred(customer: Party, found: Iterable[Recipient]) -> set[str]:
    addresses = [one.address.lower() for one in found]
    rows = EmailSuppression.objects.of(customer.account).filter(address__in=addresses)
    return set(rows.values_list("address", flat=True))
