"""Building and signing a DPS and its events: both profiles, judged by independent libraries."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest
import signxml
import xmlsec
from lxml import etree
from support import a1
from support.national_notes import IDENTITY, LETTERS, NOW, declared, read

from fiscal import xml
from fiscal.documents.nfsen import events, keys, make
from fiscal.errors import InvalidRequest, SchemaInvalid
from fiscal.signing import CLASSIC, MODERN, BadSignature, Profile, verify

_BODY = f"420460822{LETTERS}00000000000012611123456789"
KEY = _BODY + keys.check_digit(_BODY)
PROFILES = pytest.mark.parametrize("profile", [CLASSIC, MODERN], ids=["rsa-sha1", "rsa-sha256"])


def _prepared(profile: Profile = CLASSIC, **changes: Any) -> Any:
    note = read(**changes)
    return make.make(note, IDENTITY, signer=a1.signer(), profile=profile)


def _event(profile: Profile = CLASSIC, kind: str = events.CANCELLATION) -> events.EventRequest:
    return events.request(
        kind,
        key=KEY,
        author=LETTERS,
        ambiente="producao",
        code="",
        reason="Valor do serviço & tomador errados",
        moment=NOW.astimezone(timezone(timedelta(hours=-3))),
        signer=a1.signer(),
        profile=profile,
    )


def _xmlsec_accepts(raw: bytes, tag: str) -> None:
    root = etree.fromstring(raw)
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(
        a1.issued().certificate_pem, xmlsec.constants.KeyDataFormatCertPem
    )
    assert root.find(f"{{{xml.NFSE}}}{tag}") is not None
    context.verify(xmlsec.tree.find_node(root, xmlsec.constants.NodeSignature))


@PROFILES
def test_xmlsec_and_our_own_check_accept_both_profiles(profile: Profile) -> None:
    for raw, tag, element_id in (
        ((dps := _prepared(profile)).xml, "infDPS", dps.id),
        ((event := _event(profile)).xml, "infPedReg", event.id),
    ):
        _xmlsec_accepts(raw, tag)
        assert verify(raw).signed_id == element_id
        assert b"ds:" not in raw
        with pytest.raises(BadSignature):
            verify(raw.replace(b"<tpAmb>", b"<tpAmb>1", 1))


def test_signxml_accepts_the_modern_profile() -> None:
    leaf = a1.issued().certificate_pem.decode()

    found = signxml.XMLVerifier().verify(_prepared(MODERN).xml, x509_cert=leaf, id_attribute="Id")

    assert found.signed_xml.tag == f"{{{xml.NFSE}}}infDPS"


def test_what_is_sent_is_canonical_and_carries_the_identity() -> None:
    made = _prepared(valor_servico="10.5", numero_dps=99, serie_dps="00003")

    assert made.id == "DPS420460821122233300018100001000000000000007"
    assert b'<infDPS Id="DPS' in made.xml
    assert b"<tpAmb>2</tpAmb>" in made.xml
    assert b"<serie>1</serie><nDPS>7</nDPS>" in made.xml
    assert b"<vServ>10.50</vServ>" in made.xml
    assert "<xDescServ>Análise\nde sistemas</xDescServ>".encode() in made.xml
    assert not made.xml.startswith(b"<?xml")
    assert (made.summary.taker_document, str(made.summary.total)) == ("11444777000161", "10.5")
    assert xml.faults(make.DECLARATION + made.xml, "DPS") == []


def test_the_schema_speaks_of_request_fields() -> None:
    data = {**read().data, "modo_prestacao": "1", "vinculo_negocio": "0"}

    found = make.rehearse(declared(data), ambiente="homologacao")

    assert [error.campo for error in found] == ["codigo_moeda"]
    assert make.rehearse(read(), ambiente="producao") == []


def test_a_document_beyond_the_limit_is_not_made() -> None:
    document = {
        "razao_social_fornecedor": "w" * 300,
        "numero_documento": "x" * 255,
        "tipo_deducao": "1",
        "data_emissao": "2026-11-01",
        "valor_dedutivel": "1",
        "valor_deducao": "1",
        "logradouro_fornecedor": "y" * 255,
        "bairro_fornecedor": "z" * 60,
        "nome": "",
    }
    data = {
        **read().data,
        "documentos": [{**document, "razao_social_fornecedor": "w" * 300}] * 1000,
    }

    with pytest.raises(SchemaInvalid) as refused:
        make.make(declared(data), IDENTITY, signer=a1.signer())

    assert "o limite é 1024 KB" in refused.value.erros[0].mensagem


@pytest.mark.parametrize("kind", [events.CANCELLATION, events.ANALYSIS])
def test_an_event_says_who_asks_what_and_why(kind: str) -> None:
    made = _event(kind=kind)

    assert made.id == f"PRE{KEY}{kind}"
    assert xml.faults(made.xml, "pedRegEvento") == []
    text = made.xml.decode()
    assert f"<CNPJAutor>{LETTERS}</CNPJAutor><chNFSe>{KEY}</chNFSe><e{kind}>" in text
    assert f"<xDesc>{events.DESCRIPTIONS[kind]}</xDesc><cMotivo>1</cMotivo>" in text
    assert "<dhEvento>2026-11-21T09:00:00-03:00</dhEvento>" in text
    assert "<xMotivo>Valor do serviço &amp; tomador errados</xMotivo>" in text


@pytest.mark.parametrize(("code", "reason"), [("3", "x" * 15), ("1", "curta"), ("1", "x" * 256)])
def test_a_reason_that_the_layout_does_not_take_is_refused(code: str, reason: str) -> None:
    with pytest.raises(InvalidRequest):
        events.request(
            events.CANCELLATION,
            key=KEY,
            author=LETTERS,
            ambiente="producao",
            code=code,
            reason=reason,
            moment=NOW,
            signer=a1.signer(),
        )
