"""/v2/empresas: creating, showing, changing and removing companies (fiscal-api §14)."""

from __future__ import annotations

from typing import Any

import pytest
from factories import FiscalCompanyFactory, cpf
from support.companies import certificate_body, company_body, faults, png
from support.v2 import fiscal_token, master_token, v2

from accounts.models import ApiToken, AuditEvent
from fiscal.models import Company, FiscalDocument, Series
from fiscal.services.companies import csc_of, issuer_of
from fiscal.services.company_fields import ATTRIBUTES
from lib import clock

pytestmark = pytest.mark.django_db


def test_a_created_company_is_answered_whole(master):
    answer = master.post("empresas", company_body())

    shown = answer.json()
    assert answer.status_code == 200
    company = Company.objects.get()
    assert shown["id"] == str(company.pk)
    assert {name: shown[name] for name in ("nome", "cnpj", "cpf", "inscricao_estadual", "telefone",
                                           "cep", "numero", "regime_tributario", "codigo_municipio",
                                           "codigo_uf", "codigo_pais", "pais")} == {
        "nome": "Padaria Aurora Ltda",
        "cnpj": "11222333000181",
        "cpf": None,
        "inscricao_estadual": "110042490114",
        "telefone": "1130001000",
        "cep": "01310100",
        "numero": "1000",
        "regime_tributario": "3",
        "codigo_municipio": "3550308",
        "codigo_uf": "35",
        "codigo_pais": "1058",
        "pais": "Brasil",
    }  # fmt: skip
    assert (shown["habilita_nfe"], shown["habilita_nfse"]) == (True, False)
    assert (shown["serie_nfe_producao"], shown["proximo_numero_nfe_producao"]) == (1, 1)
    assert (shown["orientacao_danfe"], shown["mostrar_danfse_badge"]) == ("portrait", True)
    assert shown["certificado_valido_ate"] is None


def test_the_attributes_may_come_inside_empresa(master):
    answer = master.post("empresas", {"empresa": company_body(nome="Outra Padaria")})

    assert answer.json()["nome"] == "Outra Padaria"


def test_every_documented_attribute_is_in_the_record(master):
    """§14.2: what is sent, without secrets and files, and what is read only."""
    shown = master.post("empresas", company_body()).json()

    kinds = ("nfe", "nfce", "nfse", "nfsen", "cte", "cte_os", "mdfe")
    numbered = {
        f"{prefix}_{kind}_{where}"
        for prefix in ("proximo_numero", "serie")
        for kind in kinds
        for where in ("producao", "homologacao")
    }
    read_only = {
        "id", "cargo_responsavel", "codigo_municipio", "codigo_pais", "codigo_uf", "pais",
        "certificado_valido_de", "certificado_valido_ate", "certificado_cnpj",
        "data_ultima_emissao", "caminho_logo", "habilita_manifestacao_homologacao",
        "habilita_manifestacao_cte_homologacao", "habilita_contingencia_epec_nfce",
        "exibe_fatura_danfe", "exibe_desconto_itens", "habilita_csrt_nfe", "token_producao",
        "token_homologacao", "senha_responsavel_preenchida", "smtp_habilita_starttlls",
    }  # fmt: skip
    assert (numbered | read_only) - shown.keys() == set()
    secrets = {
        "csc_nfce_producao", "csc_nfce_homologacao", "senha_responsavel", "smtp_senha",
        "senha_certificado", "arquivo_certificado_base64", "arquivo_logo_base64",
    }  # fmt: skip
    assert secrets & shown.keys() == set()


