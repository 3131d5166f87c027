"""Sefin as a provider: every shape of answer that was seen, and what each proves (§12.2)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from support import a1
from support.national_answers import WHO, Script, evento, key_of, listed, nfse, packed, unpacked
from support.national_notes import CITY, IDENTITY, ISSUER, NOW, read

from fiscal import xml
from fiscal.authorities import rest
from fiscal.authorities.base import Lost, Misconfigured, NotOffered, NotSent
from fiscal.authorities.national import sefin
from fiscal.authorities.provider import Kind, Outcome, Provider
from fiscal.documents.nfsen import make
from fiscal.documents.service import NoteRef, Prepared
from fiscal.signing import verify

KEY = key_of()
BASE = "https://sefin.producaorestrita.nfse.gov.br/SefinNacional"
SEFIN = sefin.provider("nacional", municipality=CITY, ambiente="homologacao")
E0014 = {"Codigo": "E0014", "Descricao": "Conjunto de Série, Número…", "Complemento": None}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """The network ends here."""
    made = Script()
    monkeypatch.setattr(rest.transport, "request", made)
    return made


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return make.make(read(), IDENTITY, signer=a1.signer())


def _ref(**known: Any) -> NoteRef:
    return NoteRef(issuer=ISSUER, municipality=CITY, identity=IDENTITY, **known)


def _created(dps: bytes, **more: Any) -> dict[str, Any]:
    return {"tipoAmbiente": 2, "idDps": "x", "nfseXmlGZipB64": packed(nfse(dps)), **more}


def _send(prepared: Prepared) -> Outcome:
    return SEFIN.send(prepared, credentials=WHO)


def test_a_dps_goes_packed_with_its_declaration_and_comes_back_as_a_note(
    script: Script, prepared: Prepared
) -> None:
    alert = {"codigo": "A1", "descricao": "aviso"}
    script.says(201, _created(prepared.xml, alertas=[alert]))

    outcome = _send(prepared)

    assert script.asked == [("POST", f"{BASE}/nfse")]
    assert unpacked(script.bodies[0]["dpsXmlGZipB64"]) == make.DECLARATION + prepared.xml
    assert verify(prepared.xml).signed_id == prepared.id
    note = outcome.note
    assert note is not None
    assert (outcome.kind, note.number, note.key, note.code) == (Kind.AUTHORIZED, "15", KEY, "100")
    assert note.verification_code == KEY
    assert note.url.endswith(f"tpc=1&chave={KEY}")
    assert (note.service_amount, note.iss, note.net) == (1000, 20, Decimal("980.00"))
    assert (note.identity, note.taker_document) == (IDENTITY, "11444777000161")
    assert [message.code for message in outcome.messages] == ["A1"]


@pytest.mark.parametrize(
    ("status", "body", "codes"),
    [
        (400, {"erros": [{"Codigo": "E0310", "Descricao": "a"}, {"codigo": "E0427"}]}, 2),
        (400, {"erro": {"codigo": "E0310", "descricao": "a", "complemento": "b"}}, 1),
        (422, {"Erro": [{"CODIGO": "e0310", "DESCRICAO": "a"}]}, 1),
        (400, {"erros": {"codigo": "E0310"}}, 1),
        (400, {"erro": "sem código"}, 1),
    ],
)
def test_a_refusal_is_read_in_every_shape(
    script: Script, prepared: Prepared, status: int, body: Any, codes: int
) -> None:
    script.says(status, body)

    outcome = _send(prepared)

    assert outcome.kind == Kind.REJECTED
    assert len(outcome.messages) == codes
    assert json.loads(outcome.raw) == body


def test_the_complement_and_latin_1_are_read(script: Script, prepared: Prepared) -> None:
    body = {"erros": [{"Codigo": "E1", "Descricao": "Série", "Complemento": "já usada"}]}
    script.says(400, json.dumps(body, ensure_ascii=False).encode("latin-1"))

    (message,) = _send(prepared).messages

    assert (message.code, message.text) == ("E1", "Série já usada")


def test_a_used_number_is_a_duplicate_and_a_bad_signature_names_the_switch(
    script: Script, prepared: Prepared
) -> None:
    script.says(400, {"erros": [{"codigo": "E0310"}, E0014]}).says(
        400, {"erros": [{"codigo": "E0714", "descricao": "assinatura"}]}
    )

    assert _send(prepared).kind == Kind.DUPLICATE
    (message,) = _send(prepared).messages
    assert message.correction
    assert "NFSEN_SIGNATURE" in message.correction


HTML = "<html><body>Service Unavailable</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, HTML, Lost),
        (201, {}, Lost),
        (201, {"nfseXmlGZipB64": "AAAA"}, Lost),
        (201, {"nfseXmlGZipB64": packed(b"<x/>")}, Lost),
        (400, HTML, Lost),
        (400, {}, Lost),
        (500, {"erros": [E0014]}, Lost),
        (503, HTML, Lost),
        (302, "", Lost),
        (401, HTML, Misconfigured),
        (403, {"erro": {"codigo": "E1200"}}, Misconfigured),
        (415, "", Misconfigured),
        (496, HTML, Misconfigured),
        (501, "", Misconfigured),
        (400, {"erros": [{"codigo": "E1203", "descricao": "cadeia"}]}, Misconfigured),
        (429, "", NotSent),
    ],
)
def test_what_proves_nothing_is_lost_and_what_proves_refusal_stops(
    script: Script, prepared: Prepared, status: int, body: Any, error: type[Exception]
) -> None:
    script.says(status, body)

    with pytest.raises(error):
        _send(prepared)

    assert len(script.asked) == 1  # an order is never repeated


def test_the_note_of_another_dps_is_no_answer(script: Script, prepared: Prepared) -> None:
    other = make.make(read(), IDENTITY.__class__("homologacao", "1", 8), signer=a1.signer())
    script.says(201, _created(other.xml))

    with pytest.raises(Lost):
        _send(prepared)


# --- queries -----------------------------------------------------------------------------------


def test_a_lost_note_is_found_by_its_id_then_by_its_key(script: Script, prepared: Prepared) -> None:
    script.says(200, {"chaveAcesso": KEY}).says(200, _created(prepared.xml)).says(404)

    outcome = SEFIN.find(_ref(id=prepared.id), credentials=WHO)

    assert [url.removeprefix(BASE) for _, url in script.asked] == [
        f"/dps/{prepared.id}",
        f"/nfse/{KEY}",
        f"/nfse/{KEY}/eventos",
    ]
    assert outcome.kind == Kind.AUTHORIZED
    assert outcome.note
    assert outcome.note.key == KEY


def test_the_id_is_made_where_none_was_kept(script: Script, prepared: Prepared) -> None:
    script.says(404, "")

    assert SEFIN.find(_ref(), credentials=WHO).kind == Kind.NOT_FOUND
    assert script.asked == [("GET", f"{BASE}/dps/{prepared.id}")]


def test_a_question_without_connection_is_asked_once_more(script: Script) -> None:
    script.fails(NotSent("x")).says(404)

    assert SEFIN.find(_ref(), credentials=WHO).kind == Kind.NOT_FOUND
    assert len(script.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {}, Lost),
        (200, {"chaveAcesso": "123"}, Lost),
        (400, {"erro": {"codigo": "E2404"}}, Lost),
        (403, "", Misconfigured),
        (500, HTML, Lost),
    ],
)
def test_a_question_without_answer_tells_nothing(
    script: Script, status: int, body: Any, error: type[Exception]
) -> None:
    script.says(status, body)

    with pytest.raises(error):
        SEFIN.find(_ref(), credentials=WHO)


def test_a_note_of_another_dps_is_not_adopted(script: Script, prepared: Prepared) -> None:
    script.says(200, {"chaveAcesso": key_of(number=2)}).says(200, _created(prepared.xml))

    with pytest.raises(Lost):
        SEFIN.find(_ref(id=prepared.id), credentials=WHO)


STANDING = [
    ((), Kind.AUTHORIZED, ""),
    ((evento("101101"),), Kind.CANCELLED, ""),
    ((evento("305101"),), Kind.CANCELLED, ""),
    (
        (evento("105102", more=f"<chSubstituta>{key_of(number=9)}</chSubstituta>"),),
        Kind.REPLACED,
        key_of(number=9),
    ),
    ((evento("101103"),), Kind.CANCEL_PENDING, ""),
    ((evento("105105", at=9), evento("101103", at=1)), Kind.AUTHORIZED, ""),
    ((evento("101103"), evento("105104", at=9)), Kind.CANCELLED, ""),
    ((evento("203202"),), Kind.AUTHORIZED, ""),
]


@pytest.mark.parametrize(("events", "kind", "replaced_by"), STANDING)
def test_the_events_say_how_a_note_stands(
    script: Script, events: tuple[bytes, ...], kind: Kind, replaced_by: str
) -> None:
    script.says(200, listed(*events))

    outcome = SEFIN.find_cancellation(_ref(key=KEY), credentials=WHO)

    assert (outcome.kind, outcome.replaced_by) == (kind, replaced_by)
    assert bool(outcome.event_xml) is (kind != Kind.AUTHORIZED or len(events) > 1)


# --- cancellations -----------------------------------------------------------------------------


def _order(*, analysis: bool = False) -> Prepared:
    build = SEFIN.build_analysis if analysis else SEFIN.build_cancellation
    return build(
        _ref(key=KEY), code="", reason="Erro na emissão da nota", now=NOW, signer=a1.signer()
    )


def test_a_cancellation_is_registered_and_an_analysis_waits(script: Script) -> None:
    for analysis, kind in ((False, Kind.CANCELLED), (True, Kind.CANCEL_PENDING)):
        order = _order(analysis=analysis)
        event = evento("101103" if analysis else "101101")
        script.says(201, {"eventoXmlGZipB64": packed(event)})

        outcome = SEFIN.send_cancellation(order, _ref(key=KEY), credentials=WHO)

        assert script.asked[-1] == ("POST", f"{BASE}/nfse/{KEY}/eventos")
        sent = unpacked(script.bodies[-1]["pedidoRegistroEventoXmlGZipB64"])
        assert sent == make.DECLARATION + order.xml
        assert xml.faults(sent, "pedRegEvento") == []
        assert (outcome.kind, outcome.event_xml) == (kind, event)
        assert outcome.registered_at is not None


@pytest.mark.parametrize("code", ["E0840", "E0802"])
def test_what_is_cancelled_already_is_adopted(script: Script, code: str) -> None:
    script.says(400, {"erro": {"codigo": code}}).says(200, listed(evento("101101")))

    outcome = SEFIN.send_cancellation(_order(), _ref(key=KEY), credentials=WHO)

    assert outcome.kind == Kind.CANCELLED


def test_a_refused_cancellation_offers_the_analysis_past_the_deadline(script: Script) -> None:
    script.says(400, {"erros": [{"codigo": "E0822", "descricao": "Prazo"}]})

    outcome = SEFIN.send_cancellation(_order(), _ref(key=KEY), credentials=WHO)

    assert outcome.kind == Kind.REJECTED
    assert outcome.messages[0].correction
    assert "101103" in outcome.messages[0].correction


def test_the_event_of_another_request_is_no_answer(script: Script) -> None:
    script.says(201, {"eventoXmlGZipB64": packed(evento("101101", key=key_of(number=5)))})

    with pytest.raises(Lost):
        SEFIN.send_cancellation(_order(), _ref(key=KEY), credentials=WHO)


# --- building ----------------------------------------------------------------------------------


def test_the_environment_chooses_the_signature_and_the_address(settings: Any) -> None:
    settings.NFSEN_SIGNATURE = {"homologacao": "rsa-sha256"}
    settings.FISCAL_ENDPOINTS_BASE = ""

    for ambiente, method in (("homologacao", b"rsa-sha256"), ("producao", b"rsa-sha1")):
        there = sefin.provider("nacional", municipality=CITY, ambiente=ambiente)
        identity = IDENTITY.__class__(ambiente, "1", 7)
        made = there.build(read(), identity, signer=a1.signer())
        assert method in made.xml
        assert verify(made.xml).signed_id == made.id


def test_it_is_a_provider_that_checks_before_a_number_is_spent() -> None:
    there: Provider = SEFIN
    assert (there.slug, there.route, there.municipality) == ("nacional", "SEFIN", CITY)
    assert there.check(read()) == []
    faulty = read(modo_prestacao=1)
    assert [error.campo for error in there.check(faulty)] == ["vinculo_negocio"]
    with pytest.raises(NotOffered):
        sefin.provider("betha", municipality=CITY, ambiente="producao")
