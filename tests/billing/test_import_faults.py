"""What an import refuses: every fault at once, with line, column, value and what is accepted."""

from __future__ import annotations

from datetime import date

import pytest
from factories import (
    CompanyFactory,
    ContractFactory,
    OrganizationFactory,
    RuleFactory,
    ServiceItemFactory,
    cnpj,
)
from support.imports import faults, line, messages, run, says, sheet

from accounts.models import AuditEvent
from billing.models import Contract, Party, ServiceItem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _house(account, organization, today):
    today("2026-08-12")


def refused(tmp_path, *lines):
    """The report of a file that must be refused, after checking that nothing came in."""
    before = (Party.objects.count(), Contract.objects.count(), ServiceItem.objects.count())
    report = run(sheet(tmp_path, *lines))
    after = (Party.objects.count(), Contract.objects.count(), ServiceItem.objects.count())
    assert report["error"].startswith("Nada foi importado: ")
    assert report["was_imported"] is False
    assert after == before
    return report


def test_all_faults_of_all_lines_come_at_once_and_nothing_is_imported(tmp_path):
    report = refused(
        tmp_path,
        line(1),
        line(2, cnpj_cpf="11.222.333/0001-82", uf="XX", cep="123", email="sem arroba"),
        line(3, valor_unitario="dez", periodicidade="diária", primeira_emissao="31/02/2026"),
        line(4, nome=""),
    )

    assert report["error"] == "Nada foi importado: 8 erro(s) em 3 linha(s)."
    assert sorted(faults(report)) == [
        (3, "cep", "123"),
        (3, "cnpj_cpf", "11.222.333/0001-82"),
        (3, "email", "sem arroba"),
        (3, "uf", "XX"),
        (4, "periodicidade", "diária"),
        (4, "primeira_emissao", "31/02/2026"),
        (4, "valor_unitario", "dez"),
        (5, "nome", ""),
    ]
    assert not AuditEvent.objects.exists()


def test_a_person_reads_line_column_value_and_what_is_accepted(tmp_path):
    text = says(sheet(tmp_path, line(uf="XX")))

    assert "  Linha 2, coluna uf, valor “XX”: UF inválida. Use a sigla do estado, como SP." in text
    assert text.splitlines()[-1] == "Nada foi importado: 1 erro(s) em 1 linha(s)."


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("codigo_cliente", "x" * 61, "O texto tem 61 caracteres; o máximo é 60."),
        ("codigo_cliente", "1,12223E+13", "A planilha arredondou o número"),
        ("cnpj_cpf", "1,12223E+13", "A planilha arredondou o número"),
        ("cnpj_cpf", "111.111.111-11", "CNPJ ou CPF inválido."),
        ("cnpj_cpf", "12.ABC.345/01DE-36", "letras são aceitas nas 12 primeiras"),
        ("nome", "x" * 201, "o máximo é 200"),
        ("telefone", "ligar à tarde", "Telefone inválido."),
        ("cep", "01001-00", "O CEP deve ter 8 números."),
        ("codigo_ibge", "355030", "Código IBGE inválido."),
        ("emails_cobranca", "a@b.com; c@d", "E-mail inválido: c@d."),
        ("inicio_contrato", "12/31/2026", "Data inválida. Use dd/mm/aaaa."),
        ("inicio_contrato", "01/01/26", "Data inválida. Use dd/mm/aaaa."),
        ("inicio_contrato", "01/01/2206", "Data fora de 1990 a 2100. Confira o ano."),
        ("cobranca", "mensal", "Use: pré-paga ou pós-paga."),
        ("periodicidade", "quinzenal", "Use: semanal, mensal, bimestral"),
        ("competencia", "outro", "Use: mesmo, anterior ou seguinte."),
        ("tipo_vencimento", "dia 10", "Use: dia fixo, último dia, após dias ou dia após meses."),
        ("dia_vencimento", "32", "Use um número inteiro de 1 a 31."),
        ("dia_vencimento", "10,5", "Use um número inteiro de 1 a 31."),
        ("parcelas", "0", "Use um número inteiro de 1 a 360."),
        ("forma_pagamento", "cheque", "Use: boleto, cartão, Pix"),
        ("automatico", "talvez", "Use sim ou não."),
        ("indice", "selic", "Use: IPCA, IGP-M, IGP-DI, INPC ou IPC-Fipe."),
        ("quantidade", "0", "Use um número a partir de 0,0001."),
        ("quantidade", "1,00001", "Valor inválido. Use o formato 1.234,56."),
        ("valor_unitario", "1,234.56", "Valor inválido. Use o formato 1.234,56."),
        ("valor_unitario", "999.999.999.999,00", "Valor alto demais"),
        ("imposto_percent", "101", "Use um percentual de 0 a 100."),
        ("nome", "=HYPERLINK(A1)", "A célula contém fórmula; cole como valor."),
        ("valor_unitario", "=10*2", "A célula contém fórmula; cole como valor."),
        ("nome", "#N/D", "A célula contém um erro da planilha"),
    ],
)
def test_each_column_says_what_it_accepts(tmp_path, column, value, message):
    first = {"primeiro_reajuste": "01/09/2027"} if column == "indice" else {}

    report = refused(tmp_path, line(**first, **{column: value}))

    assert faults(report) == [(2, column, value[:100])]
    assert message in messages(report)[0]


