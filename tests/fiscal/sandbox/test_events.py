"""Events: cancellation, carta de correcao, EPEC, manifestation; deadlines by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from lxml import etree
from support import signed_notes as notes
from support.signed_notes import leaves, note, put, xml

AN = {"authority": "AN"}
HOUR = 3600


@pytest.fixture
def client(sandbox):
    return sandbox.client()


@pytest.fixture
def sale(sandbox, client):
    """An authorised NF-e at a moment that stands still: (key, protocol)."""
    sandbox.clock(parado=True)
    sent = note(client.signing)
    return sent.chave, client.send(sent).text("infProt/nProt")


def nfce(client) -> tuple[str, str]:
    sent = note(client.signing, modelo="65")
    return sent.chave, client.send(sent, modelo="65").text("infProt/nProt")


def cancel(client, sale, **place) -> int:
    modelo = sale[0][20:22]
    return client.register(notes.cancellation(client.signing, *sale), modelo=modelo, **place).event


def test_a_cancellation_is_registered_once(sandbox, client, sale):
    answer = client.register(notes.cancellation(client.signing, *sale))

    folder = files("nfelib") / "nfe_evento_generico" / "schemas" / "v1_0"
    schema = etree.XMLSchema(etree.parse(str(folder / "retEnvEvento_v1.00.xsd")))
    assert (answer.c_stat, answer.event) == (128, 135)
    assert schema.validate(etree.fromstring(etree.tostring(answer.root))), schema.error_log
    assert cancel(client, sale) == 573
    (kept,) = sandbox.documents()
    assert kept["situacao"] == "cancelado"
    assert [event["tipo"] for event in kept["eventos"]] == ["110111"]


def test_the_deadline_of_a_nfe_is_24_hours(sandbox, client, sale):
    sandbox.clock(avancar=24 * HOUR + 1)
    late = cancel(client, sale)
    sandbox.clock(avancar=-2)

    assert late == 501
    assert cancel(client, sale) == 135


def test_the_deadline_of_a_nfce_is_half_an_hour(sandbox, client):
    sandbox.clock(parado=True)
    first = nfce(client)
    sandbox.clock(avancar=31 * 60)

    assert cancel(client, first) == 501


def test_a_unit_may_take_late_cancellations(sandbox, client, sale):
    sandbox.set(prazo_cancelamento={"SP": {"55": [24, 480]}})
    sandbox.clock(avancar=25 * HOUR)

    assert cancel(client, sale) == 155
    assert client.query(sale[0]).c_stat == 151


def test_a_cancellation_that_does_not_fit_is_refused(sandbox, client, sale):
    chave, protocolo = sale
    signing = client.signing
    stranger = sandbox.client("12ABC34501DE35")
    other = notes.cancellation(stranger.signing, *sale, author="12ABC34501DE35")
    unknown = note(signing, numero=9).chave

    def registered(event: bytes) -> int:
        return client.register(event).event

    assert registered(notes.cancellation(signing, chave, "1" * 15)) == 222
    assert registered(notes.cancellation(signing, unknown, protocolo)) == 494
    assert registered(notes.cancellation(signing, *sale, sequence=2)) == 594
    assert stranger.register(other).event == 574
    assert registered(notes.cancellation(stranger.signing, *sale)) == 213
    assert registered(notes.cancellation(signing, *sale, orgao="31")) == 657
    assert registered(notes.cancellation(signing, *sale, name=f"ID110111{chave}02")) == 572
    early = datetime.now(UTC) - timedelta(hours=1)
    assert registered(notes.cancellation(signing, *sale, when=early)) == 577
    soon = datetime.now(UTC) + timedelta(minutes=6)
    assert registered(notes.cancellation(signing, *sale, when=soon)) == 578
    changed = notes.cancellation(signing, *sale).replace(b"duplicidade", b"duplicidadE")
    assert registered(changed) == 297
    assert sandbox.told("GET", "eventos") == []


def test_an_event_between_issue_and_authorisation_is_refused(sandbox, client):
    issued = datetime.now(UTC) - timedelta(hours=2)
    sent = note(client.signing, when=issued)
    protocolo = client.send(sent).text("infProt/nProt")
    when = datetime.now(UTC) - timedelta(hours=1)

    gone = notes.cancellation(client.signing, sent.chave, protocolo, when=when)

    assert client.register(gone).event == 579


def test_the_specific_schema_decides_about_the_content(client, sale):
    wrong = notes.event(client.signing, sale[0], "110111", leaves(descEvento="Cancelamentos"))
    nothing = notes.event(client.signing, sale[0], "999999", leaves(descEvento="Nada disso"))

    assert client.register(wrong).event == 493
    assert client.register(nothing).event == 491


def test_a_confirmed_delivery_cannot_be_cancelled(sandbox, client, sale):
    buyer = sandbox.client(notes.BUYER)
    assert manifested(buyer, sale[0], "210200") == 135

    assert cancel(client, sale) == 221


def test_the_twentieth_refusal_of_the_same_event_blocks_it(client, sale):
    wrong = notes.cancellation(client.signing, sale[0], "1" * 15)

    answers = [client.register(wrong) for _ in range(21)]

    assert [answer.c_stat for answer in answers] == [128] * 20 + [656]


def test_more_than_twenty_events_are_too_many(client, sale):
    signed = notes.correction(client.signing, sale[0])

    assert client.register(*[signed] * 21).c_stat == 215


# --- substitution ------------------------------------------------------------------------------


def substitution(client, sale, substitute: str) -> bytes:
    detail = leaves(
        descEvento="Cancelamento por substituicao", cOrgaoAutor=35, tpAutor=1, verAplic="teste",
        nProt=sale[1], xJust="Emitida em duplicidade", chNFeRef=substitute,
    )  # fmt: skip
    return notes.event(client.signing, sale[0], "110112", detail)


def test_a_nfce_is_cancelled_in_favour_of_its_substitute(sandbox, client):
    sandbox.clock(parado=True)
    first = nfce(client)
    second = note(client.signing, modelo="65", numero=2)
    unknown = client.register(substitution(client, first, second.chave), modelo="65").event
    client.send(second, modelo="65")

    sandbox.clock(avancar=168 * HOUR + 1)
    late = client.register(substitution(client, first, second.chave), modelo="65").event
    sandbox.clock(avancar=-2)

    assert (unknown, late) == (494, 501)
    assert client.register(substitution(client, first, second.chave), modelo="65").event == 135


# --- carta de correcao -------------------------------------------------------------------------


def test_corrections_follow_one_another_up_to_twenty(sandbox, client, sale):
    def corrected(sequence: int) -> int:
        return client.register(notes.correction(client.signing, sale[0], sequence)).event

    assert [corrected(n) for n in (1, 2, 2, 20, 21)] == [135, 135, 573, 135, 594]
    sandbox.clock(avancar=720 * HOUR + 1)
    assert corrected(3) == 596


def test_a_nfce_and_a_cancelled_nfe_are_not_corrected(client, sale):
    retail = nfce(client)
    cancel(client, sale)

    first = client.register(notes.correction(client.signing, retail[0]), modelo="65")
    second = client.register(notes.correction(client.signing, sale[0]))

    assert (first.event, second.event) == (784, 580)


def test_events_of_one_batch_are_answered_one_by_one(client, sale):
    answer = client.register(
        notes.correction(client.signing, sale[0], 1), notes.cancellation(client.signing, *sale)
    )

    assert answer.texts("retEvento/infEvento/cStat") == ["135", "135"]


# --- EPEC --------------------------------------------------------------------------------------


def epec(client, sent: notes.Note, total: str = "20.00", **fields) -> bytes:
    when = sent.xml.partition(b"<dhEmi>")[2].partition(b"<")[0].decode()
    dest = leaves(UF="SP", CNPJ=notes.BUYER, vNF=total, vICMS="3.60", vST="0.00")
    detail = leaves(
        descEvento="EPEC", cOrgaoAutor=35, tpAutor=1, verAplic="teste", dhEmi=when, tpNF=1,
        IE="110042490114",
    ) + xml("dest", dest)  # fmt: skip
    fields = {"orgao": "91", **fields}
    return notes.event(client.signing, sent.chave, "110140", detail, **fields)


def test_an_epec_announces_the_nfe_that_follows(client):
    sent = note(client.signing, tp_emis="4")
    alone = client.send(sent)
    announced = client.register(epec(client, sent), **AN)

    assert alone.protocol == 468
    assert announced.event == 124
    assert len(announced.text("infEvento/nProt")) == 15
    home = client.query(sent.chave)
    assert (home.c_stat, home.event) == (124, 124)
    assert client.send(sent).protocol == 100
    assert client.register(epec(client, sent), **AN).event == 573


def test_sao_paulo_takes_the_epec_of_nfce(sandbox, client):
    own = epec(client, note(client.signing, modelo="65", tp_emis="4"), orgao="35")
    signed = notes.events(own)

    answer = client.ask("recepcao_epec", signed, modelo="65")

    assert (answer.c_stat, answer.event) == (128, 124)
    elsewhere = client.post("recepcao_epec", signed, modelo="65", authority="SVRS")
    assert elsewhere.status_code == 404


def test_the_nfe_must_agree_with_its_epec(client):
    sent = note(client.signing, tp_emis="4")
    client.register(epec(client, sent, total="21.00"), **AN)

    assert client.send(sent).protocol == 467


def test_a_number_is_announced_once_and_home_takes_no_epec(client):
    first = note(client.signing, tp_emis="4")
    second = note(client.signing, tp_emis="4", cnf="55443322")
    client.register(epec(client, first), **AN)

    assert client.register(epec(client, second), **AN).event == 485
    assert client.send(second).protocol == 691
    assert client.send(note(client.signing)).protocol == 692
    taken = note(client.signing, numero=8)
    client.send(taken)
    late = note(client.signing, numero=8, tp_emis="4")
    assert client.register(epec(client, late), **AN).event == 661
    assert client.register(epec(client, first)).event == 657


def test_overdue_epecs_block_the_issuer(sandbox, client):
    sandbox.clock(parado=True)
    first = note(client.signing, tp_emis="4")
    second = note(client.signing, tp_emis="4", numero=2)
    client.register(epec(client, first), **AN)
    sandbox.clock(avancar=168 * HOUR + 1)

    blocked = client.register(epec(client, second), **AN)
    client.send(first)

    assert blocked.event == 142
    assert first.chave in blocked.text("infEvento/xMotivo")
    assert client.register(epec(client, second), **AN).event == 124


# --- manifestation -----------------------------------------------------------------------------

DESCRIPTIONS = {
    "210200": "Confirmacao da Operacao",
    "210210": "Ciencia da Operacao",
    "210220": "Desconhecimento da Operacao",
}


def manifested(client, chave: str, tipo: str, sequence: int = 1) -> int:
    person = client.identity
    detail = leaves(descEvento=DESCRIPTIONS[tipo])
    author = notes.BUYER
    event = notes.event(
        notes.Signing(person.key_pem, person.certificate_pem),
        chave,
        tipo,
        detail,
        author=author,
        orgao="91",
        sequence=sequence,
    )
    return client.register(event, **AN).event


def test_the_recipient_manifests_within_its_deadlines(sandbox, client, sale):
    buyer = sandbox.client(notes.BUYER)
    sandbox.clock(avancar=10 * 24 * HOUR + 1)
    late = manifested(buyer, sale[0], "210210")
    on_time = manifested(buyer, sale[0], "210200")
    sandbox.clock(avancar=170 * 24 * HOUR)

    assert (late, on_time) == (596, 135)
    assert manifested(buyer, sale[0], "210220") == 596


def test_only_the_recipient_manifests_and_not_about_what_was_cancelled(sandbox, client, sale):
    buyer = sandbox.client(notes.BUYER)
    detail = leaves(descEvento="Ciencia da Operacao")
    own = notes.event(client.signing, sale[0], "210210", detail, orgao="91")
    by_issuer = client.register(own, **AN).event
    cancel(client, sale)

    assert by_issuer == 575
    assert manifested(buyer, sale[0], "210210") == 650
    assert manifested(buyer, sale[0], "210200") == 651


def test_a_manifestation_about_an_unknown_document_is_not_linked(sandbox, client):
    unknown = note(client.signing, numero=7).chave

    assert manifested(sandbox.client(notes.BUYER), unknown, "210210") == 136


def test_an_event_of_svrs_goes_to_svrs_alone(client, sale):
    detail = leaves(descEvento="ECONF")
    signed = notes.event(client.signing, sale[0], "110750", detail, orgao="92")

    assert client.register(signed).event == 657
    assert client.register(signed, authority="SVRS").event == 135


def test_a_value_changed_after_authorisation_is_another_document(client, sale):
    # The number is taken: the same sale with another total is a duplicate, not a correction.
    other = note(client.signing, put("det/prod/xProd", "Outra"))

    assert client.send(other).protocol == 204
