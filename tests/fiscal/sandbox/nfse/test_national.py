"""SEFIN nacional: reception, signature, rules, the note it makes, questions about it."""

from __future__ import annotations

from pathlib import Path

import nfelib
import pytest
import xmlsec
from lxml import etree
from support import signed_service_notes as service
from support.certificates import authority

from .conftest import codes, note_of

NS = f"{{{service.NATIONAL}}}"
XSD = Path(nfelib.__file__).parent / "nfse" / "schemas" / "v1_0"


def text(root, path: str) -> str:
    return root.findtext(f"{NS}infNFSe/" + "/".join(NS + step for step in path.split("/")), "")


@pytest.mark.parametrize("algorithms", [service.SHA1, service.SHA256])
def test_a_dps_becomes_a_note_that_computes_and_is_sealed(taxpayer, sandbox, algorithms):
    answer = taxpayer.issue(7, algorithms=algorithms)

    assert answer.status_code == 201
    told, note = answer.json(), note_of(answer)
    assert told["idDps"] == service.dps_id(series=1, number=7)
    key = told["chaveAcesso"]
    assert key[:23] == "42046082211222333000181"
    assert note.find(f"{NS}infNFSe").get("Id") == f"NFS{key}"
    found = {name: text(note, f"valores/{name}") for name in ("vBC", "vISSQN", "vTotalRet", "vLiq")}
    assert found == {"vBC": "1000.00", "vISSQN": "50.00", "vTotalRet": "61.50", "vLiq": "938.50"}
    assert text(note, "IBSCBS/valores/vBC") == "913.50"
    assert text(note, "IBSCBS/totCIBS/gCBS/vCBS") == "8.22"
    etree.XMLSchema(etree.parse(XSD / "NFSe_v1.01.xsd")).assertValid(note)
    assert is_sealed(note)


def is_sealed(note) -> bool:
    """Verified by xmlsec with the certificate of the sandbox's server."""
    signature = note.find(f"{{{service.DSIG}}}Signature")
    context = xmlsec.SignatureContext()
    pem, _ = authority().server()
    leaf = pem.read_bytes().split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
    context.key = xmlsec.Key.from_memory(leaf, xmlsec.KeyFormat.CERT_PEM, None)
    context.register_id(note.find(f"{NS}infNFSe"), "Id")
    context.verify(signature)
    return True


def test_the_note_is_found_by_key_and_by_dps_by_its_parties_alone(taxpayer, sandbox):
    key = taxpayer.issue(1).json()["chaveAcesso"]
    identity = service.dps_id(series=1, number=1)
    stranger = type(taxpayer)(sandbox.client("12ABC34501DE35"))
    taker = type(taxpayer)(sandbox.client(service.TAKER))

    assert taxpayer.ask(f"dps/{identity}").json()["chaveAcesso"] == key
    assert note_of(taker.ask(f"nfse/{key}")).find(f"{NS}infNFSe").get("Id") == f"NFS{key}"
    assert taker.ask(f"dps/{identity}").status_code == 200
    assert stranger.ask(f"dps/{identity}").status_code == 403
    assert stranger.call("HEAD", f"SEFIN/dps/{identity}").status_code == 200
    assert taxpayer.ask(f"dps/{service.dps_id(series=1, number=2)}").status_code == 404
    assert codes(taxpayer.ask("nfse/123")) == ["E2406"]
    assert taxpayer.ask(f"nfse/{key[:-2]}99").status_code == 404
    assert taxpayer.ask(f"DANFSe/{key}").status_code == 501


def test_a_number_is_used_once_and_free_again_after_a_refusal(taxpayer):
    refused = taxpayer.issue(1, replace=(("<IM>123</IM>", "<IM>123</IM><xNome>Eu</xNome>"),))
    first = taxpayer.issue(1)
    again = taxpayer.issue(1)

    assert (codes(refused), first.status_code, codes(again)) == (["E0121"], 201, ["E0014"])
