"""What is withheld is one amount everywhere: the invoice, its receivables, the note, the memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from factories import CompanyFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.invoice_notes import fresh, issue_all, make_template, noted, the_note
from support.invoices import check_sums, line

from accounts.services.audit import SYSTEM
from billing.models import Invoice, NfseTemplate, Party
from billing.selectors.invariants import violations
from billing.services.invoices import emit_invoice, undo_emission, void_invoice
from billing.services.note_bodies import body_of
from billing.services.note_source import Source
from billing.services.note_taxes import Case, Taxed, tax
from fiscal.models import Company, Regime

D = Decimal
ZERO = D("0.00")
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
TAXES = ["IR", "PIS", "COFINS", "CSLL", "INSS"]
rates = st.decimals(0, 30, places=4)
amounts = st.decimals("0.01", "200000.00", places=2)
shares = st.decimals(0, 100, places=2)


@st.composite
def templates(draw: st.DrawFn) -> NfseTemplate:
    """Any template of a service: rates, limits, bases, roundings."""
    return NfseTemplate(
        name="Qualquer",
        tipo_nota=draw(st.sampled_from(["nfse", "nfsen"])),
        item_lista_servico="17.01",
        codigo_tributacao_nacional="170101",
        arredondamento=draw(st.sampled_from(NfseTemplate.Arredondamento.values)),
        retencoes_destacadas_nota=draw(st.lists(st.sampled_from(TAXES), unique=True)),
        iss_retido_fonte=draw(st.booleans()),
        aliquota_iss=draw(st.decimals(0, 5, places=4)),
        **{f"aliquota_{name.lower()}": draw(rates) for name in TAXES},
        limite_retencao_ir=draw(amounts),
        limite_retencao_pcc=draw(amounts),
        retencao_minima=draw(st.sampled_from([D(0), D(10)])),
        percentual_base_inss=draw(shares),
        teto_base_inss=draw(st.sampled_from([ZERO, D("8475.55")])),
        percentual_deducao_iss=draw(shares),
        percentual_carga_tributaria=draw(shares),
    )


def sources(template: NfseTemplate, amount: Decimal) -> Source:
    city: dict[str, Any] = {"ibge_code": "4204608", "state": "SC", "zipcode": "88801000"}
    giver = Party(kind="organization", document="11222333000181", **city)
    taker = Party(kind="company", name="Tomador", document="19131243000197", **city)
    company = Company(
        cnpj="11222333000181", uf="SC", codigo_municipio="4204608",
        regime_tributario=Regime.NORMAL,
    )  # fmt: skip
    invoice = Invoice(
        organization=giver, customer=taker, title="Serviço", gross_value=amount,
        issue_date=date(2026, 11, 20),
    )  # fmt: skip
    case = Case(amount, template, giver, taker, company)
    return Source(invoice, case, tax(case), company)


def told_by(body: dict[str, Any]) -> Decimal:
    """What the taker keeps, as the body of the note has it."""
    if "servico" in body:
        names = ("pis", "cofins", "inss", "ir", "csll", "iss_retido")
        service = body["servico"]
        return sum((D(service.get(f"valor_{name}", "0")) for name in names), ZERO)
    held = ("valor_irrf", "valor_cp", "valor_csll")
    return sum((D(body.get(name, "0")) for name in held), ZERO)


def explained(taxed: Taxed) -> Decimal:
    held = (*TAXES, "ISS retido")
    rows = [row for row in taxed.memory if row["tributo"] in held]
    for row in rows:
        assert row["explicacao"].endswith(".")
    return sum((D(row["resultado"]) for row in rows), ZERO)


@given(template=templates(), amount=amounts)
@settings(max_examples=150, deadline=None)
def test_note_memory_and_sum_agree_to_the_cent(template, amount):
    source = sources(template, amount)
    body = body_of(source, now=NOW)

    # ISS that the taker keeps is computed by the national system: the declaration has none.
    iss = ZERO if template.tipo_nota == "nfse" else source.taxed.iss.withheld
    assert told_by(body) + iss == source.taxed.total
    assert explained(source.taxed) == source.taxed.total
    assert ZERO <= source.taxed.total <= amount


# --- through the database ------------------------------------------------------------------------

acts = st.sampled_from(["emit", "emit", "emit", "void", "undo"])
parcelled = st.decimals("0.10", "200000.00", places=2)  # a cent at least for each parcel
steps = st.lists(st.tuples(acts, parcelled, st.integers(1, 4)), min_size=2, max_size=7)


@pytest.mark.django_db
@given(taken=steps)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_order_invoice_receivables_and_note_lack_the_same(
    organization, issuer, city, taken
):
    """One taker's month, added up, emitted and taken back in any order, in up to four parcels."""
    taker = CompanyFactory(account=organization.account)
    template = make_template(
        organization, limite_retencao_pcc=D("5000.00"), retencoes_acumuladas=["IR", "PCC"]
    )
    standing: list[Invoice] = []
    for step, amount, parcels in taken:
        if step == "emit" or not standing:
            dates = [date(2026, 12, day) for day in range(10, 10 + parcels)]
            standing.append(
                noted(organization, taker, template, value=str(amount), due_dates=dates, days=5)
            )
        elif step == "void":
            last = standing.pop()
            void_invoice(last.pk, account=last.account, actor=SYSTEM, reason="Valor errado")
        else:
            first = standing[0]
            undone = undo_emission(first.pk, account=first.account, actor=SYSTEM)
            assert undone.payment_value == undone.gross_value
            emit_invoice(first.pk, account=first.account, actor=SYSTEM)

    for invoice in standing:
        row = fresh(invoice)
        check_sums(row)
        kept = sum(row.withholdings.values_list("withheld", flat=True), ZERO)
        assert row.gross_value - row.payment_value == kept
    assert list(violations(organization.account)) == []


@pytest.mark.django_db
def test_the_issued_note_lacks_what_the_invoice_lacks(organization, customer, issuer, city):
    for rounding, kept in (("half_up", "5.21"), ("half_even", "5.20"), ("truncate", "5.19")):
        template = make_template(
            organization, arredondamento=rounding, retencao_minima=D(0), iss_retido_fonte=True,
            aliquota_iss=D("2.5"), aliquota_ir=D("1.5"), tipo_nota="nfse",
        )  # fmt: skip
        invoice = noted(organization, customer, template, value="60.20")
        issue_all()
        payload = the_note(invoice).service_note.payload

        assert invoice.gross_value - invoice.payment_value == told_by(payload)
        assert told_by(payload) == D(kept)


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "longest"), [("nfse", 2000), ("nfsen", 1000)])
def test_an_invoice_of_ten_thousand_lines_fits_its_note_with_what_the_law_wants_told(
    organization, customer, issuer, city, kind, longest
):
    template = make_template(organization, tipo_nota=kind)
    one = line("1.00")
    lines = [replace(one, title=f"Chamado {n}") for n in range(10_000)]
    invoice = noted(
        organization, customer, template, lines=lines, options={"description": ""}, title=""
    )
    issue_all()

    note = the_note(invoice)
    body = note.service_note.payload
    text = body["servico"]["discriminacao"] if kind == "nfse" else body["descricao_servico"]
    assert note.state == "issued"
    assert len(text) == longest
    assert text.startswith("Chamado 0\nChamado 1\n")
    assert text.endswith("...\nTributos aproximados: R$ 1.345,00 (13,45%). Fonte: IBPT.")
