"""What the Ambiente Nacional delivers, whole or cut, damaged or twice (DIS-1 to DIS-5)."""

from __future__ import annotations

import base64
import gzip
from types import SimpleNamespace
from typing import Any

import pytest
from support import signed_notes as notes
from support.notes import Killed, issued_nfe

from fiscal import access_key
from fiscal.authorities import answers
from fiscal.authorities.base import Answer
from fiscal.authorities.provider import ReceivedPage
from fiscal.authorities.sefaz import Sefaz
from fiscal.models import (
    Consumption,
    DistributionCursor,
    HookNotice,
    ReceivedDocument,
    ReceivedNfe,
    ReceivedNfse,
    Source,
)
from fiscal.services.received import cursors, municipal
from fiscal.services.received import inbox as keeping
from fiscal.tasks import fetch_received
from fiscal.xml import NFE
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
SUMMARY = "resNFe_v1.01.xsd"
CITY_NOTE = (
    b"<NFe xmlns=''><ChaveNFe><NumeroNFe>10</NumeroNFe><CodigoVerificacao>ABCD1234"
    b"</CodigoVerificacao></ChaveNFe><CPFCNPJPrestador><CNPJ>12ABC34501DE35</CNPJ>"
    b"</CPFCNPJPrestador><StatusNFe>N</StatusNFe><ValorServicos>1000.00</ValorServicos>"
    b"<CPFCNPJTomador><CNPJ>%s</CNPJ></CPFCNPJTomador></NFe>"
)
HOOK = {"event": "nfe_recebida", "url": "https://8.8.8.8/x"}


def key_of(n: int) -> str:
    return access_key.compose(
        cuf="35", aamm="2611", document="11222333000181", modelo=55, serie=1, numero=n,
        tp_emis=1, cnf=f"{n:08d}",
    )  # fmt: skip


def summary(n: int, **other: str) -> bytes:
    """resNFe of note `n`."""
    told = {
        "chNFe": key_of(n), "CNPJ": "11222333000181", "xNome": "Fornecedor Ltda",
        "dhEmi": "2026-11-20T10:00:00-03:00", "tpNF": "1", "vNF": f"{n}.00",
        "dhRecbto": "2026-11-20T10:00:05-03:00", "nProt": "135260000000001", "cSitNFe": "1",
        **other,
    }  # fmt: skip
    inner = "".join(f"<{tag}>{text}</{tag}>" for tag, text in told.items())
    return f'<resNFe xmlns="{NFE}" versao="1.01">{inner}</resNFe>'.encode()


def gone(n: int) -> bytes:
    """resEvento of the cancellation of note `n`."""
    return (
        f'<resEvento xmlns="{NFE}" versao="1.01"><cOrgao>35</cOrgao><CNPJ>11222333000181</CNPJ>'
        f"<chNFe>{key_of(n)}</chNFe><dhEvento>2026-11-21T10:00:00-03:00</dhEvento>"
        "<tpEvento>110111</tpEvento><nSeqEvento>1</nSeqEvento><xEvento>Cancelamento</xEvento>"
        "<dhRecbto>2026-11-21T10:00:05-03:00</dhRecbto><nProt>135260000000002</nProt></resEvento>"
    ).encode()


class Box:
    """An Ambiente Nacional with those documents, by NSU, read by the real parser."""

    def __init__(self, documents: dict[int, tuple[str, str]]) -> None:
        self.documents = documents  # NSU → (schema, base64 of gzip)
        self.asked: list[dict[str, str]] = []

    def __call__(self, sefaz: Sefaz, document: str, **what: str) -> Answer:
        self.asked.append({name: value for name, value in what.items() if value})
        after = int(what.get("ult_nsu") or 0)
        chosen = sorted(nsu for nsu in self.documents if nsu > after)[:50]
        zips = "".join(
            f'<docZip NSU="{nsu:015d}" schema="{schema}">{packed}</docZip>'
            for nsu, (schema, packed) in ((nsu, self.documents[nsu]) for nsu in chosen)
        )
        top = max(self.documents, default=0)
        ret = (
            f'<retDistDFeInt xmlns="{NFE}" versao="1.01"><cStat>{138 if chosen else 137}</cStat>'
            f"<xMotivo>x</xMotivo><ultNSU>{max(chosen, default=top):015d}</ultNSU>"
            f"<maxNSU>{top:015d}</maxNSU><loteDistDFeInt>{zips}</loteDistDFeInt></retDistDFeInt>"
        )
        return answers.answer(ret.encode(), expected="retDistDFeInt")


def packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content)).decode()


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Deliver these from now on."""

    def deliver(documents: dict[int, tuple[str, str]]) -> Box:
        made = Box(documents)
        monkeypatch.setattr(Sefaz, "distribution", lambda *args, **what: made(*args, **what))
        return made

    return deliver


def fetched(buyer: Any) -> DistributionCursor:
    """As if its time had come."""
    now = clock.now()
    cursor = cursors.cursor_of(buyer, source=Source.NFE, ambiente="homologacao", now=now)
    rows = DistributionCursor.objects.filter(pk=cursor.pk)
    rows.update(next_at=now, blocked_until=None)
    Consumption.objects.filter(service__startswith="distribuicao").delete()
    fetch_received(cursor.pk)
    return rows.get()


def listed(client: Any, buyer: Any, **query: Any) -> list[dict[str, Any]]:
    return client.get("nfes_recebidas", cnpj=buyer.cnpj, **query).json()


def test_a_worker_killed_in_a_page_loses_nothing_and_tells_once(buyer, inbox, box, monkeypatch):
    """DIS-2: what was kept stays, what was not comes again; 120 notes, three pages."""
    inbox.post("hooks", HOOK)
    served = box({n: (SUMMARY, packed(summary(n))) for n in range(1, 121)})
    told, calls = keeping.tell_nfe, []

    def dies(row: ReceivedNfe, **given: Any) -> Any:
        calls.append(row.pk)
        if len(calls) == 70:  # in the middle of the second page
            raise Killed
        return told(row, **given)

    monkeypatch.setattr(keeping, "tell_nfe", dies)
    with pytest.raises(Killed):
        fetched(buyer)
    cursor = DistributionCursor.objects.get(ambiente="homologacao")
    assert (cursor.ult_nsu, ReceivedDocument.objects.count()) == (50, 50)
    assert ReceivedNfe.objects.count() == HookNotice.objects.count() == 50

    cursor = fetched(buyer)

    assert [one.get("ult_nsu") for one in served.asked] == ["0", "50", "50", "100"]
    assert (cursor.ult_nsu, cursor.max_nsu, cursor.last_version) == (120, 120, 120)
    assert ReceivedDocument.objects.count() == HookNotice.objects.count() == 120
    pages = [listed(inbox, buyer, versao=version) for version in (0, 100)]
    assert [one["versao"] for page in pages for one in page] == list(range(1, 121))
    assert {one["chave_nfe"] for page in pages for one in page} == {
        key_of(n) for n in range(1, 121)
    }


def test_damage_does_not_stop_the_distribution(buyer, inbox, box, monkeypatch):
    """DIS-3: kept as it came, with the reason; the notes beside it are told."""
    monkeypatch.setattr(answers, "MAX_UNPACKED", 100_000)
    bomb = packed(b"<x>" + b"0" * 200_000 + b"</x>")
    box({
        1: (SUMMARY, "AAAA"),
        2: (SUMMARY, "%%%"),
        3: (SUMMARY, bomb),
        4: (SUMMARY, packed(b"\x00\xffnot xml")),
        5: (SUMMARY, packed(b'<!DOCTYPE x [<!ENTITY a "b">]><resNFe>&a;</resNFe>')),
        6: (SUMMARY, packed(summary(6, chNFe="3" * 44))),
        7: (SUMMARY, packed(summary(7, CNPJ="9" * 400, vNF="-1e9", dhEmi="ontem"))),
        8: ("resCoisa_v9.99.xsd", packed(b"<resCoisa/>")),
        9: ("", packed(summary(9))),
        11: (SUMMARY, packed(summary(11, xNome="Ação &amp; Cia"))),  # nobody has an NSU 10
    })  # fmt: skip

    cursor = fetched(buyer)

    assert (cursor.ult_nsu, cursor.n_failures, cursor.last_error) == (11, 0, "")
    kept = dict(ReceivedDocument.objects.values_list("nsu", "error"))
    assert sorted(kept) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
    assert [nsu for nsu, error in sorted(kept.items()) if error] == [1, 2, 3, 4, 5, 6]
    assert "grande demais" in kept[3]
    assert ReceivedDocument.objects.get(nsu=3).size == len(bomb)
    odd, good = listed(inbox, buyer)
    assert (odd["chave_nfe"], odd["valor_total"], odd["data_emissao"]) == (key_of(7), None, None)
    assert (good["chave_nfe"], good["nome_emitente"]) == (key_of(11), "Ação & Cia")


def test_events_before_their_note_and_a_base_that_begins_anew(buyer, inbox, box):
    box({1: ("resEvento_v1.01.xsd", packed(gone(2))), 2: (SUMMARY, packed(summary(2)))})
    fetched(buyer)
    (entry,) = listed(inbox, buyer)
    assert (entry["situacao"], entry["versao"]) == ("cancelada", 1)
    assert entry["data_cancelamento"] == "2026-11-21T10:00:05-03:00"

    # The same NSU again: the same bytes are no news, others are (589, an emptied homologação).
    rows = DistributionCursor.objects.filter(ambiente="homologacao")
    rows.update(ult_nsu=0, max_nsu=0)
    box({1: (SUMMARY, packed(summary(7))), 2: (SUMMARY, packed(summary(2)))})
    fetched(buyer)
    rows.update(ult_nsu=0)
    fetched(buyer)

    assert [one["chave_nfe"] for one in listed(inbox, buyer)] == [key_of(2), key_of(7)]
    assert ReceivedDocument.objects.count() == 3
    assert rows.get().last_version == 2


def test_what_another_program_read_is_fetched_one_by_one(company, buyer, sandbox, nfe, inbox):
    """656 of the authority itself, with the NSU from which to go on; then without one."""
    for ref in ("r1", "r2"):
        issued_nfe(nfe, ref)
    other = sandbox.client(buyer.cnpj)
    for ult, c_stat in ((0, 138), (2, 137)):
        asked = notes.distribution(buyer.cnpj, ult=ult)
        assert other.ask("distribuicao_dfe", asked, authority="AN").c_stat == c_stat

    cursor = fetched(buyer)

    assert (cursor.ult_nsu, cursor.gap_after, cursor.gap_until) == (2, 0, 2)
    assert "656" in cursor.last_error
    assert cursor.next_at == cursor.blocked_until
    assert listed(inbox, buyer) == []
    sandbox.clock(avancar=3700)
    cursor = fetched(buyer)
    assert [one["versao"] for one in listed(inbox, buyer)] == [1, 2]
    assert (cursor.gap_after, cursor.gap_until, cursor.last_error) == (2, 2, "")
    sandbox.fault("cstat", servico="distribuicao_dfe", vezes=1, parametros={"codigo": 656})
    cursor = fetched(buyer)
    assert (cursor.ult_nsu, cursor.gap_after) == (2, 2)


def test_a_gap_of_an_emptied_base_is_given_up(buyer, box, monkeypatch):
    box({})
    fetched(buyer)
    rows = DistributionCursor.objects.filter(ambiente="homologacao")
    rows.update(ult_nsu=9, gap_after=3, gap_until=9)
    beyond = Answer("589", "além da base", raw=b"", distribution=None)
    monkeypatch.setattr(Sefaz, "distribution", lambda *args, **what: beyond)

    cursor = fetched(buyer)

    assert (cursor.ult_nsu, cursor.gap_after, cursor.gap_until) == (0, 0, 0)


def test_what_a_city_says_and_nobody_can_read_is_kept_once(buyer, inbox, monkeypatch):
    """Decision 0029: kept and shown to staff; the good note beside it is told."""
    mine, others = (CITY_NOTE % taker.encode() for taker in (buyer.cnpj, "11222333000181"))
    odd = mine.replace(b">1000.00<", b">9e99<").replace(b">10<", b">11<")
    odd = odd.replace(b"</ChaveNFe>", b"</ChaveNFe><DataEmissaoNFe>0001-01-01</DataEmissaoNFe>")
    pages = [b"<NFe", b"\x00\x01", mine, others, b"<NFe", odd]
    city = SimpleNamespace(
        features=SimpleNamespace(received=True),
        received=lambda issuer, **asked: ReceivedPage(tuple(pages)),
    )
    monkeypatch.setattr(municipal, "provider_for", lambda *given, **where: city)
    buyer.habilita_nfse, buyer.codigo_municipio = True, "4301602"
    buyer.save()
    now = clock.now()
    cursor = cursors.cursor_of(buyer, source=Source.NFSE, ambiente="homologacao", now=now)
    rows = DistributionCursor.objects.filter(pk=cursor.pk)

    for _ in range(2):
        rows.update(next_at=now, blocked_until=None)
        fetch_received(cursor.pk)

    kept = list(ReceivedDocument.objects.order_by("nsu").values_list("nsu", "chave", "error"))
    entry, strange = inbox.get("nfses_recebidas", cnpj=buyer.cnpj).json()
    assert [(nsu, chave, bool(error)) for nsu, chave, error in kept] == [
        (1, "", True), (2, "", True), (3, entry["chave"], False), (4, strange["chave"], False),
    ]  # fmt: skip
    assert strange["valor_servicos"] == "9e99"  # as the city wrote it
    assert ReceivedNfse.objects.get(number="11").total is None
    assert (entry["versao"], rows.get().n_failures) == (1, 0)