@pytest.mark.parametrize(
    ("cells", "column", "message"),
    [
        ({"servico": ""}, "servico", "Informe servico."),
        ({"dia_vencimento": ""}, "tipo_vencimento", "Informe o vencimento"),
        ({"tipo_vencimento": "após dias", "dia_vencimento": ""}, "dias_apos", "Informe dias_apos"),
        (
            {"tipo_vencimento": "último dia"},
            "dia_vencimento",
            "Não se usa com este tipo de vencimento; apague.",
        ),
        ({"dias_uteis": "sim"}, "dias_uteis", "Dias úteis só valem para último dia e após dias"),
        (
            {"inicio_contrato": "01/02/2026", "fim_contrato": "01/01/2026"},
            "fim_contrato",
            "igual ou posterior a inicio_contrato (01/02/2026)",
        ),
        (
            {"inicio_contrato": "01/02/2026", "cancelado_em": "01/01/2026"},
            "cancelado_em",
            "igual ou posterior a inicio_contrato",
        ),
        ({"motivo_cancelamento": "x"}, "motivo_cancelamento", "Informe cancelado_em"),
        ({"ultima_emissao": "31/08/2026"}, "ultima_emissao", "igual ou posterior a primeira"),
        ({"ultima_emissao": "01/09/2032"}, "ultima_emissao", "deve ser no máximo 5 (cinco) anos"),
        (
            {"periodicidade": "semanal", "ultima_emissao": "01/09/2028"},
            "ultima_emissao",
            "deve ser no máximo 1 (um) ano",
        ),
        ({"indice": "ipca"}, "primeiro_reajuste", "Informe a data do primeiro reajuste"),
        ({"reajuste_meses": "12"}, "reajuste_meses", "Informe o indice do reajuste"),
        (
            {"indice": "ipca", "primeiro_reajuste": "31/12/1999"},
            "primeiro_reajuste",
            "Use 01/01/2000 ou depois.",
        ),
        ({"valor_unitario": "-1"}, "valor_unitario", "O total da regra é negativo"),
        ({"parcelas": "360", "valor_unitario": "3,59"}, "parcelas", "não pode ser menor do que"),
        (
            {"quantidade": "99999999999", "valor_unitario": "9999999999"},
            "valor_unitario",
            "Valor alto demais.",
        ),
    ],
)
def test_cells_that_do_not_go_together_are_refused(tmp_path, cells, column, message):
    report = refused(tmp_path, line(**cells))

    assert [fault[:2] for fault in faults(report)] == [(2, column)]
    assert message in messages(report)[0]


def test_parcels_below_the_minimum_of_the_organization_are_refused(tmp_path, organization):
    organization.profile.minimum_receivable = 5
    organization.profile.save()

    report = refused(tmp_path, line(valor_unitario="14,99", parcelas="3"))

    assert messages(report) == ["Valor das parcelas não pode ser menor do que R$ 5,00."]


# --- lines against each other --------------------------------------------------------------------


def test_contradictory_data_for_one_code_names_the_column_and_the_other_line(tmp_path):
    report = refused(
        tmp_path,
        line(email="a@aurora.example", titulo="Um"),
        line(servico="B", email="b@aurora.example", titulo="Dois", dia_vencimento="20"),
    )

    assert faults(report) == [
        (3, "email", "b@aurora.example"),
        (3, "titulo", "Dois"),
        (3, "dia_vencimento", "20"),
    ]
    assert messages(report)[0] == (
        "A linha 2 diz “a@aurora.example” para o mesmo código de cliente. Deixe igual, ou em "
        "branco nesta linha."
    )


def test_a_bad_cell_inherited_by_blank_ones_is_told_once(tmp_path):
    report = refused(tmp_path, line(email="x"), line(email="", servico="B"))

    assert faults(report) == [(2, "email", "x")]


def test_one_document_under_two_codes_is_refused(tmp_path):
    report = refused(tmp_path, line(1, cnpj_cpf=cnpj(7)), line(2, cnpj_cpf=cnpj(7)))

    assert faults(report) == [(3, "cnpj_cpf", cnpj(7))]
    assert messages(report) == ["A linha 2 usa o mesmo em codigo_cliente “C1”."]