def every_attribute() -> dict[str, Any]:
    """A value for each attribute of §14.2 that can be sent; none is what it is without."""
    flags = (
        "enviar_email_homologacao", "discrimina_impostos", "habilita_nfe", "habilita_nfce",
        "habilita_nfse", "habilita_nfsen_homologacao", "habilita_nfsen_recebidas_producao",
        "habilita_nfsen_recebidas_homologacao", "habilita_cte", "habilita_mdfe",
        "habilita_manifestacao", "habilita_manifestacao_cte", "habilita_contingencia_offline_nfce",
        "reaproveita_numero_nfce_contingencia", "exibe_sempre_ipi_danfe", "exibe_issqn_danfe",
        "exibe_impostos_adicionais_danfe", "exibe_unidade_tributaria_danfe",
        "exibe_sempre_volumes_danfe", "exibe_composicao_carga_mdfe", "nfe_sincrono",
        "nfe_sincrono_homologacao", "mdfe_sincrono", "mdfe_sincrono_homologacao",
        "certificado_especifico", "smtp_habilita_starttls", "smtp_ssl", "smtp_tls",
        "habilita_filtro_mde_destinatario_empresa",
    )  # fmt: skip
    off = ("enviar_email_destinatario", "mostrar_danfse_badge", "recibo_danfe",
           "habilita_nfsen_producao")  # fmt: skip
    numbers = {
        f"{prefix}_{kind}_{where}": 10 + n
        for n, kind in enumerate(("nfe", "nfce", "cte", "cte_os", "mdfe"))
        for prefix in ("proximo_numero", "serie")
        for where in ("producao", "homologacao")
    }
    services = {
        name: value
        for kind in ("nfse", "nfsen")
        for where in ("producao", "homologacao")
        for name, value in (
            (f"proximo_numero_{kind}_{where}", 33),
            (f"serie_{kind}_{where}", "RPS" if kind == "nfse" else "33"),
        )
    }
    texts = {
        "nome": "Padaria Aurora Ltda", "nome_fantasia": "Aurora", "cnpj": "11222333000181",
        "inscricao_estadual": "110042490114", "inscricao_municipal": "46532",
        "regime_tributario": "3", "email": "fiscal@aurora.test", "telefone": "1130001000",
        "logradouro": "Avenida Paulista", "numero": "1000", "complemento": "Loja 1",
        "bairro": "Bela Vista", "cep": "01310100", "municipio": "São Paulo", "uf": "SP",
        "cpf_cnpj_contabilidade": "11444777000161", "orientacao_danfe": "landscape",
        "id_token_nfce_producao": "000001", "id_token_nfce_homologacao": "000002",
        "nome_responsavel": "Ana Souza", "cpf_responsavel": cpf(7), "login_responsavel": "ana",
        "data_inicio_recebimento_nfe": "2026-01-01", "data_inicio_recebimento_cte": "2026-01-02",
        "data_inicio_recebimento_nfsen": "2026-01-03", "smtp_endereco": "smtp.aurora.test",
        "smtp_dominio": "aurora.test", "smtp_porta": 465, "smtp_login": "ana@aurora.test",
        "smtp_autenticacao": "cram_md5", "smtp_remetente": "notas@aurora.test",
        "smtp_responder_para": "ana@aurora.test", "smtp_modo_verificacao_openssl": "none",
    }  # fmt: skip
    return {
        **dict.fromkeys(flags, True), **dict.fromkeys(off, False), **numbers, **services, **texts,
    }  # fmt: skip


_SECRETS = {
    "csc_nfce_producao": "csc_nfce_producao_preenchido",
    "csc_nfce_homologacao": "csc_nfce_homologacao_preenchido",
    "senha_responsavel": "senha_responsavel_preenchida",
    "smtp_senha": "smtp_senha_preenchida",
}
_ANSWERED_AS = {"smtp_habilita_starttls": "smtp_habilita_starttlls"}


