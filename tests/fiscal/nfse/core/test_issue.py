"""Accepting service notes over HTTP: every refusal of §1.8 and §4, and the straight way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from support.certificates import certify
from support.service_notes import CITY, issues, nfse_body, refuses
from support.v2 import fiscal_token, v2

from fiscal.authorities.provider import Features
from fiscal.models import Archive, NoteState, Regime, ServiceAttempt, ServiceNote, ServiceSeries
from fiscal.services.nfse import dispatch, files
from lib import clock
from lib.errors import FieldError

pytestmark = pytest.mark.django_db


def fresh(ref="r1"):
    return ServiceNote.objects.select_related("company").get(ref=ref)


def test_a_note_is_accepted_sent_and_shown(nfe, issuer, city):
    answer = nfe.post("nfse", nfse_body(), ref="r1")
    assert answer.status_code == 202, answer.content
    accepted = {"cnpj_prestador": issuer.cnpj, "ref": "r1", "status": "processando_autorizacao"}
    assert answer.json() == accepted
    assert nfe.get("nfse/r1").json() == accepted
    assert fresh().rps_number is None

    assert dispatch.work() == 1

    note = fresh()
    assert note.state == NoteState.AUTORIZADO
    assert (note.series, note.rps_number, note.number) == ("1", 1, "1000")
    assert ServiceSeries.objects.get().next_number == 2
    assert note.next_attempt_at is None
    assert note.attempts.get().outcome == ServiceAttempt.Outcome.ANSWERED
    assert files.declared_xml(note) == city.sent()[0]
    assert files.note_xml(note) == b"<Nfse>" + city.sent()[0] + b"</Nfse>"
    assert (note.taker_name, note.taker_email) == ("Cliente Ltda", "cliente@example.com")
    assert note.declared["valor_liquido"] == "100.00"
    assert [line["valor"] for line in note.memory] == ["base", "iss", "retencoes", "liquido"]
    shown = nfe.get("nfse/r1").json()
    assert shown["status"] == "autorizado"
    assert (shown["numero"], shown["codigo_verificacao"]) == ("1000", "ABC-123")
    assert (shown["numero_rps"], shown["serie_rps"], shown["tipo_rps"]) == ("1", "1", "1")
    assert shown["url"] == "https://city.invalid/note"
    assert shown["caminho_xml_nota_fiscal"].endswith("-nfse.xml")
    assert shown["url_danfse"]
    assert not {"erros", "avisos", "caminho_xml_cancelamento"} & shown.keys()
    assert Archive.objects.filter(service_note=note).count() == 2
    assert dispatch.work() == 0


def test_what_cannot_be_issued_is_refused_and_nothing_kept(nfe, issuer, city):
    city.unknown = ("9999999",)
    without = nfse_body()
    del without["prestador"]["codigo_municipio"]
    untaxed = nfse_body(servico={"valor_servicos": "-1", "aliquota": "x"})
    cases = [
        ("", nfse_body(), 400, "requisicao_invalida", 'Parâmetro "ref" não informado.'),
        ("a/b c", nfse_body(), 400, "requisicao_invalida", 'Parâmetro "ref" inválido'),
        ("r1", {}, 400, "requisicao_invalida", ""),
        ("r1", without, 400, "requisicao_invalida",
         'Parâmetro "prestador.codigo_municipio" não informado'),
        ("r1", nfse_body(prestador={"cnpj": "11444777000161"}), 403, "permissao_negada", ""),
        ("r1", nfse_body(prestador={"cnpj": "123"}), 400, "requisicao_invalida", "prestador.cnpj"),
        ("r1", nfse_body(prestador={"codigo_municipio": "9999999"}), 400, "requisicao_invalida",
         "9999999"),
        ("r1", untaxed, 422, "erro_validacao_schema", ""),
        ("r1", nfse_body(prestador={"codigo_municipio": "12"}), 422, "erro_validacao_schema", ""),
        ("r1", nfse_body(tomador={"cpf": "11144477735"}), 422, "erro_validacao_schema", ""),
    ]  # fmt: skip
    for ref, body, status, codigo, text in cases:
        answer = nfe.post("nfse", body, ref=ref)
        assert answer.status_code == status, (ref, answer.json())
        assert answer.json()["codigo"] == codigo
        assert text in answer.json()["mensagem"]
    faults = {one["campo"] for one in nfe.post("nfse", untaxed, ref="r1").json()["erros"]}
    assert faults == {"servico.valor_servicos", "servico.aliquota"}

    city.refuses = (FieldError("servico.item_lista_servico", "Não é da lista."),)
    answer = nfe.post("nfse", nfse_body(), ref="r1")
    assert (answer.status_code, answer.json()["erros"]) == (
        422, [{"campo": "servico.item_lista_servico", "mensagem": "Não é da lista."}],
    )  # fmt: skip
    city.refuses, city.features = (), Features(sends=False)
    assert "/v2/lotes_rps" in nfe.post("nfse", nfse_body(), ref="r1").json()["mensagem"]

    assert not ServiceNote.objects.exists()
    assert not ServiceSeries.objects.exists()
    assert not city.calls


def test_who_may_not_issue_is_told_so(nfe, company, city, at_moment):
    answer = nfe.post("nfse", nfse_body(), ref="r1")
    assert (answer.status_code, answer.json()) == (
        400,
        {"codigo": "empresa_nao_habilitada",
         "mensagem": "Emitente ainda não habilitado para emissão de NFSe"},
    )  # fmt: skip
    answer = nfe.post("nfsen", {"data_emissao": "x"}, ref="r1")
    assert answer.json()["mensagem"].endswith("emissão de NFSe Nacional")
    company.habilita_nfse = True
    company.save()
    at_moment(clock.now() + timedelta(days=5000))
    answer = nfe.post("nfse", nfse_body(), ref="r1")
    assert (answer.status_code, answer.json()["codigo"]) == (400, "certificado_vencido")
    assert answer.json()["mensagem"] == "O certificado do emitente está vencido"


def test_notes_are_of_one_company_environment_and_kind(nfe, issuer, city, account):
    from factories import FiscalCompanyFactory

    other = FiscalCompanyFactory(account=account, cnpj="11444777000161", habilita_nfse=True)
    certify(other)
    stranger, live = v2(fiscal_token(other)), v2(fiscal_token(issuer, "producao"))
    assert nfe.post("nfse", nfse_body(), ref="r1").status_code == 202
    for client, path in ((stranger, "nfse/r1"), (live, "nfse/r1"), (nfe, "nfsen/r1")):
        for answer in (
            client.get(path),
            client.delete(path, {"justificativa": "Emitida por engano mesmo"}),
            client.post(f"{path}/hook", {}),
            client.post(f"{path}/email", {"emails": ["a@example.com"]}),
        ):
            assert (answer.status_code, answer.json()) == (
                404, {"codigo": "nao_encontrado", "mensagem": "Nota fiscal não encontrada"},
            )  # fmt: skip
    assert nfe.get("nfse").status_code == 404
    assert live.post("nfse", nfse_body(), ref="r1").status_code == 202  # a row of its own
    assert ServiceNote.objects.count() == 2


def test_a_ref_is_used_once_and_corrected_after_a_refusal(nfe, issuer, city):
    city.next("send", refuses("E30", "Código inválido.", "Use outro código."))
    nfe.post("nfse", nfse_body(), ref="r1")
    answer = nfe.post("nfse", nfse_body(), ref="r1")
    assert (answer.status_code, answer.json()) == (
        422, {"codigo": "em_processamento", "mensagem": "Nota fiscal em processamento"},
    )  # fmt: skip
    dispatch.work()
    refused = nfe.get("nfse/r1").json()
    assert refused["status"] == "erro_autorizacao"
    assert refused["erros"] == [
        {"codigo": "E30", "mensagem": "Código inválido.", "correcao": "Use outro código."}
    ]
    assert refused["numero_rps"] == "1"

    nfe.post("nfse", nfse_body(), ref="r2")
    body = nfse_body(servico={"valor_servicos": "120.00"})
    assert nfe.post("nfse", body, ref="r1").status_code == 202
    assert fresh().state == NoteState.ASSINADO
    assert nfe.post("nfse", body, ref="r1").json()["codigo"] == "em_processamento"
    city.next("send", issues(service_amount=None), issues())
    dispatch.work()
    numbers = dict(ServiceNote.objects.values_list("ref", "rps_number"))
    assert numbers == {"r1": 1, "r2": 2}
    assert fresh().total == 120
    assert fresh().state == NoteState.AUTORIZADO
    assert b"120.00" in files.declared_xml(fresh())
    answer = nfe.post("nfse", body, ref="r1")
    assert (answer.status_code, answer.json()) == (
        422, {"codigo": "nfe_autorizada", "mensagem": "Nota fiscal já autorizada"},
    )  # fmt: skip


def test_a_body_that_cannot_be_signed_any_more_is_refused_by_us(nfe, issuer, city):
    nfe.post("nfse", nfse_body(), ref="r1")
    ServiceNote.objects.update(payload=nfse_body(servico={"valor_servicos": "0"}))
    dispatch.work()
    shown = nfe.get("nfse/r1").json()
    assert shown["status"] == "erro_autorizacao"
    assert shown["erros"][0]["codigo"] == "local"
    assert "valor_servicos" in shown["erros"][0]["mensagem"]
    assert fresh().rps_number is None
    assert not ServiceSeries.objects.exists()


def test_the_number_goes_on_where_the_record_says(nfe, master, issuer, city):
    issuer.municipio, issuer.uf, issuer.codigo_municipio = "Bagé", "RS", CITY
    issuer.save()
    named = {"serie_nfse_homologacao": "A1", "proximo_numero_nfse_homologacao": 500}
    shown = master.put(f"empresas/{issuer.pk}", named).json()
    assert {name: shown[name] for name in named} == named
    nfe.post("nfse", nfse_body(), ref="r1")
    nfe.post("nfse", nfse_body(), ref="r2")
    dispatch.work()
    assert set(ServiceNote.objects.values_list("series", "rps_number")) == {
        ("A1", 500), ("A1", 501),
    }  # fmt: skip
    assert master.get(f"empresas/{issuer.pk}").json()["proximo_numero_nfse_homologacao"] == 502
    answer = master.put(f"empresas/{issuer.pk}", {"proximo_numero_nfse_homologacao": 501})
    assert (answer.status_code, answer.json()["erros"][0]["campo"]) == (
        422, "proximo_numero_nfse_homologacao",
    )  # fmt: skip
    answer = master.put(f"empresas/{issuer.pk}", {"serie_nfsen_producao": "50000"})
    assert answer.json()["erros"][0]["campo"] == "serie_nfsen_producao"


def test_what_came_back_otherwise_is_told_beyond_a_cent(nfe, issuer, city):
    """NAC-10."""
    told = {"iss": Decimal("2.01"), "net": Decimal("97.00")}
    city.next("send", issues(**told, taker_document="11.222.333/0001-81"))
    nfe.post("nfse", nfse_body(), ref="r1")
    dispatch.work()
    note = fresh()
    assert note.state == NoteState.AUTORIZADO
    assert [one["campo"] for one in note.notes] == ["valor_liquido", "tomador"]
    assert note.notes[0]["mensagem"] == "Valor líquido: declarado 100.00, devolvido 97.00."
    assert (note.declared["valor_iss"], note.returned["valor_iss"]) == ("2.00", "2.01")
    assert nfe.get("nfse/r1").json()["avisos"] == note.notes


def test_the_provider_is_chosen_by_issuer_and_city(nfe, issuer, city, parameters, monkeypatch):
    """§12.1: MEI → national; city that adopted the national emitter → national; else its own."""
    from fiscal.services.nfse import choice

    monkeypatch.setattr(choice, "as_taken", lambda declared, provider, now: declared)
    nfe.post("nfse", nfse_body(), ref="own")
    parameters[CITY] = True
    nfe.post("nfse", nfse_body(), ref="adopted")
    parameters[CITY] = False
    issuer.regime_tributario = Regime.MEI
    issuer.save()
    nfe.post("nfse", nfse_body(), ref="mei")
    assert dict(ServiceNote.objects.values_list("ref", "provider")) == {
        "own": "scripted", "adopted": "nacional", "mei": "nacional",
    }  # fmt: skip
    dispatch.work()
    # One counter for the national system, another for the city; no number twice in a city.
    assert dict(ServiceNote.objects.values_list("ref", "rps_number")) == {
        "own": 1, "adopted": 2, "mei": 3,
    }  # fmt: skip
    kinds = dict(ServiceSeries.objects.values_list("tipo", "next_number"))
    assert kinds == {"nfse": 2, "nfsen": 4}
