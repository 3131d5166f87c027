"""Organizations, companies and people that contract fixtures require."""

from __future__ import annotations

from typing import Any

from factories import cnpj, cpf
from support.moments import moment
from support.wire import Fixture, seeds

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.api.v1.parties import CompanyIn, OrganizationIn, PersonIn
from billing.models import Party
from billing.services.parties import create_party


def party(pk: int, kind: str, body: Any, reads: Any, account: Account) -> None:
    """A party made by the service itself from an answer's values, then put under its id."""
    if Party.objects.filter(pk=pk).exists():
        return
    sent = reads.take({k: v for k, v in body.items() if v is not None}, partial=False)
    made = create_party(sent.values, kind=kind, account=account, actor=SYSTEM, faults=sent.faults)
    Party.objects.filter(pk=made.pk).delete()
    made.pk = pk
    made.save(force_insert=True)
    if created := body.get("created_at"):
        Party.objects.filter(pk=pk).update(created_at=moment(created))


@seeds("organization")
def organization(pk: int, fixture: Fixture, account: Account) -> None:
    shown = fixture.shown("organization", pk)
    body = {"name": f"Organização {pk}", "cnpj": cnpj(pk)} | shown
    party(pk, Party.Kind.ORGANIZATION, body, OrganizationIn, account)


@seeds("company")
def company(pk: int, fixture: Fixture, account: Account) -> None:
    body = {"name": f"Empresa {pk}", "cnpj": cnpj(pk)} | fixture.shown("company", pk)
    party(pk, Party.Kind.COMPANY, body, CompanyIn, account)


@seeds("person")
def person(pk: int, fixture: Fixture, account: Account) -> None:
    body = {"name": f"Pessoa {pk}", "cpf": cpf(pk)} | fixture.shown("person", pk)
    party(pk, Party.Kind.PERSON, body, PersonIn, account)
