"""Rows for tests: complete, valid and explicit."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.models import Account, Membership, User
from billing.models import (
    Contract,
    InvoiceRule,
    NumberSeries,
    OrganizationProfile,
    Party,
    RuleService,
    ServiceItem,
    Transaction,
)
from fiscal.models import Company
from fiscal.services.companies import closed
from lib import clock
from lib.br import fold


def cnpj(n: int) -> str:
    """A valid numeric CNPJ made from `n`."""
    base = f"{n:08d}0001"
    return base + _digits(base, [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])


def cpf(n: int) -> str:
    """A valid CPF made from `n`."""
    base = f"{n:09d}"
    return base + _digits(base, list(range(10, 1, -1)))


def _digits(base: str, weights: list[int]) -> str:
    first = _digit(base, weights)
    top = weights[0] + 1
    return first + _digit(base + first, [top, *weights])


def _digit(text: str, weights: list[int]) -> str:
    rest = sum(int(c) * w for c, w in zip(text, weights, strict=True)) % 11
    return "0" if rest < 2 else str(11 - rest)


class AccountFactory(DjangoModelFactory):
    class Meta:
        model = Account
        django_get_or_create = ("slug",)

    name = "Conta Exemplo"
    slug = "exemplo"


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"pessoa{n}@exemplo.test")
    name = "Pessoa Exemplo"

    @factory.post_generation
    def password(self, create: bool, given: str | None, **_: Any) -> None:
        if given:
            self.set_password(given)
            self.save()


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    account = factory.SubFactory(AccountFactory)
    role = "admin"


class FiscalCompanyFactory(DjangoModelFactory):
    """An issuer in São Paulo that may issue NF-e and NFC-e; without certificate and tokens."""

    class Meta:
        model = Company

    account = factory.SubFactory(AccountFactory)
    cnpj = factory.Sequence(lambda n: cnpj(70_000_000 + n))
    nome = factory.Sequence(lambda n: f"Emitente {n} Comércio Ltda")
    nome_fantasia = factory.Sequence(lambda n: f"Emitente {n}")
    inscricao_estadual = "110042490114"
    inscricao_municipal = "12345678"
    regime_tributario = 3
    email = "fiscal@exemplo.test"
    telefone = "1130001000"
    logradouro = "Avenida Paulista"
    numero = "1000"
    bairro = "Bela Vista"
    cep = "01310100"
    municipio = "São Paulo"
    codigo_municipio = "3550308"
    uf = "SP"
    habilita_nfe = True
    habilita_nfce = True
    csc_nfce_producao = factory.LazyFunction(lambda: closed("CODIGO-PRODUCAO-0001"))
    id_token_nfce_producao = "000001"
    csc_nfce_homologacao = factory.LazyFunction(lambda: closed("CODIGO-HOMOLOGACAO-0001"))
    id_token_nfce_homologacao = "000001"


class _PartyFactory(DjangoModelFactory):
    class Meta:
        model = Party
        abstract = True

    account = factory.SubFactory(AccountFactory)
    address = "Rua das Flores"
    number = "100"
    district = "Centro"
    city = "São Paulo"
    state = "SP"
    zipcode = "01001000"
    fold = factory.LazyAttribute(lambda o: fold(o.name))


class OrganizationFactory(_PartyFactory):
    class Meta:
        model = Party
        skip_postgeneration_save = True

    kind = Party.Kind.ORGANIZATION
    name = factory.Sequence(lambda n: f"Organização {n}")
    company_name = factory.LazyAttribute(lambda o: f"{o.name} Ltda")
    document = factory.Sequence(lambda n: cnpj(n + 1))

    @factory.post_generation
    def profile(self, create: bool, given: Any, **fields: Any) -> None:
        OrganizationProfile.objects.create(party=self, **fields)
        NumberSeries.objects.create(organization=self, code="1")


class CompanyFactory(_PartyFactory):
    kind = Party.Kind.COMPANY
    name = factory.Sequence(lambda n: f"Cliente {n}")
    document = factory.Sequence(lambda n: cnpj(50_000_000 + n))
    email = factory.Sequence(lambda n: f"cliente{n}@exemplo.test")


class PersonFactory(_PartyFactory):
    kind = Party.Kind.PERSON
    name = factory.Sequence(lambda n: f"Pessoa {n}")
    document = factory.Sequence(lambda n: cpf(100_000_000 + n))
    is_consumer = True


class ServiceItemFactory(DjangoModelFactory):
    class Meta:
        model = ServiceItem

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Serviço {n}")
    value = Decimal("100.00")


class ContractFactory(DjangoModelFactory):
    class Meta:
        model = Contract

    account = factory.SubFactory(AccountFactory)
    organization = factory.SubFactory(
        OrganizationFactory, account=factory.SelfAttribute("..account")
    )
    party = factory.SubFactory(CompanyFactory, account=factory.SelfAttribute("..account"))
    name = factory.Sequence(lambda n: f"Contrato {n}")
    title = factory.LazyAttribute(lambda o: o.name)
    init_date = date(2026, 1, 1)


class RuleFactory(DjangoModelFactory):
    """A monthly automatic rule of one service of R$ 100,00, due on the 10th."""

    class Meta:
        model = InvoiceRule
        skip_postgeneration_save = True

    account = factory.SelfAttribute("contract.account")
    contract = factory.SubFactory(ContractFactory)
    title = "Mensalidade"
    description = "Mensalidade"
    init_date = date(2026, 1, 1)
    period_unit = "monthly"
    month_quantity = 1
    charge_type = "fixed_day"
    day_number = 10
    management_type = "automatic"
    automatic_email_template_ref = 1
    gross_value = Decimal("100.00")
    next_occurrence = factory.SelfAttribute("init_date")

    @factory.post_generation
    def services(self, create: bool, given: list[tuple[str, str]] | None, **_: Any) -> None:
        """(units, unit_value) pairs; default one of 1 × 100."""
        for position, (units, unit_value) in enumerate(given or [("1", "100.00")], start=1):
            RuleService.objects.create(
                rule=self,
                position=position,
                service_item=ServiceItemFactory(account=self.account),
                description=f"Item {position}",
                units=Decimal(units),
                unit_value=Decimal(unit_value),
                value=(Decimal(units) * Decimal(unit_value)).quantize(Decimal("0.01")),
            )


class TransactionFactory(DjangoModelFactory):
    class Meta:
        model = Transaction

    account = factory.SelfAttribute("customer.account")
    customer = factory.SubFactory(CompanyFactory)
    title = "Uso"
    created_at = factory.LazyFunction(clock.now)
    retail_cost = Decimal("100.00")
    tax_percentage = Decimal(0)
    tax_amount = Decimal(0)
