"""Notes of cities the whole way: /v2, the engine, our messages, the sandbox over real TLS."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.certificates import certify
from support.service_notes import nfse_body
from support.v2 import fiscal_token, v2

from fiscal.models import DistributionCursor, NoteState, ServiceNote, Source
from fiscal.services.nfse import dispatch, files, orders, sending
from fiscal.services.received import cursors
from fiscal.tasks import fetch_received
from lib import clock

SAO_PAULO, ISSNET = "3550308", "5208707"
REASON = {"justificativa": "Servico nao foi prestado"}
REFORM = {
    "codigo_tributario_municipio": "2658",
    "codigo_nbs": "115022000",
    "codigo_indicador_operacao": "100301",
    "ibs_cbs_classificacao_tributaria": "000001",
}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issuer(company: Any, sandbox: Any) -> Any:
    company.habilita_nfse = True
    company.save()
    # In this world the city keeps its own system.
    sandbox.set(municipios={SAO_PAULO: {"convenio": 1, "emissor": 0}})
    return company


def body(city: str = SAO_PAULO, **also: Any) -> dict[str, Any]:
    issuer = {"codigo_municipio": city, "inscricao_municipal": "31000000"}
    return nfse_body(prestador=issuer, servico=REFORM, **also)


def settled(ref: str) -> None:
    """Sent, and asked about until it is decided."""
    dispatch.work()
    for _ in range(5):
        if stands(ref).state in (NoteState.EM_LOTE, NoteState.INDEFINIDO):
            sending.resume(stands(ref).pk)


def stands(ref: str) -> ServiceNote:
    note: ServiceNote = ServiceNote.objects.select_related("company").get(ref=ref)
    return note


def test_sao_paulo_issues_finds_again_and_cancels(nfe, issuer, sandbox, at_moment):
    assert nfe.post("nfse", body(), ref="r1").status_code == 202
    dispatch.work()
    note = stands("r1")
    assert note.state == NoteState.AUTORIZADO, (note.last_message, note.errors)
    shown = nfe.get("nfse/r1").json()
    assert shown["codigo_verificacao"] in shown["url"]
    assert shown["numero"] == note.number
    assert f"<NumeroNFe>{note.number}</NumeroNFe>".encode() in files.note_xml(note)
    assert note.returned["valor_servicos"] == "100.00"

    # The city took the RPS, and its answer was lost: asked for, never sent again.
    sandbox.fault("queda_depois", servico="nota_envio", vezes=1)
    assert nfe.post("nfse", body(), ref="r2").status_code == 202
    dispatch.work()
    sending.resume(stands("r2").pk)
    assert stands("r2").state == NoteState.AUTORIZADO

    # Nothing arrived: whether to send again is for a person to say (217).
    sandbox.fault("queda_antes", servico="nota_envio", vezes=1)
    assert nfe.post("nfse", body(), ref="r3").status_code == 202
    dispatch.work()
    for minutes in (1, 30, 300):
        at_moment(clock.now() + timedelta(minutes=minutes))
        sending.resume(stands("r3").pk)
        dispatch.work()
    assert stands("r3").state == NoteState.INDEFINIDO
    issued = sandbox.told("GET", "notas", autorizador=f"M{SAO_PAULO}")
    assert [one["situacao"] for one in issued] == ["autorizado", "autorizado"]

    answer = nfe.delete("nfse/r1", REASON)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelado"), answer.json()
    assert nfe.delete("nfse/r1", REASON).json()["codigo"] == "nfe_cancelada"


def test_what_sao_paulo_needs_is_told_before_a_number_is_spent(nfe, issuer):
    bare = body() | {"servico": nfse_body()["servico"]}

    told = nfe.post("nfse", bare, ref="r1")

    assert told.status_code == 422
    assert [one["campo"] for one in told.json()["erros"]] == [
        "servico.codigo_tributario_municipio",
        "servico.codigo_nbs",
        "servico.codigo_indicador_operacao",
        "servico.ibs_cbs_classificacao_tributaria",
    ]
    assert not ServiceNote.objects.exists()


@pytest.mark.parametrize("city", [ISSNET, "4301602", "3104205"])
def test_every_family_issues_waits_for_a_person_and_cancels(nfe, issuer, sandbox, at_moment, city):
    sandbox.fault("queda_depois", servico="nota_envio", vezes=1)
    assert nfe.post("nfse", body(city), ref="r1").status_code == 202
    settled("r1")
    note = stands("r1")
    assert note.state == NoteState.AUTORIZADO, (note.last_message, note.errors)
    assert note.provider in ("issnet-2.04", "webiss-2.02", "webiss-1.00")
    assert note.returned["valor_servicos"] == "100.00"
    (issued,) = sandbox.told("GET", "notas", autorizador=f"M{city}")

    sandbox.fault("cancelamento_pendente", servico="nota_cancelamento", vezes=1)
    asked = nfe.delete("nfse/r1", REASON)
    assert (asked.status_code, asked.json()["status"]) == (202, "processando_autorizacao")
    sandbox.told(
        "POST", "analise",
        {"autorizador": f"M{city}", "ambiente": "homologacao", "documento": issued["documento"],
         "numero": issued["numero"], "resultado": "deferido"},
    )  # fmt: skip
    at_moment(clock.now() + timedelta(hours=1))
    orders.resume(note.orders.get().pk)
    assert nfe.get("nfse/r1").json()["status"] == "cancelado"


def test_a_city_replaces_a_note_by_its_rps(nfe, issuer):
    assert nfe.post("nfse", body(ISSNET), ref="old").status_code == 202
    dispatch.work()
    old = stands("old")
    new = body(ISSNET, numero_rps_substituido=str(old.rps_number), serie_rps_substituido=old.series)

    assert nfe.post("nfse", new, ref="new").status_code == 202
    dispatch.work()

    assert stands("new").state == NoteState.AUTORIZADO, stands("new").errors
    assert nfe.get("nfse/old").json()["status"] == "substituido"


def test_a_refusal_of_a_city_is_told_with_its_correction_and_the_ref_serves_again(
    nfe, issuer, sandbox
):
    sandbox.fault("erro", servico="nota_envio", vezes=1, parametros={"codigo": "E31"})
    assert nfe.post("nfse", body(ISSNET), ref="r1").status_code == 202
    dispatch.work()
    (error,) = nfe.get("nfse/r1").json()["erros"]
    assert error["codigo"] == "E31"
    assert error["correcao"]
    number = stands("r1").rps_number

    assert nfe.post("nfse", body(ISSNET), ref="r1").status_code == 202
    dispatch.work()

    note = stands("r1")
    assert (note.state, note.rps_number) == (NoteState.AUTORIZADO, number)


@pytest.mark.parametrize("city", [ISSNET, SAO_PAULO])
def test_a_taker_reads_the_note_and_its_cancellation(nfe, issuer, account, city):
    from factories import FiscalCompanyFactory

    taker = FiscalCompanyFactory(
        account=account, cnpj="11444777000161", codigo_municipio=city, habilita_nfse=True
    )
    certify(taker)
    inbox = v2(fiscal_token(taker))

    def fetch() -> tuple[int, str]:
        now = clock.now()
        cursors.sweep(now=now)
        rows = DistributionCursor.objects.filter(
            company=taker, ambiente="homologacao", source=Source.NFSE
        )
        rows.update(next_at=now, blocked_until=None)
        cursor = rows.get()
        return fetch_received(cursor.pk), rows.get().last_error

    assert fetch() == (0, "")
    assert nfe.post("nfse", body(city), ref="r1").status_code == 202
    settled("r1")
    assert fetch() == (1, "")
    assert fetch() == (0, "")
    (first,) = inbox.get("nfses_recebidas", cnpj=taker.cnpj).json()
    assert (first["status"], first["versao"], first["valor_servicos"]) == (
        "autorizado",
        1,
        "100.00",
    )
    assert first["numero"] == stands("r1").number
    assert nfe.delete("nfse/r1", REASON).json()["status"] == "cancelado"
    assert fetch() == (1, "")

    (gone,) = inbox.get("nfses_recebidas", cnpj=taker.cnpj, versao="1").json()
    assert (gone["chave"], gone["status"], gone["versao"]) == (first["chave"], "cancelado", 2)
    whole = inbox.get(f"nfses_recebidas/{first['chave']}").json()
    assert whole["tomador"]["cnpj"] == taker.cnpj
    assert inbox.get(f"nfses_recebidas/{first['chave']}.xml").status_code == 200
