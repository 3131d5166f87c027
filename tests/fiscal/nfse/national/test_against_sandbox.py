"""The national provider, the distribution and the parameters against the sandbox, over mTLS."""

from __future__ import annotations

from typing import Any

import pytest
from support.certificates import issued
from support.national_notes import ADDRESS, BODY, CITY, FEDERAL, ISSUER, REFORM

from fiscal.authorities.base import Credentials, Lost
from fiscal.authorities.national import adn, parameters, sefin
from fiscal.authorities.provider import Kind
from fiscal.documents.nfsen import reading, showing
from fiscal.documents.service import NoteRef, Prepared, RpsIdentity
from fiscal.signing import Signer, verify
from fiscal.xml import NFSE, cut_out
from lib import clock

HOMOLOGACAO = "homologacao"


class Issuer:
    """A company at the sandbox."""

    def __init__(self) -> None:
        leaf = issued(ISSUER.cnpj)
        self.credentials = Credentials("national-test", leaf.certificate_pem, leaf.key_pem)
        self.signer = Signer.from_pem(leaf.key_pem, leaf.certificate_pem)
        self.sefin = sefin.provider("nacional", municipality=CITY, ambiente=HOMOLOGACAO)

    def prepared(self, number: int, **changes: Any) -> Prepared:
        now = clock.now()
        body = {
            **BODY,
            **ADDRESS,
            "data_emissao": now.isoformat(),
            "data_competencia": clock.today().isoformat(),
            **changes,
        }
        declared = reading.read(body, issuer=ISSUER, ambiente=HOMOLOGACAO, now=now)
        identity = RpsIdentity(HOMOLOGACAO, "1", number)
        return self.sefin.build(declared, identity, signer=self.signer)

    def ref(self, number: int, **known: Any) -> NoteRef:
        identity = RpsIdentity(HOMOLOGACAO, "1", number)
        return NoteRef(issuer=ISSUER, municipality=CITY, identity=identity, **known)


@pytest.fixture
def issuer(sandbox: Any) -> Issuer:
    return Issuer()


@pytest.mark.parametrize("profile", ["rsa-sha1", "rsa-sha256"])
def test_a_note_lives_from_its_dps_to_its_cancellation(
    issuer: Issuer, settings: Any, profile: str
) -> None:
    settings.NFSEN_SIGNATURE = profile
    there, who = issuer.sefin, issuer.credentials
    prepared = issuer.prepared(1, **FEDERAL, **REFORM)

    sent = there.send(prepared, credentials=who)

    assert sent.kind == Kind.AUTHORIZED, sent.messages
    note = sent.note
    assert note is not None
    assert showing.read_note(note.xml).digest_value == prepared.digest_value
    assert verify(cut_out(note.xml, "DPS", namespace=NFSE)).signed_id == prepared.id
    assert verify(note.xml).signed_id == f"NFS{note.key}"

    again = there.send(prepared, credentials=who)
    found = there.find(issuer.ref(1, id=prepared.id), credentials=who)
    nothing = there.find(issuer.ref(2), credentials=who)
    assert (again.kind, found.kind, nothing.kind) == (
        Kind.DUPLICATE,
        Kind.AUTHORIZED,
        Kind.NOT_FOUND,
    )
    assert found.note == note

    ref = issuer.ref(1, id=prepared.id, key=note.key)
    order = there.build_cancellation(
        ref, code="2", reason="Serviço não prestado", now=clock.now(), signer=issuer.signer
    )
    done = there.send_cancellation(order, ref, credentials=who)
    repeated = there.send_cancellation(order, ref, credentials=who)
    assert (done.kind, repeated.kind) == (Kind.CANCELLED, Kind.CANCELLED)
    assert repeated.event_xml == done.event_xml
    assert there.find(ref, credentials=who).kind == Kind.CANCELLED


def test_a_substitute_takes_the_place_of_its_note(issuer: Issuer) -> None:
    there, who = issuer.sefin, issuer.credentials
    old = there.send(issuer.prepared(1), credentials=who).note
    assert old is not None, old
    changes = {"chave_nfse_substituida": old.key, "codigo_justificativa_substituicao": "99"}
    why = {"motivo_substituicao": "Descrição do serviço errada"}

    new = there.send(issuer.prepared(2, **changes, **why), credentials=who)

    assert new.kind == Kind.AUTHORIZED, new.messages
    assert new.note is not None
    assert new.note.replaces == old.key
    standing = there.find_cancellation(issuer.ref(1, key=old.key), credentials=who)
    assert (standing.kind, standing.replaced_by) == (Kind.REPLACED, new.note.key)


def test_a_lost_answer_is_found_again(issuer: Issuer, sandbox: Any) -> None:
    prepared = issuer.prepared(1)
    sandbox.fault("queda_depois", vezes=1)

    with pytest.raises(Lost):
        issuer.sefin.send(prepared, credentials=issuer.credentials)

    found = issuer.sefin.find(issuer.ref(1, id=prepared.id), credentials=issuer.credentials)
    assert found.kind == Kind.AUTHORIZED


def test_the_distribution_brings_what_was_issued_and_ends(issuer: Issuer) -> None:
    note = issuer.sefin.send(issuer.prepared(1), credentials=issuer.credentials).note
    box = adn.Adn(HOMOLOGACAO, issuer.credentials)

    page = box.distributed(0)

    assert note is not None
    assert [(each.key, each.kind, each.fault) for each in page.documents] == [
        (note.key, adn.NOTE, "")
    ]
    assert page.documents[0].content == note.xml
    assert page.is_last
    assert box.distributed(page.documents[-1].nsu).documents == ()


def test_the_parameters_of_a_city_are_told(issuer: Issuer) -> None:
    there = parameters.Parameters(HOMOLOGACAO, issuer.credentials)

    known = there.ask(parameters.agreement_name(CITY))

    assert known.status == 200
    assert parameters.agreement(known.answer) == parameters.Agreement(
        is_active=True, uses_emitter=True
    )
    rate = there.ask(parameters.rate_name(CITY, "010101", clock.today()))
    assert parameters.rate(rate.answer) is not None
