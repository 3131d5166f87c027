"""Who appears in the demonstration: the organization, its staff, its customers and their users."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.models import Account, ApiToken, Membership, User
from accounts.services.tokens import create_token, digest
from billing.models import Contact, CustomerAccess, NumberSeries, OrganizationProfile, Party
from billing.services.numbering import DEFAULT_SERIES
from billing.services.organizations import prepare_organization
from lib.br import fold

SLUG = "demo"
PASSWORD = "Demo!2026-ok"  # noqa: S105  printed by the command: it is meant to be known
TOKEN_NAME = "Integração de demonstração"  # noqa: S105  a name
FIRST_NUMBER = 1001
OTHER_SERIES = "2"
FIRST_OF_B = 2001
_ADDRESS = {"city": "São Paulo", "state": "SP", "ibge_code": "3550308", "country": "Brasil"}

ORGANIZATION: dict[str, Any] = {
    "kind": Party.Kind.ORGANIZATION,
    "name": "Demo Serviços Ltda",
    "company_name": "Demo Serviços Ltda",
    "document": "12345678000195",
    "email": "cobranca@demo.test",
    "city_inscription": "1234567",
    "phone": "1130001000",
    "address": "Avenida Paulista",
    "number": "1000",
    "complement": "10º andar",
    "district": "Bela Vista",
    "zipcode": "01310100",
    **_ADDRESS,
}
CUSTOMERS: dict[str, dict[str, Any]] = {
    "A": {
        "kind": Party.Kind.COMPANY,
        "name": "Padaria Aurora Ltda",
        "company_name": "Padaria Aurora Ltda",
        "document": "12ABC34501DE35",
        "email": "contas@aurora.test",
        "phone": "11912345678",
        "billing_contacts": "contas@aurora.test, financeiro@aurora.test",
        "preferred_due_day": 10,
        "client_since": date(2024, 3, 1),
        "address": "Rua das Flores",
        "number": "120",
        "district": "Centro",
        "zipcode": "01001000",
        **_ADDRESS,
    },
    "B": {
        "kind": Party.Kind.COMPANY,
        "name": "Mercado Boa Vista ME",
        "company_name": "Mercado Boa Vista ME",
        "document": "11222333000181",
        "email": "titular@boavista.test",
        "billing_contacts": "titular@boavista.test",
        "address": "Rua Boa Vista",
        "number": "45",
        "district": "Centro",
        "zipcode": "01014000",
        **_ADDRESS,
    },
    "C": {
        "kind": Party.Kind.COMPANY,
        "name": "Aurora Filial Ltda",
        "company_name": "Aurora Filial Ltda",
        "document": "12ABC34502DE06",
        "email": "contas@aurora.test",
        "address": "Rua Augusta",
        "number": "900",
        "district": "Consolação",
        "zipcode": "01304001",
        **_ADDRESS,
    },
    "D": {
        "kind": Party.Kind.COMPANY,
        "name": "Nuvem Vazia Ltda",
        "company_name": "Nuvem Vazia Ltda",
        "document": "45723174000110",
        "email": "titular@nuvem.test",
        "address": "Rua do Céu",
        "number": "7",
        "district": "Liberdade",
        "zipcode": "01503001",
        **_ADDRESS,
    },
    "E": {
        "kind": Party.Kind.PERSON,
        "name": "Eva Martins",
        "document": "52998224725",
        "email": "eva@pessoa.test",
        "is_consumer": True,
        "address": "Rua dos Pinheiros",
        "number": "300",
        "complement": "ap. 12",
        "district": "Pinheiros",
        "zipcode": "05422000",
        **_ADDRESS,
    },
}
STAFF = ("admin", "financeiro", "fiscal", "suporte")
ACCESSES = (
    ("titular@aurora.test", "Aurora Titular", "A", CustomerAccess.Role.TITULAR),
    ("titular@aurora.test", "Aurora Titular", "C", CustomerAccess.Role.TITULAR),
    ("financeiro@aurora.test", "Aurora Financeiro", "A", CustomerAccess.Role.FINANCEIRO),
    ("leitura@aurora.test", "Aurora Leitura", "A", CustomerAccess.Role.LEITURA),
    ("titular@boavista.test", "Boa Vista Titular", "B", CustomerAccess.Role.TITULAR),
    ("titular@nuvem.test", "Nuvem Titular", "D", CustomerAccess.Role.TITULAR),
    ("eva@pessoa.test", "Eva Martins", "E", CustomerAccess.Role.TITULAR),
)


@dataclass(frozen=True)
class People:
    """The parties of the demonstration; customers by the letter of the specification."""

    organization: Party
    customers: dict[str, Party]


def load(account: Account, *, afresh: bool) -> People:
    """Everybody, created where missing; `afresh` also gives back what was edited."""
    organization = _party(account, "ORG", ORGANIZATION, afresh=afresh)
    prepare_organization(organization)
    _look(organization, afresh=afresh)
    _series(organization)
    customers = {key: _party(account, key, data, afresh=afresh) for key, data in CUSTOMERS.items()}
    _contacts(account, customers["A"])
    _users(account, customers, afresh=afresh)
    return People(organization, customers)


def _party(account: Account, key: str, data: dict[str, Any], *, afresh: bool) -> Party:
    values = {**data, "fold": fold(data["name"])}
    code = f"demo-{key.lower()}"
    if afresh:
        party, _ = Party.objects.update_or_create(
            account=account, external_code=code, defaults=values
        )
    else:
        party, _ = Party.objects.get_or_create(account=account, external_code=code, defaults=values)
    return party


def _look(organization: Party, *, afresh: bool) -> None:
    profile: OrganizationProfile = OrganizationProfile.objects.get(party=organization)
    if profile.logo and not afresh:
        return
    profile.logo = (Path(__file__).parent / "logo.svg").read_bytes()
    profile.logo_type = "image/svg+xml"
    profile.color_primary, profile.color_accent = "#1351B4", "#176B3A"
    profile.website = "https://demo.test"
    profile.due_day_options = [5, 10, 15]
    profile.support_email, profile.support_phone = "atendimento@demo.test", "(11) 3000-1000"
    profile.dpo_name, profile.dpo_email = "Helena Prado", "privacidade@demo.test"
    profile.invoice_notes = "Dúvidas? Responda a este e-mail ou ligue (11) 3000-1000."
    profile.save()


def _series(organization: Party) -> None:
    """A's numbers start at 1001; B's, a series of their own, at 2001 (each without gaps, INV-8)."""
    series = NumberSeries.objects.get(organization=organization, code=DEFAULT_SERIES)
    if series.next_number == 1:
        series.first_number = series.next_number = FIRST_NUMBER
        series.save()
    NumberSeries.objects.get_or_create(
        organization=organization,
        code=OTHER_SERIES,
        defaults={"first_number": FIRST_OF_B, "next_number": FIRST_OF_B},
    )


def _contacts(account: Account, customer: Party) -> None:
    Contact.objects.get_or_create(
        account=account,
        party=customer,
        email="financeiro@aurora.test",
        defaults={"name": "Ana Souza", "phone": "11912345678", "is_billing": True},
    )
    Contact.objects.get_or_create(
        account=account,
        party=customer,
        email="titular@aurora.test",
        defaults={"name": "Carlos Aurora", "is_primary": True},
    )


def _users(account: Account, customers: dict[str, Party], *, afresh: bool) -> None:
    for role in STAFF:
        user = _user(account, f"{role}@demo.test", f"Demo {role.capitalize()}", afresh=afresh)
        Membership.objects.get_or_create(user=user, account=account, defaults={"role": role})
    for email, name, key, access in ACCESSES:
        CustomerAccess.objects.get_or_create(
            account=account,
            user=_user(account, email, name, afresh=afresh),
            customer=customers[key],
            defaults={"role": access},
        )


def _user(account: Account, email: str, name: str, *, afresh: bool) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        return User.objects.create_user(email, PASSWORD, name=name)
    if afresh and _is_only_ours(user, account) and not user.check_password(PASSWORD):
        user.set_password(PASSWORD)
        user.name, user.is_active = name, True
        user.save()
    return user


def _is_only_ours(user: User, account: Account) -> bool:
    """A login that also opens another account is that account's too: its password is left alone."""
    return not (
        user.is_superuser
        or user.memberships.exclude(account=account).exists()
        or CustomerAccess.objects.filter(user=user).exclude(account=account).exists()
    )


def token(account: Account) -> str:
    """The demonstration's API token: derived from SECRET_KEY, so that every run prints the same.

    The database keeps its hash, as of any other.
    """
    key = settings.SECRET_KEY.encode()
    raw = hmac.new(key, b"demo:token:billing", hashlib.sha256).hexdigest()[:32]
    if not ApiToken.objects.filter(digest=digest(raw)).exists():
        create_token(account, name=TOKEN_NAME, scope=ApiToken.Scope.BILLING, raw=raw)
    return raw