@pytest.mark.parametrize("is_rehearsed", [False, True], ids=["saved", "dry_run"])
def test_every_attribute_is_taken_answered_and_kept(master, is_rehearsed):
    sent = every_attribute()
    body = sent | dict.fromkeys(_SECRETS, "SEGREDO") | certificate_body()

    answer = master.post("empresas", body | {"arquivo_logo_base64": png(8, 8)},
                         **({"dry_run": 1} if is_rehearsed else {}))  # fmt: skip

    assert answer.status_code == 200, answer.json()
    shown = answer.json()
    wanted = {_ANSWERED_AS.get(name, name): value for name, value in sent.items()}
    assert {name: shown[name] for name in wanted} == wanted
    assert all(shown[name] is True for name in _SECRETS.values())
    assert shown["certificado_cnpj"] == "11222333000181"
    assert bool(shown["caminho_logo"]) is not is_rehearsed
    assert set(ATTRIBUTES) - set(_SECRETS) - {"cpf"} <= set(wanted)
    if is_rehearsed:
        assert not Company.objects.exists()
        return
    assert master.get(f"empresas/{shown['id']}").json() == shown
    # And each by itself, with what it is when it is taken back.
    for name in (
        "complemento",
        "habilita_cte",
        "smtp_porta",
        "orientacao_danfe",
        "serie_nfse_producao",
    ):
        cleared = master.put(f"empresas/{shown['id']}", {name: None}).json()
        assert cleared[name] in (None, False, "portrait")
    again = master.put(f"empresas/{shown['id']}", {"orientacao_danfe": "ladscape"}).json()
    assert again["orientacao_danfe"] == "landscape"


def test_every_attribute_refuses_what_it_is_not_by_its_name(master):
    """An object is a value of none of them, and all are told at once."""
    names = [*every_attribute(), *_SECRETS, "cpf", "arquivo_certificado_base64",
             "senha_certificado", "arquivo_logo_base64", "delete_logo"]  # fmt: skip

    for query in ({}, {"dry_run": 1}):
        answer = master.post("empresas", {name: {"x": 1} for name in names}, **query)

        assert answer.status_code == 422
        assert set(faults(answer)) == {_ANSWERED_AS.get(name, name) for name in names}
        assert all(text for text in faults(answer).values())
    assert not Company.objects.exists()


def test_received_nfse_ask_for_a_certificate_of_the_very_cnpj(master):
    """That of another establishment of the base is not enough."""
    name = "habilita_nfsen_recebidas_producao"
    branch = company_body(cnpj="11222333000262", **{name: True})
    refused = {name: f"{name} precisa de um certificado deste CNPJ"}
    master.post("empresas", company_body() | certificate_body())

    assert faults(master.post("empresas", branch)) == refused
    assert faults(master.post("empresas", branch | certificate_body())) == refused
    good = master.post("empresas", branch | certificate_body("11222333000262"))
    assert good.json()[name] is True
    matriz = master.put("empresas/11222333000181", {name: True})
    assert matriz.json()[name] is True


def test_a_company_gets_a_token_for_each_environment(master):
    shown = master.post("empresas", company_body()).json()

    rows = ApiToken.objects.filter(scope="fiscal").values_list("company_cnpj", "ambiente")
    assert sorted(rows) == [("11222333000181", "homologacao"), ("11222333000181", "producao")]
    assert shown["token_producao"] != shown["token_homologacao"]
    stored = str(Company.objects.values().get()) + str(list(ApiToken.objects.values()))
    assert shown["token_producao"] not in stored
    again = master.get(f"empresas/{shown['id']}").json()
    assert again["token_producao"] == shown["token_producao"]
    # It is one company in one environment: its own address space answers, the account's does not.
    assert v2(shown["token_producao"]).get("empresas").status_code == 403


def test_a_revoked_token_is_not_shown_any_more(master):
    shown = master.post("empresas", company_body()).json()
    ApiToken.objects.filter(ambiente="producao").update(revoked_at=clock.now())

    again = master.get(f"empresas/{shown['id']}").json()

    assert again["token_producao"] is None
    assert again["token_homologacao"] == shown["token_homologacao"]


