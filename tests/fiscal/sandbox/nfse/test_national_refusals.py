"""What SEFIN refuses, with the code of Anexo I: reception, signature and rules."""

from __future__ import annotations

import base64
import gzip
from datetime import UTC, datetime, timedelta

import pytest
from support import signed_service_notes as service

from .conftest import codes

ROOT = '<?xml version="1.0" encoding="UTF-8"?>'


def test_the_reception_refuses_what_it_cannot_read(taxpayer):
    good = service.dps(taxpayer.identity)

    def told(content: bytes) -> list[str]:
        return codes(taxpayer.send(content))

    def posted(body: str) -> list[str]:
        return codes(taxpayer.call("POST", "SEFIN/nfse", json={"dpsXmlGZipB64": body}))

    assert posted("não é base64") == ["E1225"]
    assert posted(base64.b64encode(b"sem gzip").decode()) == ["E1225"]
    assert told(good[:-10]) == ["E1226"]
    assert told(good.replace(ROOT.encode(), b"")) == ["E1229"]
    assert told(good.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1")) == ["E1229"]
    assert told(good.replace(b"<DPS xmlns=", b"<n:DPS xmlns:n=").replace(b"</DPS", b"</n:DPS"))[
        0
    ] in ("E1228", "E1226")
    assert told(service.declared(f'<NFSe xmlns="{service.NATIONAL}"/>')) == ["E1242"]
    assert told(good.replace(b"<tpEmit>1</tpEmit>", b"")) == ["E1235"]
    plain = taxpayer.call("POST", "SEFIN/nfse", data=gzip.compress(good))
    assert plain.status_code == 415


def test_the_signature_must_be_the_issuers_and_of_these_bytes(taxpayer, sandbox):
    other = sandbox.client("12ABC34501DE35").identity
    good = service.dps(taxpayer.identity)
    unsigned = service.declared(service.dps_text())
    mixed = (service.C14N, service.SHA256[1], service.SHA256[2])

    assert codes(taxpayer.send(good.replace(b"1000.00</vServ>", b"1001.00</vServ>"))) == ["E0714"]
    assert codes(taxpayer.send(unsigned)) == ["E0717"]
    assert codes(taxpayer.send(service.dps(other))) == ["E0718"]
    assert codes(taxpayer.issue(algorithms=mixed)) == ["E0714"]
    assert codes(taxpayer.send(service.dps(sandbox.client(kind="no_document").identity))) == [
        "E0716"
    ]
    assert codes(taxpayer.send(service.dps(sandbox.client(ends=0, begins=-2).identity))) == [
        "E0715"
    ]


def test_a_cnpj_with_letters_signs_and_issues(sandbox, taxpayer):
    lettered = type(taxpayer)(sandbox.client("12ABC34501DE35"))

    answer = lettered.issue(1, issuer="12ABC34501DE35")

    assert answer.status_code == 201, answer.text
    assert answer.json()["chaveAcesso"][9:23] == "12ABC34501DE35"


SN = "<opSimpNac>1</opSimpNac>"
RET = "<tpRetISSQN>1</tpRetISSQN>"
RULES = {
    "E0004": (('Id="DPS4204608', 'Id="DPS4204609'),),
    "E0006": (("<tpAmb>2", "<tpAmb>1"),),
    "E0010": (("<serie>1<", "<serie>50000<"), ("33300018100001", "33300018150000")),
    "E0080": (("11222333000181", "11222333000180"),),
    "E0128": (
        (
            "</IM>",
            "</IM><end><endNac><cMun>4204608</cMun><CEP>88801000</CEP></endNac><xLgr>A</xLgr>"
            "<nro>1</nro><xBairro>B</xBairro></end>",
        ),
    ),
    "E0162": ((SN, f"{SN}<regApTribSN>1</regApTribSN>"),),
    "E0166": ((SN, "<opSimpNac>3</opSimpNac>"),),
    "E0188": ((service.TAKER, "11444777000160"),),
    "E0235": (
        (
            "<end><endNac><cMun>3550308</cMun><CEP>01001000</CEP></endNac><xLgr>Praça da Sé"
            "</xLgr><nro>1</nro><xBairro>Sé</xBairro></end>",
            "",
        ),
    ),
    "E0310": (("<cTribNac>010101", "<cTribNac>410101"),),
    "E0322": (("<cNBS>115022000</cNBS>", ""),),
    "E0427": (
        (
            "</vServPrest>",
            "</vServPrest><vDescCondIncond><vDescIncond>2000.00</vDescIncond></vDescCondIncond>",
        ),
    ),
    "E0580": (
        (RET, "<tpRetISSQN>2</tpRetISSQN>"),
        ("<tribISSQN>1", "<tribISSQN>4"),
    ),
    "E0592": (("<tribISSQN>1</tribISSQN>", "<tribISSQN>2</tribISSQN>"),),
    "E0617": ((RET, f"{RET}<pAliq>3.00</pAliq>"),),
    "E0595": ((RET, f"{RET}<pAliq>6.00</pAliq>"),),
    "E0694": (("<vPis>6.50", "<vPis>7.50"),),
    "E0713": (
        (
            "<vTotTrib><vTotTribFed>134.50</vTotTribFed><vTotTribEst>0.00</vTotTribEst>"
            "<vTotTribMun>20.00</vTotTribMun></vTotTrib>",
            "<indTotTrib>0</indTotTrib>",
        ),
    ),
    "E0724": (("<vRetCSLL>46.50</vRetCSLL>", ""),),
    "E0959": (("<CST>000</CST><cClass", "<CST>200</CST><cClass"),),
    "E9996": (("<tpEmit>1", "<tpEmit>2"),),
}


@pytest.mark.parametrize("code", sorted(RULES))
def test_a_rule_is_told_by_its_code(taxpayer, code):
    assert code in codes(taxpayer.issue(replace=RULES[code]))


def test_every_fault_is_told_at_once_and_dates_and_cities_are_judged(taxpayer, sandbox):
    late = datetime.now(UTC) + timedelta(hours=2)
    sandbox.told("POST", "municipios", {"3304557": {"convenio": None}, "2304400": {"convenio": 0}})

    assert "E0008" in codes(taxpayer.issue(when=late))
    assert codes(taxpayer.issue(city="3304557")) == ["E0037", "E0619"]
    assert codes(taxpayer.issue(city="2304400")) == ["E0038", "E0619"]
    several = taxpayer.issue(replace=(*RULES["E0322"], *RULES["E0724"]))
    assert codes(several) == ["E0322", "E0724"]
    assert {"Codigo", "Descricao"} <= set(several.json()["erros"][0])


def test_the_rate_of_a_small_company_follows_its_regime(taxpayer, sandbox):
    """ME/EPP in the DAS: the rate is told with a retention and not without one."""
    das = (SN, "<opSimpNac>3</opSimpNac><regApTribSN>1</regApTribSN>")
    withheld = (RET, "<tpRetISSQN>2</tpRetISSQN>")
    told = (RET, "<tpRetISSQN>2</tpRetISSQN><pAliq>2.00</pAliq>")
    total = (
        "<vTotTrib><vTotTribFed>134.50</vTotTribFed><vTotTribEst>0.00</vTotTribEst>"
        "<vTotTribMun>20.00</vTotTribMun></vTotTrib>",
        "<pTotTribSN>6.00</pTotTribSN>",
    )

    assert codes(taxpayer.issue(replace=(das, withheld))) == ["E0621"]
    assert codes(taxpayer.issue(replace=(das, (RET, f"{RET}<pAliq>2.00</pAliq>")))) == ["E0625"]
    assert taxpayer.issue(1, replace=(das, told, total)).status_code == 201
    assert taxpayer.issue(2, replace=(das, total)).status_code == 201
