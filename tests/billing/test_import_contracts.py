"""Importing contracts: what comes in, that it comes in once, and what a changed line does."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory, OrganizationFactory, RuleFactory, cnpj, cpf
from support.imports import counts, line, messages, run, says, sheet

from accounts.models import AuditEvent
from billing.models import (
    Contract,
    Invoice,
    InvoiceRule,
    Party,
    PriceIndexValue,
    Readjustment,
    ScheduledUpdate,
    ServiceItem,
)
from billing.services import readjustments
from billing.services.imports import ImportOptions, ImportReport, import_file
from lib import clock

pytestmark = pytest.mark.django_db

TODAY = date(2026, 8, 12)

FULL = {
    "Código do Cliente": "C-001",
    "NOME": "Padaria Aurora",
    "Razão Social": "Padaria Aurora Ltda",
    "CNPJ/CPF": "12.abc.345/01de-35",
    "Inscrição Estadual": "110.042.490.114",
    "IM": "1234567",
    "E-mail": "contato@aurora.example",
    "Telefone": "+55 (11) 91234-5678",
    "CEP": "01001-000",
    "Endereço": "Praça da Sé",
    "Nº": "s/n",
    "Complemento": "fundos",
    "Bairro": "Sé",
    "Cidade": "São Paulo",
    "Estado": "sp",
    "Código IBGE": "3550308",
    "E-mails de cobrança": "fin@aurora.example; socio@aurora.example",
    "Contrato": "CT-1",
    "Nome do contrato": "Aurora – suporte",
    "Título": "Suporte mensal",
    "Data de início": "1/1/2026",
    "Data fim": "31/12/2028",
    "Cobrança": "Pós-paga",
    "Código da regra": "R-1",
    "Título da fatura": "Suporte",
    "Descrição": "Suporte do mês",
    "Texto da nota": "Suporte técnico",
    "Primeira emissão": "2026-09-30",
    "Última emissão": "31/12/2028",
    "Periodicidade": "Trimestral",
    "Competência": "Mês anterior",
    "Tipo de vencimento": "Dia após meses",
    "Dia do vencimento": "31",
    "Meses após": "2",
    "Parcelas": "3",
    "Forma de pagamento": "Cartão de crédito",
    "Automático": "SIM",
    "Índice": "IGP-M",
    "Primeiro reajuste": "30/09/2027",
    "Reajuste meses": "24",
    "Reajuste negativo": "sim",
    "Serviço": "Suporte",
    "Descrição do serviço": "Atendimento\npor telefone",
    "Quantidade": "2,5",
    "Valor unitário": "R$ 1.234,5678",
    "Imposto (%)": "",
    "imposto_percent": "5%",
}


@pytest.fixture(autouse=True)
def _house(account, organization, today):
    today("2026-08-12")


# --- what comes in -------------------------------------------------------------------------------


def test_a_full_line_fills_customer_contract_rule_service_and_readjustment(tmp_path, organization):
    full = {title: text for title, text in FULL.items() if title != "Imposto (%)"}

    report = run(sheet(tmp_path, full, encoding="cp1252"))

    assert report["error"] == ""
    party = Party.objects.get(external_code="C-001")
    assert (party.kind, party.name, party.company_name) == (
        "company",
        "Padaria Aurora",
        "Padaria Aurora Ltda",
    )
    assert (party.document, party.state_inscription, party.city_inscription) == (
        "12ABC34501DE35",
        "110.042.490.114",
        "1234567",
    )
    assert (party.email, party.billing_contacts, party.phone) == (
        "contato@aurora.example",
        "fin@aurora.example, socio@aurora.example",
        "+55 (11) 91234-5678",
    )
    assert (party.zipcode, party.address, party.number, party.complement) == (
        "01001000",
        "Praça da Sé",
        "s/n",
        "fundos",
    )
    assert (party.district, party.city, party.state, party.ibge_code, party.fold) == (
        "Sé",
        "São Paulo",
        "SP",
        "3550308",
        "padaria aurora",
    )
    contract = Contract.objects.get(external_code="CT-1")
    assert (contract.organization, contract.party, contract.name, contract.title) == (
        organization,
        party,
        "Aurora – suporte",
        "Suporte mensal",
    )
    assert (contract.init_date, contract.end_date, contract.charging_method, contract.status) == (
        date(2026, 1, 1),
        date(2028, 12, 31),
        "post_paid",
        "established",
    )
    assert len(contract.token) == 32
    rule = InvoiceRule.objects.get(external_code="R-1")
    assert (rule.contract, rule.title, rule.description, rule.nfe_body) == (
        contract,
        "Suporte",
        "Suporte do mês",
        "Suporte técnico",
    )
    assert (rule.init_date, rule.end_date, rule.period_unit, rule.month_quantity) == (
        date(2026, 9, 30),
        date(2028, 12, 31),
        "monthly",
        3,
    )
    assert (rule.charge_type, rule.day_number, rule.day_quantity, rule.due_month_quantity) == (
        "fixed_day_and_month_quantity",
        31,
        None,
        2,
    )
    assert (rule.parcel_number, rule.payment_method, rule.accrual_month_quantity) == (
        3,
        "payment_gateway",
        "previous_month",
    )
    assert (rule.management_type, rule.automatic_email_template_ref) == ("automatic", None)
    assert (rule.apply_negative_updates, rule.gross_value) == (True, Decimal("3086.42"))
    clause = rule.scheduled_updates.get()
    assert (clause.price_index, clause.init_date, clause.month_quantity) == (
        "igpm",
        date(2027, 9, 30),
        24,
    )
    assert (clause.execution_date, clause.remind_at, clause.state, clause.next_n) == (
        date(2027, 9, 30),
        date(2027, 9, 30),
        "scheduled",
        0,
    )
    service = rule.services.get()
    assert (service.position, service.description) == (1, "Atendimento\npor telefone")
    assert (service.units, service.unit_value, service.value) == (
        Decimal("2.5"),
        Decimal("1234.5678"),
        Decimal("3086.42"),
    )
    assert (service.service_item.name, service.service_item.tax_percentage) == ("Suporte", 5)


def test_a_bare_line_takes_the_documented_defaults(tmp_path):
    run(sheet(tmp_path, line()))

    contract, rule = Contract.objects.get(), InvoiceRule.objects.get()
    assert (contract.name, contract.title, contract.charging_method) == ("CT1", "CT1", "pre_paid")
    assert (rule.external_code, rule.title, rule.description, rule.nfe_body) == (("CT1",) * 4)
    assert (rule.charge_type, rule.day_number, rule.parcel_number) == ("fixed_day", 10, None)
    assert (rule.payment_method, rule.management_type) == ("billet", "manual")
    assert ScheduledUpdate.objects.count() == 0
    assert Party.objects.get(external_code="C1").kind == "company"


def test_a_cpf_makes_a_person_who_is_a_consumer(tmp_path):
    run(sheet(tmp_path, line(cnpj_cpf="529.982.247-25")))

    party = Party.objects.get(external_code="C1")
    assert (party.kind, party.document, party.is_consumer) == ("person", "52998224725", True)


@pytest.mark.parametrize(
    ("cells", "terms"),
    [
        ({"dia_vencimento": "5"}, ("fixed_day", 5, None, None, False)),
        (
            {"dia_vencimento": "", "tipo_vencimento": "Último dia do mês", "dias_uteis": "sim"},
            ("last_day_of_month", None, None, None, True),
        ),
        ({"dia_vencimento": "", "dias_apos": "0"}, ("day_quantity", None, 0, None, False)),
        (
            {"meses_apos": "2"},
            ("fixed_day_and_month_quantity", 10, None, 2, False),
        ),
    ],
)
def test_each_kind_of_due_date_is_understood_with_or_without_its_name(tmp_path, cells, terms):
    run(sheet(tmp_path, line(**cells)))

    rule = InvoiceRule.objects.get()
    assert terms == (
        rule.charge_type,
        rule.day_number,
        rule.day_quantity,
        rule.due_month_quantity,
        rule.only_business_days,
    )


def test_lines_of_the_same_codes_add_services_in_order_and_blank_cells_repeat_the_first(tmp_path):
    again = dict.fromkeys(line(), "") | {"codigo_contrato": "CT1"}
    path = sheet(
        tmp_path,
        line(email="a@aurora.example", quantidade="2"),
        {**again, "servico": "Hospedagem", "valor_unitario": "50"},
        line(2),
        {**again, "servico": "Desconto", "valor_unitario": "-25,50"},
        {**again, "codigo_regra": "R2", "servico": "Site", "valor_unitario": "300"}
        | {"primeira_emissao": "15/09/2026", "periodicidade": "anual", "dia_vencimento": "20"},
    )

    report = run(path)

    assert report["error"] == ""
    assert counts(report) == {"customers": (2, 0, 0), "contracts": (2, 0, 0), "rules": (3, 0, 0)}
    first = InvoiceRule.objects.get(external_code="CT1")
    assert [
        (s.position, s.service_item.name, s.value) for s in first.services.order_by("position")
    ] == [
        (1, "Suporte", Decimal("200.00")),
        (2, "Hospedagem", Decimal("50.00")),
        (3, "Desconto", Decimal("-25.50")),
    ]
    assert first.gross_value == Decimal("224.50")
    second = InvoiceRule.objects.get(external_code="R2")
    assert (second.contract, second.gross_value) == (first.contract, Decimal("300.00"))


def test_zeros_that_a_spreadsheet_dropped_come_back_with_a_warning(tmp_path):
    path = sheet(tmp_path, line(cnpj_cpf="191", cep="1001000"), line(2, cnpj_cpf="11222333000181"))

    assert run(path)["error"] != ""  # 191 alone is too little to go by

    report = run(sheet(tmp_path, line(cnpj_cpf=cpf(12345678).lstrip("0"), cep="1001000")))
    party = Party.objects.get(external_code="C1")
    assert (party.document, party.zipcode) == (cpf(12345678), "01001000")
    assert messages(report, "warnings") == [
        "Zero à esquerda recolocado: 012.345.678-90.",
        "Zero à esquerda recolocado: 01001-000.",
    ]


def test_dates_of_many_spellings_are_the_same_day(tmp_path):
    spellings = ["01/09/2026", "1/9/2026", "2026-09-01", "01092026", "46266", "01/09/2026 00:00:00"]
    lines = [line(n, primeira_emissao=text) for n, text in enumerate(spellings)]

    assert run(sheet(tmp_path, *lines))["error"] == ""

    assert set(InvoiceRule.objects.values_list("init_date", flat=True)) == {date(2026, 9, 1)}


# --- invoices ------------------------------------------------------------------------------------


def test_new_rules_get_the_invoices_of_their_first_block(tmp_path):
    report = run(sheet(tmp_path, line(), line(2, primeira_emissao="01/01/2026")))

    assert report["invoices_created"] == 25 + 25  # 24 months, both ends
    assert Invoice.objects.filter(rule__external_code="CT1").count() == 25
    assert report["retroactive"] == 8  # January to August of the second
    assert messages(report, "warnings") == ["8 fatura(s) nova(s) terão data de emissão no passado."]


def test_without_invoices_the_rules_wait_for_the_nightly_run(tmp_path):
    report = run(sheet(tmp_path, line()), "--no-invoices")

    assert (report["invoices_created"], Invoice.objects.count()) == (0, 0)
    assert InvoiceRule.objects.get().next_occurrence == date(2026, 9, 1)


def test_a_rule_with_years_of_arrears_is_warned_about(tmp_path):
    report = run(sheet(tmp_path, line(primeira_emissao="01/01/2020")), "--no-invoices")

    text = " ".join(messages(report, "warnings"))
    assert (
        "80 emissões no passado (mais de 36): 0 nascem na importação e a rodada noturna vai "
        "impedir a regra." in text
    )


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (
            "01/01/2020",
            "80 emissões no passado (mais de 36): 25 nascem na importação e a rodada "
            "noturna vai impedir a regra.",
        ),
        (
            "01/01/2022",
            "56 emissões no passado (mais de 36): 25 nascem na importação e a rodada "
            "noturna vai criar as demais.",
        ),
    ],
)
def test_arrears_are_told_with_what_the_night_will_do_about_them(tmp_path, first, text):
    report = run(sheet(tmp_path, line(primeira_emissao=first)))

    assert text in " ".join(messages(report, "warnings"))


def test_a_short_or_past_readjustment_is_warned_about_and_accepted(tmp_path):
    path = sheet(tmp_path, line(indice="ipca", primeiro_reajuste="01/01/2026", reajuste_meses="6"))

    report = run(path)

    assert report["error"] == ""
    assert [(w["column"], w["value"]) for w in report["warnings"]] == [
        ("reajuste_meses", "6"),
        ("primeiro_reajuste", "01/01/2026"),
    ]
    assert "Lei 10.192/2001" in messages(report, "warnings")[0]


# --- importing again -----------------------------------------------------------------------------


def test_the_same_file_twice_changes_nothing_and_says_so(tmp_path):
    path = sheet(tmp_path, line(indice="ipca", primeiro_reajuste="01/09/2027"), line(2), line(3))
    run(path)
    before = _everything()

    report = run(path)

    assert counts(report) == {"customers": (0, 0, 3), "contracts": (0, 0, 3), "rules": (0, 0, 3)}
    assert (report["has_changes"], report["invoices_created"]) == (False, 0)
    assert _everything() == before
    assert says(path).splitlines()[-1] == "Sem mudanças."


def _everything() -> list[object]:
    models = (Party, Contract, InvoiceRule, ServiceItem, ScheduledUpdate, Invoice)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_changed_line_changes_customer_contract_and_rule_and_counts_them(tmp_path):
    run(sheet(tmp_path, line(), line(2)))

    report = run(
        sheet(
            tmp_path, line(nome="Aurora & Filhos", titulo="Suporte", valor_unitario="150"), line(2)
        )
    )

    assert counts(report) == {"customers": (0, 1, 1), "contracts": (0, 1, 1), "rules": (0, 1, 1)}
    party = Party.objects.get(external_code="C1")
    assert (party.name, party.fold) == ("Aurora & Filhos", "aurora & filhos")
    assert Contract.objects.get(external_code="CT1").title == "Suporte"


def test_a_new_price_reaches_the_invoices_not_yet_emitted(tmp_path):
    run(sheet(tmp_path, line()))

    run(sheet(tmp_path, line(valor_unitario="150"), line(servico="Extra", valor_unitario="7,50")))

    rule = InvoiceRule.objects.get()
    assert (rule.gross_value, rule.services.count()) == (Decimal("157.50"), 2)
    totals = set(Invoice.objects.values_list("total_amount", "payment_value"))
    assert totals == {(Decimal("157.50"), Decimal("157.50"))}
    assert Invoice.objects.count() == 25


def test_a_new_schedule_moves_the_invoices_not_yet_emitted(tmp_path):
    run(sheet(tmp_path, line()))

    run(sheet(tmp_path, line(primeira_emissao="05/09/2026", periodicidade="semestral")))

    dates = list(Invoice.objects.order_by("issue_date").values_list("issue_date", flat=True))
    assert dates[:2] == [date(2026, 9, 5), date(2027, 3, 5)]
    assert len(dates) == 5
    rule = InvoiceRule.objects.get()
    assert (rule.next_n, rule.next_occurrence) == (5, date(2029, 3, 5))


def test_a_new_kind_of_due_date_clears_what_the_old_one_used(tmp_path):
    run(sheet(tmp_path, line()))

    run(sheet(tmp_path, line(dia_vencimento="", dias_apos="15")))

    rule = InvoiceRule.objects.get()
    assert (rule.charge_type, rule.day_number, rule.day_quantity) == ("day_quantity", None, 15)
    assert Invoice.objects.order_by("issue_date")[0].due_date == date(2026, 9, 16)


def test_blank_cells_erase_nothing(tmp_path):
    cells = {"email": "a@aurora.example", "titulo": "Suporte", "indice": "ipca"}
    run(sheet(tmp_path, line(**cells, primeiro_reajuste="01/09/2027", ultima_emissao="31/12/2026")))

    report = run(sheet(tmp_path, line(email="", titulo="", indice="")))

    assert report["has_changes"] is False
    assert Party.objects.get(external_code="C1").email == "a@aurora.example"
    assert ScheduledUpdate.objects.count() == 1
    assert InvoiceRule.objects.get().end_date == date(2026, 12, 31)


def test_a_customer_known_by_document_alone_takes_the_code_of_the_file(tmp_path, account):
    known = CompanyFactory(account=account, document="11222333000181", name="Cliente 1")

    report = run(sheet(tmp_path, line(cnpj_cpf="11.222.333/0001-81")))

    assert counts(report)["customers"] == (0, 1, 0)
    assert Party.objects.get(external_code="C1").pk == known.pk
    assert Contract.objects.get().party_id == known.pk


def test_a_document_that_changes_is_warned_about(tmp_path):
    run(sheet(tmp_path, line(cnpj_cpf=cnpj(7))))

    report = run(sheet(tmp_path, line(cnpj_cpf=cnpj(8))))

    assert Party.objects.get(external_code="C1").document == cnpj(8)
    assert messages(report, "warnings") == ["O cliente tinha 00.000.007/0001-03; foi trocado."]


def test_importing_the_old_file_after_a_readjustment_keeps_the_new_price(tmp_path, account):
    path = sheet(tmp_path, line(indice="ipca", primeiro_reajuste="01/08/2026"))
    run(path)
    months = [date(2025, 8 + k, 1) if k < 5 else date(2026, k - 4, 1) for k in range(12)]
    PriceIndexValue.objects.bulk_create(
        PriceIndexValue(index="ipca", month=m, percent=1, source="x", published_at=clock.now())
        for m in months
    )
    readjustments.execute_due(account, until=date(2026, 8, 12))
    assert Readjustment.objects.get().outcome == "executed"
    assert InvoiceRule.objects.get().gross_value == Decimal("112.68")

    report = run(path)

    assert report["has_changes"] is False
    assert InvoiceRule.objects.get().gross_value == Decimal("112.68")
    assert "O preço já foi reajustado para R$ 112,68 e assim ficou." in messages(report, "warnings")

    changed = run(sheet(tmp_path, line(valor_unitario="130")))
    assert counts(changed)["rules"] == (0, 1, 0)
    assert InvoiceRule.objects.get().gross_value == Decimal("130.00")


def test_a_changed_readjustment_goes_on_after_the_last_execution(tmp_path, account):
    run(sheet(tmp_path, line(indice="ipca", primeiro_reajuste="01/09/2027")))
    clause = ScheduledUpdate.objects.get()
    Readjustment.objects.create(
        account=account,
        scheduled_update=clause,
        rule=clause.rule,
        execution_date=date(2027, 9, 1),
        outcome="skipped",
        price_index="ipca",
        months={},
        factor="1",
        values=[],
        executed_at=clock.now(),
    )

    run(sheet(tmp_path, line(indice="inpc", primeiro_reajuste="01/09/2027")))

    clause = ScheduledUpdate.objects.get()
    assert (clause.price_index, clause.next_n, clause.execution_date, clause.remind_at) == (
        "inpc",
        1,
        date(2028, 9, 1),
        date(2028, 9, 1),
    )


# --- cancelled contracts -------------------------------------------------------------------------


def test_a_contract_already_cancelled_comes_in_cancelled_and_bills_only_up_to_the_date(tmp_path):
    path = sheet(
        tmp_path,
        line(
            primeira_emissao="01/06/2026", cancelado_em="15/08/2026", motivo_cancelamento="Mudou-se"
        ),
        line(2),
    )

    report = run(path)

    assert (report["error"], report["cancelled"]) == ("", 1)
    contract = Contract.objects.get(external_code="CT1")
    assert (contract.status, contract.cancel_date, contract.cancel_reason) == (
        "cancelled",
        date(2026, 8, 15),
        "Mudou-se",
    )
    issued = Invoice.objects.filter(contract=contract, is_final=False).order_by("issue_date")
    assert [i.issue_date for i in issued] == [date(2026, 6, 1), date(2026, 7, 1), date(2026, 8, 1)]
    assert run(path)["has_changes"] is False


def test_a_contract_cancelled_here_since_is_left_alone_with_a_warning(tmp_path):
    run(sheet(tmp_path, line(cancelado_em="15/10/2026")))

    report = run(sheet(tmp_path, line(valor_unitario="999", titulo="Outro")))

    assert (report["error"], report["has_changes"]) == ("", False)
    assert messages(report, "warnings") == [
        "O contrato foi cancelado em 15/10/2026; a linha não muda nada."
    ]


# --- around --------------------------------------------------------------------------------------


def test_an_import_is_audited_with_figures_and_without_names(tmp_path, account):
    run(sheet(tmp_path, line()))

    event = AuditEvent.objects.get(action="importacao.concluida")
    assert (event.account, event.actor_kind) == (account, "system")
    assert event.after["customers"] == {"created": 1, "updated": 0, "unchanged": 0}
    assert len(event.after["sha256"]) == 64
    assert "Cliente" not in str(event.after)


def test_a_dry_run_tells_everything_and_writes_nothing(tmp_path):
    path = sheet(tmp_path, line(), line(2, cancelado_em="15/10/2026"))

    report = run(path, "--dry-run")

    assert counts(report) == {"customers": (2, 0, 0), "contracts": (2, 0, 0), "rules": (2, 0, 0)}
    assert (report["was_imported"], report["cancelled"]) == (False, 1)
    assert "Simulação, nada foi gravado:" in says(path, "--dry-run")
    assert Contract.objects.count() == Invoice.objects.count() == ServiceItem.objects.count() == 0
    assert not Party.objects.exclude(kind="organization").exists()
    assert not AuditEvent.objects.exists()


def test_codes_of_another_account_are_other_codes(tmp_path, other_account):
    OrganizationFactory(account=other_account)
    path = sheet(tmp_path, line(cnpj_cpf=cnpj(7)))
    run(path)

    report = run(path, account="outra")

    assert counts(report) == {"customers": (1, 0, 0), "contracts": (1, 0, 0), "rules": (1, 0, 0)}
    assert Party.objects.filter(external_code="C1").count() == 2


def test_with_several_organizations_one_must_be_named(tmp_path, account, organization):
    other = OrganizationFactory(account=account)
    path = sheet(tmp_path, line())

    assert "A conta tem várias organizações; informe o CNPJ" in run(path)["error"]
    assert "não tem organização com o CNPJ 123" in run(path, organization="123")["error"]
    assert run(path, organization=other.document)["error"] == ""
    assert Contract.objects.get().organization == other


def test_the_number_of_queries_does_not_grow_with_the_lines(tmp_path):
    few = sheet(tmp_path, *(line(n) for n in range(10)), name="few.csv")
    many = sheet(tmp_path, *(line(n, servico="Outro") for n in range(10, 310)), name="many.csv")
    with CaptureQueriesContext(
        connection,
    ) as small:
        run(few, "--no-invoices")
    with CaptureQueriesContext(connection) as large:
        run(many, "--no-invoices")

    assert len(large) == len(small)
    assert len(large) <= 40


def test_contracts_of_a_thousand_lines_and_more_are_written_in_batches_and_counted_once(tmp_path):
    lines = [{**line(1, codigo_contrato=f"K{n // 3}"), "servico": f"S{n % 3}"} for n in range(2400)]

    report = run(sheet(tmp_path, *lines), "--no-invoices")

    assert counts(report) == {
        "customers": (1, 0, 0),
        "contracts": (800, 0, 0),
        "rules": (800, 0, 0),
    }
    assert report["services_created"] == 3
    assert run(tmp_path / "contratos.csv")["has_changes"] is False


def test_a_rule_that_ended_is_not_changed_by_a_file(tmp_path):
    run(sheet(tmp_path, line()))
    rule = InvoiceRule.objects.get()
    rule.end()
    rule.save()

    assert run(sheet(tmp_path, line()))["error"] == ""
    report = run(sheet(tmp_path, line(valor_unitario="1")))
    assert messages(report) == [
        "A regra está encerrada e não muda mais; use outro código de regra."
    ]


def test_a_rule_made_here_is_not_touched_by_files_that_do_not_name_it(tmp_path, account):
    run(sheet(tmp_path, line()))
    RuleFactory(contract=Contract.objects.get(), external_code="")

    report = run(sheet(tmp_path, line(valor_unitario="150")))

    assert counts(report)["rules"] == (0, 1, 0)
    assert InvoiceRule.objects.get(external_code="").gross_value == Decimal("100.00")


# --- at the same time ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_an_account_at_once_wait_for_each_other(tmp_path, account):
    paths = [
        sheet(tmp_path, *(line(n, cnpj_cpf=cnpj(n)) for n in range(40)), name=f"{k}.csv")
        for k in range(4)
    ]
    reports: list[ImportReport] = []
    errors: list[Exception] = []
    barrier = threading.Barrier(4)

    def work(path: Path) -> None:
        try:
            barrier.wait()
            reports.append(import_file(account, path, options=ImportOptions(today=TODAY)))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[path]) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(report.contracts.created for report in reports) == [0, 0, 0, 40]
    assert sorted(report.contracts.unchanged for report in reports) == [0, 40, 40, 40]
    assert Invoice.objects.count() == 40 * 25


@pytest.mark.django_db(transaction=True)
def test_a_customer_created_elsewhere_meanwhile_undoes_the_import_with_a_clear_word(
    tmp_path, account, monkeypatch
):
    from billing.services.imports import running

    real = running.load

    def load_then_lose_the_race(groups, context):
        found = real(groups, context)
        # Patched because the moment between reading and writing cannot be staged from outside.
        CompanyFactory(account=account, document=cnpj(7), external_code="OUTRO")
        return found

    monkeypatch.setattr(running, "load", load_then_lose_the_race)

    report = run(sheet(tmp_path, line(cnpj_cpf=cnpj(7))))

    assert report["error"].startswith("Outra pessoa mudou os mesmos cadastros")
    assert Contract.objects.count() == 0