def test_one_contract_of_two_customers_is_refused(tmp_path):
    report = refused(tmp_path, line(1), line(2, codigo_contrato="CT1"))

    assert faults(report) == [(3, "codigo_cliente", "C2")]
    assert messages(report) == ["A linha 2 põe o mesmo contrato em codigo_cliente “C1”."]


def test_one_contract_name_for_two_contracts_is_refused(tmp_path):
    report = refused(tmp_path, line(1, contrato_nome="X"), line(2, contrato_nome="X"))

    assert faults(report) == [(3, "contrato_nome", "X")]


@pytest.mark.parametrize(("first", "second"), [("CT2", ""), ("R", "R")])
def test_one_rule_code_in_two_contracts_is_refused(tmp_path, first, second):
    report = refused(tmp_path, line(1, codigo_regra=first), line(2, codigo_regra=second))

    assert (3, "codigo_regra") in [fault[:2] for fault in faults(report)]
    assert "O contrato “CT1” já usa este código de regra." in messages(report)


def test_two_taxes_for_one_service_are_refused(tmp_path):
    report = refused(tmp_path, line(1, imposto_percent="5"), line(2, imposto_percent="5,5%"))

    assert faults(report) == [(3, "imposto_percent", "5,5%")]
    assert messages(report) == ["A linha 2 diz “5” para o mesmo serviço."]


# --- lines against the database ------------------------------------------------------------------


def test_a_document_of_another_customer_is_refused(tmp_path, account):
    CompanyFactory(account=account, document=cnpj(7), external_code="OUTRO")

    report = refused(tmp_path, line(cnpj_cpf=cnpj(7)))

    assert faults(report) == [(2, "cnpj_cpf", "00.000.007/0001-03")]
    assert "Já é de outro cliente: “OUTRO”." in messages(report)[0]


def test_a_code_of_an_organization_is_refused(tmp_path, account, organization):
    organization.external_code = "C1"
    organization.save()

    report = refused(tmp_path, line())

    assert messages(report) == ["O código é de uma organização desta conta; use outro."]


def test_an_organization_may_also_be_a_customer_with_a_code_of_its_own(tmp_path, organization):
    assert run(sheet(tmp_path, line(cnpj_cpf=organization.document)))["error"] == ""
    assert Party.objects.filter(document=organization.document).count() == 2


def test_a_contract_of_another_customer_or_organization_is_refused(tmp_path, account, organization):
    other = CompanyFactory(account=account, external_code="OUTRO")
    ContractFactory(
        account=account, organization=organization, party=other, external_code="CT1", name="a"
    )
    ContractFactory(
        account=account,
        organization=OrganizationFactory(account=account),
        party=CompanyFactory(account=account, external_code="C2"),
        external_code="CT2",
        name="b",
    )

    report = run(sheet(tmp_path, line(1), line(2)), organization=organization.document)

    assert faults(report) == [(2, "codigo_cliente", "C1"), (3, "codigo_contrato", "CT2")]
    assert messages(report)[0] == "O contrato “CT1” é do cliente “OUTRO”."


def test_a_contract_name_or_rule_code_taken_elsewhere_is_refused(tmp_path, account, organization):
    contract = ContractFactory(account=account, organization=organization, name="CT1")
    RuleFactory(contract=contract, external_code="R9")

    report = refused(tmp_path, line(1, codigo_regra="R9"))

    assert sorted(fault[:2] for fault in faults(report)) == [
        (2, "codigo_regra"),
        (2, "contrato_nome"),
    ]


def test_a_tax_other_than_the_catalogue_s_is_refused(tmp_path, account):
    ServiceItemFactory(account=account, name="Suporte", tax_percentage=3)

    report = refused(tmp_path, line(imposto_percent="5"))

    assert messages(report) == ["O serviço está no catálogo com 3%. Mude lá, ou deixe em branco."]


def test_another_cancellation_date_for_a_cancelled_contract_is_refused(tmp_path):
    run(sheet(tmp_path, line(cancelado_em="15/10/2026")))

    report = refused(tmp_path, line(cancelado_em="16/10/2026"))

    assert messages(report) == ["O contrato já foi cancelado em 15/10/2026; use esta data."]
    assert Contract.objects.get().cancel_date == date(2026, 10, 15)


def test_a_new_start_that_an_old_end_does_not_allow_is_refused(tmp_path):
    run(sheet(tmp_path, line(ultima_emissao="31/12/2026")))

    report = refused(tmp_path, line(primeira_emissao="01/09/2027"))

    assert messages(report) == ["O intervalo termina antes de começar."]


def test_faults_of_the_file_and_of_the_database_come_together(tmp_path, account):
    CompanyFactory(account=account, document=cnpj(7), external_code="OUTRO")

    report = refused(tmp_path, line(1, uf="XX"), line(2, cnpj_cpf=cnpj(7)))

    assert [fault[:2] for fault in faults(report)] == [(2, "uf"), (3, "cnpj_cpf")]