def test_all_faults_are_told_at_once(master):
    answer = master.post(
        "empresas",
        company_body(
            cnpj="11222333000180",
            email="x",
            uf="XX",
            cep="123",
            telefone="abc",
            regime_tributario=9,
            habilita_nfe="talvez",
            serie_nfce_producao=905,
            orientacao_danfe="torto",
            inscricao_estadual=None,
        ),
    )

    body = answer.json()
    assert answer.status_code == 422
    assert (body["codigo"], body["mensagem"]) == ("erro_validacao", "Erro de validação")
    assert {one["codigo"] for one in body["erros"]} == {"erro_validacao"}
    assert faults(answer) == {
        "cnpj": "cnpj não é um CNPJ válido",
        "email": "email não é um e-mail válido",
        "uf": "uf deve ser a sigla de um estado",
        "cep": "cep deve ter 8 dígitos",
        "telefone": "telefone deve ter de 6 a 14 dígitos",
        "regime_tributario": "regime_tributario deve ser 1, 2, 3 ou 4",
        "habilita_nfe": "habilita_nfe deve ser true ou false",
        "orientacao_danfe": "orientacao_danfe deve ser um destes: portrait, landscape",
        "inscricao_estadual": "inscricao_estadual não informado",
    }
    assert not Company.objects.exists()


def test_nothing_but_the_name_and_the_document_is_asked_of_a_company_that_issues_nothing(master):
    answer = master.post("empresas", {"nome": "Só Cadastro", "cnpj": "11222333000181"})

    assert answer.status_code == 200
    assert faults(master.post("empresas", {})) == {
        "nome": "nome não informado",
        "cnpj": "cnpj não informado: informe cnpj ou cpf, um só deles",
    }


