"""The addresses that a customer's invoices go to: seen, added by their owner's word, removed (P18).

Whom a message goes to is decided by `emails.recipients` alone; here is what changes it.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.db import transaction
from django.urls import reverse

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import fault
from billing.models import Contact, EmailMessage, EmailSuppression, Party
from billing.services.emails.letters import send_letter
from billing.services.emails.recipients import addresses_of, is_address
from lib import clock
from lib.errors import Conflict, NotFound, RateLimited

LINK_DAYS = 7
ASKED_PER_DAY = 10
LETTER = "confirmar_email_cobranca"
KEEP_ONE = "Mantenha pelo menos um e-mail de cobrança."
KNOWN = "Este e-mail já recebe as faturas."
NOT_ONE = "Informe um e-mail válido, por exemplo nome@empresa.com.br."
_SALT = "billing.address"
_SEPARATORS = re.compile(r"[,;\s]+")
_LONGEST_TOKEN = 600


@dataclass(frozen=True)
class BillingAddress:
    """An address in use; `is_suppressed`: it bounced or unsubscribed, and gets nothing."""

    address: str
    name: str = ""
    is_suppressed: bool = False


class LinkExpired(Conflict):
    codigo = "billing_address_link_expired"
    mensagem = "Este link expirou. Peça um novo em Preferências."
    http_status = 410


def billing_addresses(customer: Party) -> list[BillingAddress]:
    """To whom invoices go, in order; two or three queries."""
    found = addresses_of(customer)
    suppressed = set(
        EmailSuppression.objects.filter(
            account_id=customer.account_id, address__in=[one.address.lower() for one in found]
        ).values_list("address", flat=True)
    )
    return [
        BillingAddress(
            one.address,
            one.contact.name if one.contact is not None else "",
            one.address.lower() in suppressed,
        )
        for one in found
    ]


@transaction.atomic
def ask_to_add(account: Account, customer: Party, address: str, *, actor: Actor) -> EmailMessage:
    """Write to the new address: it gets invoices once its owner says so, within seven days.

    Raises InvalidInput (`email`), or RateLimited at the eleventh of a day.
    """
    new = address.strip()
    if not is_address(new):
        raise fault("email", NOT_ONE)
    if new.lower() in {one.address.lower() for one in addresses_of(customer)}:
        raise fault("email", KNOWN)
    _refuse_too_many(account, customer)
    token = _signer().sign_object([customer.pk, new])
    path = reverse("public-billing-address", args=[token])
    row = send_letter(
        account,
        customer=customer,
        recipient=new,
        template=LETTER,
        context={"dias": LINK_DAYS, "endereco": new},
        secrets={"link": f"{settings.PUBLIC_URL}{path}"},
        key=f"{_mark(customer)}{uuid.uuid4().hex}",
    )
    after = {"destinatario_pedido": new}
    record(account, actor=actor, action="preferencias.alteradas", target=customer, after=after)
    return row


def open_request(token: str) -> tuple[Party, str]:
    """The customer and address of a link that works. Raises NotFound, LinkExpired."""
    signer = _signer()
    try:
        pk, address = signer.unsign_object(
            token[:_LONGEST_TOKEN], max_age=timedelta(days=LINK_DAYS)
        )
    except SignatureExpired as error:
        raise LinkExpired() from error
    except (BadSignature, ValueError, TypeError) as error:
        raise NotFound() from error
    rows = Party.objects.filter(pk=pk, account__is_active=True).select_related("account")
    customer = rows.first()
    if customer is None:
        raise NotFound()
    return customer, str(address)


@transaction.atomic
def add(token: str, *, actor: Actor) -> Party:
    """The owner of an address says yes; again, it changes nothing. Raises as `open_request`."""
    known, address = open_request(token)
    customer = _locked(known.account, known)
    present = [one.address for one in addresses_of(customer)]
    if address.lower() not in {one.lower() for one in present}:
        # Those in use stay so: without a list they were taken from elsewhere.
        listed = {one.address.lower() for one in addresses_of(customer, only_billing=True)}
        kept = [one for one in present if one.lower() not in listed]
        _write(customer, [*_listed(customer), *kept, address], actor=actor)
    return customer


@transaction.atomic
def remove(account: Account, customer: Party, address: str, *, actor: Actor) -> None:
    """Write invoices there no more. Raises NotFound for none of theirs, and InvalidInput for the
    last one (P18-2).
    """
    customer = _locked(account, customer)
    gone = address.strip().lower()
    present = [one.address.lower() for one in addresses_of(customer)]
    if gone not in present:
        raise NotFound()
    if len(present) == 1:
        raise fault("email", KEEP_ONE)
    Contact.objects.filter(party=customer, email__iexact=gone).update(is_billing=False)
    _write(customer, [one for one in _listed(customer) if one.lower() != gone], actor=actor)


# --- details --------------------------------------------------------------------------------------


def _locked(account: Account, customer: Party) -> Party:
    rows = Party.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    found: Party = rows.get_of(account, pk=customer.pk)
    return found


def _listed(customer: Party) -> list[str]:
    return [one for one in _SEPARATORS.split(customer.billing_contacts) if one]


def _write(customer: Party, addresses: list[str], *, actor: Actor) -> None:
    before = {"destinatarios": customer.billing_contacts}
    customer.billing_contacts = ", ".join(dict.fromkeys(addresses))
    customer.save(update_fields=["billing_contacts", "updated_at"])
    after = {"destinatarios": [one.address for one in addresses_of(customer)]}
    record(
        customer.account, actor=actor, action="preferencias.alteradas", target=customer,
        before=before, after=after,
    )  # fmt: skip


def _refuse_too_many(account: Account, customer: Party) -> None:
    """Nobody makes us write to strangers by the hundred."""
    since = clock.now() - timedelta(days=1)
    asked = EmailMessage.objects.of(account).filter(
        customer=customer, key__startswith=_mark(customer), created_at__gt=since
    )
    if asked.count() >= ASKED_PER_DAY:
        raise RateLimited("Muitos e-mails de confirmação hoje. Tente de novo amanhã.")


def _mark(customer: Party) -> str:
    return f"{LETTER}:{customer.pk}:"


def _signer() -> TimestampSigner:
    return TimestampSigner(salt=_SALT, sep=".")