@pytest.mark.parametrize(
    ("changes", "campo", "mensagem"),
    [
        ({"serie_nfe_producao": 900}, "serie_nfe_producao", "não permitida: use de 0 a 889"),
        ({"municipio": "S. Paulo"}, "municipio", "não existe em SP: informe o nome por extenso"),
        (
            {"habilita_nfse": True, "habilita_nfsen_producao": True},
            "habilita_nfsen_producao",
            "não pode ser usado com habilita_nfse",
        ),
        ({"nome": "N" * 61}, "nome", "deve ter até 60 caracteres na NFe e na NFCe"),
        ({"cpf": cpf(7)}, "cnpj", "não informado: informe cnpj ou cpf, um só deles"),
        ({"proximo_numero_nfe_producao": 0}, "proximo_numero_nfe_producao",
         "deve ser um número de 1 a 999999999"),
        ({"nome": {"x": 1}}, "nome", "deve ser um texto"),
        ({"data_inicio_recebimento_nfe": "31/02/2026"}, "data_inicio_recebimento_nfe",
         "deve ser uma data (aaaa-mm-dd)"),
        ({"smtp_porta": 70000}, "smtp_porta", "deve ser um número de 1 a 65535"),
        ({"smtp_autenticacao": "ntlm"}, "smtp_autenticacao",
         "deve ser um destes: plain, login, cram_md5"),
        ({"arquivo_logo_base64": "bm90IGEgcG5n"}, "arquivo_logo_base64",
         "deve ser uma imagem PNG"),
        ({"arquivo_logo_base64": png(201, 10)}, "arquivo_logo_base64",
         "deve ter no máximo 200 x 200 pixels"),
        ({"arquivo_logo_base64": "*"}, "arquivo_logo_base64", "não está em base64"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(master, changes, campo, mensagem):
    answer = master.post("empresas", company_body(**changes))

    assert answer.status_code == 422
    assert faults(answer) == {campo: f"{campo} {mensagem}"}
    assert not Company.objects.exists()


def test_a_cnpj_may_have_letters_and_a_mask(master):
    answer = master.post("empresas", company_body(cnpj="12.abc.345/01DE-35"))

    assert answer.json()["cnpj"] == "12ABC34501DE35"
    token = answer.json()["token_homologacao"]
    assert ApiToken.objects.get(ambiente="homologacao").company_cnpj == "12ABC34501DE35"
    assert v2(token).get("empresas").status_code == 403  # known, and not for this


def test_a_person_issues_in_series_of_their_own(master):
    """NUM-7: 920 to 969 for issuers identified by CPF."""
    body = company_body(cnpj=None, cpf=cpf(7))

    shown = master.post("empresas", body).json()

    assert (shown["cpf"], shown["cnpj"], shown["serie_nfe_producao"]) == (cpf(7), None, 920)
    assert faults(master.put(f"empresas/{shown['id']}", {"serie_nfe_producao": 1})) == {
        "serie_nfe_producao": "serie_nfe_producao não permitida: use de 920 a 969"
    }


def test_the_same_cnpj_twice_is_refused(master, other_account):
    master.post("empresas", company_body())

    answer = master.post("empresas", company_body())

    assert faults(answer) == {"cnpj": "cnpj já é de outra empresa desta conta"}
    assert Company.objects.count() == 1
    assert v2(master_token(other_account)).post("empresas", company_body()).status_code == 200


def test_a_rehearsal_answers_as_if_saved_and_saves_nothing(master):
    answer = master.post("empresas", company_body(proximo_numero_nfe_producao=55), dry_run=1)

    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["token_producao"]) == (None, None)
    assert (shown["nome"], shown["proximo_numero_nfe_producao"]) == ("Padaria Aurora Ltda", 55)
    assert not Company.objects.exists()
    assert not Series.objects.exists()
    assert not ApiToken.objects.filter(scope="fiscal").exists()
    assert not AuditEvent.objects.filter(action="empresa.criada").exists()


def test_a_rehearsed_change_is_not_made(master, company):
    answer = master.put(f"empresas/{company.pk}", {"nome": "Nova Razão"}, dry_run=1)

    assert (answer.json()["id"], answer.json()["nome"]) == (str(company.pk), "Nova Razão")
    assert Company.objects.get().nome == company.nome
    bad = master.put(f"empresas/{company.pk}", {"email": "x"}, dry_run=1)
    assert (bad.status_code, faults(bad)) == (422, {"email": "email não é um e-mail válido"})


def test_a_change_keeps_what_it_does_not_name(master, company):
    answer = master.put(f"empresas/{company.pk}", {"complemento": "Loja 1", "recibo_danfe": False})

    changed = Company.objects.get()
    assert answer.status_code == 200
    assert (changed.complemento, changed.nome, changed.uf) == ("Loja 1", company.nome, "SP")
    assert changed.options == {"recibo_danfe": False}
    assert csc_of(changed, "producao").code == "CODIGO-PRODUCAO-0001"


def test_a_record_may_be_sent_back_as_it_came(master):
    shown = master.post("empresas", company_body()).json()

    again = master.put(f"empresas/{shown['id']}", shown)

    assert again.status_code == 200
    assert again.json() == shown
    assert csc_of(Company.objects.get(), "producao").code == "CODIGO-SECRETO-1"


def test_the_document_and_a_set_starting_day_never_change(master):
    body = company_body(data_inicio_recebimento_nfe="2026-01-01")
    shown = master.post("empresas", body).json()

    answer = master.put(
        f"empresas/{shown['id']}",
        {"cnpj": "11444777000161", "data_inicio_recebimento_nfe": "2026-02-01"},
    )

    assert faults(answer) == {
        "cnpj": "cnpj não pode ser alterado",
        "data_inicio_recebimento_nfe": "data_inicio_recebimento_nfe não pode ser alterado",
    }
    assert Company.objects.get().cnpj == "11222333000181"


def test_a_change_of_town_changes_its_code(master, company):
    master.put(f"empresas/{company.pk}", {"municipio": "porto alegre", "uf": "rs"})

    issuer = issuer_of(Company.objects.get())
    assert (issuer.codigo_municipio, issuer.uf) == ("4314902", "RS")


def test_secrets_are_kept_closed_and_never_told(master):
    secrets = {
        "csc_nfce_producao": "SEGREDO-CSC",
        "senha_responsavel": "SEGREDO-PREFEITURA",
        "smtp_senha": "SEGREDO-SMTP",
    }
    shown = master.post("empresas", company_body(**secrets)).json()

    assert shown["csc_nfce_producao_preenchido"] is True
    assert shown["csc_nfce_homologacao_preenchido"] is False
    assert shown["senha_responsavel_preenchida"] is True
    everywhere = str(shown) + str(Company.objects.values().get())
    everywhere += str(list(AuditEvent.objects.values()))
    assert "SEGREDO" not in everywhere
    assert csc_of(Company.objects.get(), "producao").code == "SEGREDO-CSC"
    cleared = master.put(f"empresas/{shown['id']}", {"senha_responsavel": None}).json()
    assert cleared["senha_responsavel_preenchida"] is False


def test_the_logo_is_shown_under_its_path_and_can_be_removed(master):
    shown = master.post("empresas", company_body(arquivo_logo_base64=png(200, 200))).json()

    logo = master.get(shown["caminho_logo"])

    assert (logo.status_code, logo["Content-Type"]) == (200, "image/png")
    assert logo.content.startswith(b"\x89PNG")
    removed = master.put(f"empresas/{shown['id']}", {"delete_logo": True}).json()
    assert removed["caminho_logo"] is None
    assert master.get(shown["caminho_logo"]).status_code == 404


def test_the_next_number_goes_on_from_what_was_issued_elsewhere(master, company):
    """NUM-8: environments count apart."""
    answer = master.put(
        f"empresas/{company.pk}",
        {"serie_nfe_producao": 2, "proximo_numero_nfe_producao": "501"},
    )

    shown = answer.json()
    assert (shown["serie_nfe_producao"], shown["proximo_numero_nfe_producao"]) == (2, 501)
    assert shown["proximo_numero_nfe_homologacao"] == 1
    row = Series.objects.get()
    assert (row.ambiente, row.modelo, row.serie, row.next_number) == ("producao", 55, 2, 501)


def test_a_number_that_was_used_is_never_given_again(master, company):
    FiscalDocument.objects.create(
        account=company.account, company=company, ambiente="producao", modelo=55, ref="1",
        serie=1, numero=40, payload={}, created_at=clock.now(), state="rejeitado",
    )  # fmt: skip

    answer = master.put(f"empresas/{company.pk}", {"proximo_numero_nfe_producao": 40})

    assert faults(answer) == {
        "proximo_numero_nfe_producao": (
            "proximo_numero_nfe_producao deve ser maior que 40, o último número usado na série 1"
        )
    }
    assert not Series.objects.exists()
    good = master.put(f"empresas/{company.pk}", {"proximo_numero_nfe_producao": 41})
    assert good.json()["proximo_numero_nfe_producao"] == 41


def test_companies_are_found_by_id_and_by_document(master, company):
    by_id = master.get(f"empresas/{company.pk}").json()

    assert master.get(f"empresas/{company.cnpj}").json() == by_id
    assert master.get("empresas", cnpj="11.222.333/0001-81").json() == [by_id]
    assert master.get("empresas", cpf=cpf(3)).json() == []


def test_the_list_has_fifty_a_page(master, account, django_assert_max_num_queries):
    FiscalCompanyFactory.create_batch(53, account=account)

    with django_assert_max_num_queries(9):
        first = master.get("empresas")
    rest = master.get("empresas", offset=50)

    assert (len(first.json()), len(rest.json())) == (50, 3)
    assert first["X-Total-Count"] == rest["X-Total-Count"] == "53"
    ids = [int(one["id"]) for one in first.json() + rest.json()]
    assert ids == sorted(set(ids))
    assert master.get("empresas", offset="x").status_code == 400


def test_a_company_of_another_account_is_not_ours(master, other_account):
    other = FiscalCompanyFactory(account=other_account, nome="Alheia")

    for answer in (
        master.get(f"empresas/{other.pk}"),
        master.put(f"empresas/{other.pk}", {"nome": "Minha"}),
        master.delete(f"empresas/{other.pk}"),
        master.get(f"empresas/{other.pk}/logo.png"),
    ):
        assert answer.status_code == 422
        assert answer.json() == {
            "codigo": "permissao_negada",
            "mensagem": "Empresa não encontrada como propriedade da revenda",
        }
    assert master.get("empresas").json() == []
    assert master.get(f"empresas/{other.cnpj}").status_code == 404
    assert Company.objects.get().nome == "Alheia"


@pytest.mark.parametrize("key", ["999999", "abc", "0", "99999999999999999999", "11444777000161"])
def test_an_unknown_company_is_not_found(master, key):
    answer = master.get(f"empresas/{key}")

    assert answer.status_code == 404
    assert answer.json() == {"codigo": "nao_encontrado", "mensagem": "Empresa não encontrada"}


def test_a_removed_company_is_gone_with_its_access_and_its_secrets(master, company):
    token = fiscal_token(company)

    answer = master.delete(f"empresas/{company.pk}")

    assert (answer.status_code, answer.json()["nome"]) == (200, company.nome)
    assert master.get(f"empresas/{company.pk}").status_code == 404
    assert v2(token).get("empresas").status_code == 401
    row = Company.objects.get()
    assert row.removed_at is not None
    assert (row.csc_nfce_producao, row.closed, row.certificates.count()) == ("", {}, 0)
    assert master.post("empresas", company_body()).status_code == 200


def test_a_company_with_documents_on_their_way_is_not_removed(master, company):
    FiscalDocument.objects.create(
        account=company.account, company=company, ambiente="producao", modelo=55, ref="1",
        payload={}, created_at=clock.now(),
    )  # fmt: skip

    answer = master.delete(f"empresas/{company.pk}")

    assert answer.status_code == 422
    assert answer.json()["codigo"] == "em_processamento"
    assert Company.objects.get().removed_at is None
    assert company.certificates.count() == 1


def test_the_trail_tells_who_did_what(master):
    shown = master.post("empresas", company_body()).json()
    master.put(f"empresas/{shown['id']}", {"nome": "Nova Razão", "csc_nfce_producao": "OUTRO"})
    master.delete(f"empresas/{shown['id']}")

    events = AuditEvent.objects.filter(action__startswith="empresa.").order_by("pk")
    assert [event.action for event in events] == [
        "empresa.criada", "empresa.alterada", "empresa.excluida",
    ]  # fmt: skip
    assert events[1].before == {"nome": "Padaria Aurora Ltda"}
    assert events[1].after == {"nome": "Nova Razão", "csc_nfce_producao": "[removido]"}
    assert {event.actor_kind for event in events} == {"token"}


def test_what_is_no_json_is_refused_with_the_code_of_the_companies(master):
    answer = master.post("empresas", "{quebrado")

    assert answer.status_code == 400
    told = answer.json()
    assert told["codigo"] == "parametros_invalidos"
    assert told["erros"] == [
        {"codigo": "parametros_invalidos", "mensagem": told["mensagem"], "campo": None}
    ]


def test_a_form_type_is_read_as_json_all_the_same(master):
    answer = master.call(
        "POST", "empresas", company_body(), type="application/x-www-form-urlencoded"
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_without_a_good_token_the_companies_say_nothing(db, token):
    answer = v2(token).get("empresas")

    assert (answer.status_code, answer.content) == (401, b"")


def test_the_company_of_another_cnpj_of_the_root_is_another_company(master):
    branch = "11222333000262"
    master.post("empresas", company_body())

    assert master.post("empresas", company_body(cnpj=branch)).json()["cnpj"] == branch
    assert {row.cnpj for row in Company.objects.all()} == {"11222333000181", branch}
