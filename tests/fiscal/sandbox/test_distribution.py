"""Distribution: pages of fifty, summaries until the manifestation, the hour after nothing new."""

from __future__ import annotations

from importlib.resources import files

import pytest
from lxml import etree
from support import signed_notes as notes
from support.signed_notes import after, leaves, note, xml

AN = {"authority": "AN"}


@pytest.fixture
def client(sandbox):
    return sandbox.client()


@pytest.fixture
def buyer(sandbox):
    return sandbox.client(notes.BUYER)


def fetched(client, document: str = notes.BUYER, **asked):
    return client.ask("distribuicao_dfe", notes.distribution(document, **asked), **AN)


def manifest(buyer, chave: str, descricao: str = "Ciencia da Operacao", tipo: str = "210210"):
    event = notes.event(
        buyer.signing, chave, tipo, leaves(descEvento=descricao), author=notes.BUYER, orgao="91"
    )
    assert buyer.register(event, **AN).event == 135


def names(answer) -> list[str]:
    return [etree.QName(each).localname for each in answer.unpacked]


def test_more_than_fifty_documents_come_in_pages(sandbox, client, buyer):
    sent = [note(client.signing, numero=numero) for numero in range(1, 54)]
    for each in sent:
        client.send(each)

    first = fetched(buyer, ult=0)
    second = fetched(buyer, ult=int(first.text("ultNSU")))
    third = fetched(buyer, ult=int(second.text("ultNSU")))

    assert (first.c_stat, first.text("ultNSU"), first.text("maxNSU")) == (
        138,
        f"{50:015d}",
        f"{53:015d}",
    )
    assert len(first.unpacked) == 50
    assert names(second) == ["resNFe"] * 3
    keys = [each.findtext("{*}chNFe") for each in first.unpacked + second.unpacked]
    assert keys == [each.chave for each in sent]
    assert (third.c_stat, third.text("ultNSU")) == (137, f"{53:015d}")


def test_the_answers_and_summaries_keep_their_schemas(client, buyer):
    client.send(note(client.signing))

    answer = fetched(buyer, ult=0)

    folder = files("nfelib") / "nfe_dist_dfe" / "schemas" / "v1_0"
    for name, element in (
        ("retDistDFeInt", etree.fromstring(etree.tostring(answer.root))),
        ("resNFe", answer.unpacked[0]),
    ):
        schema = etree.XMLSchema(etree.parse(str(folder / f"{name}_v1.01.xsd")))
        assert schema.validate(element), schema.error_log


def test_after_nothing_new_one_hour_must_pass(sandbox, client, buyer):
    sandbox.clock(parado=True)
    nothing = fetched(buyer, ult=0).c_stat
    client.send(note(client.signing))
    early = fetched(buyer, ult=0).c_stat
    sandbox.clock(avancar=3601)

    assert (nothing, early, fetched(buyer, ult=0).c_stat) == (137, 656, 138)


def test_who_asks_too_often_is_told_from_where_to_go_on(sandbox, client, buyer):
    """656 carries the NSU that the taxpayer was last given, by whatever program."""
    sandbox.clock(parado=True)
    for numero in (1, 2):
        client.send(note(client.signing, numero=numero))
    assert fetched(buyer, ult=0).c_stat == 138
    assert fetched(buyer, ult=2).c_stat == 137
    client.send(note(client.signing, numero=3))

    blocked = fetched(buyer, ult=0)

    assert (blocked.c_stat, blocked.text("ultNSU"), blocked.text("maxNSU")) == (
        656, f"{2:015d}", f"{3:015d}",
    )  # fmt: skip
    assert "ultNSU" in blocked.text("xMotivo")
    beyond = fetched(sandbox.client("12ABC34501DE35"), "12ABC34501DE35", ult=9)
    assert (beyond.c_stat, beyond.text("maxNSU")) == (589, "0" * 15)


def test_the_whole_document_comes_after_the_manifestation(client, buyer):
    sent = note(client.signing)
    client.send(sent)

    manifest(buyer, sent.chave)

    answer = fetched(buyer, ult=0)
    assert names(answer) == ["resNFe", "nfeProc"]
    whole = etree.tostring(answer.unpacked[1])
    assert sent.xml.partition(b"<infNFe")[2] in whole
    assert b"protNFe" in whole


def test_a_manifestation_again_does_not_bring_the_document_again(client, buyer):
    sent = note(client.signing)
    client.send(sent)
    manifest(buyer, sent.chave)

    manifest(buyer, sent.chave, "Confirmacao da Operacao", "210200")

    assert names(fetched(buyer, ult=0)) == ["resNFe", "nfeProc"]


def test_events_reach_the_other_side(client, buyer):
    sent = note(client.signing)
    protocolo = client.send(sent).text("infProt/nProt")
    manifest(buyer, sent.chave)
    client.register(notes.cancellation(client.signing, sent.chave, protocolo))

    assert names(fetched(buyer, ult=0)) == ["resNFe", "nfeProc", "procEventoNFe"]
    assert names(fetched(client, notes.ISSUER, ult=0)) == ["procEventoNFe"]


def test_who_is_named_in_the_document_gets_it_whole(sandbox, client):
    accountant = "12ABC34501DE35"
    named = after("dest", xml("autXML", leaves(CNPJ=accountant)))
    client.send(note(client.signing, named))

    assert names(fetched(sandbox.client(accountant), accountant, ult=0)) == ["nfeProc"]


def test_one_document_is_fetched_by_number_or_key(client, buyer):
    sent = note(client.signing)
    client.send(sent)

    assert names(fetched(buyer, nsu=1)) == ["resNFe"]
    assert names(fetched(buyer, chave=sent.chave)) == ["resNFe"]
    manifest(buyer, sent.chave)
    assert names(fetched(buyer, chave=sent.chave)) == ["nfeProc"]


def test_what_may_not_be_fetched_is_refused(sandbox, client, buyer):
    sent = note(client.signing)
    client.send(sent)
    stranger = "12ABC34501DE35"

    assert fetched(buyer, ult=99).c_stat == 589
    assert fetched(buyer, nsu=99).c_stat == 589
    assert fetched(client, ult=0).c_stat == 593
    assert fetched(client, notes.ISSUER, chave=sent.chave).c_stat == 641
    assert fetched(sandbox.client(stranger), stranger, chave=sent.chave).c_stat == 640
    assert fetched(buyer, chave=note(client.signing, numero=2).chave).c_stat == 217
    assert fetched(buyer, chave="35" + "1" * 42).c_stat == 236


def test_single_fetches_are_twenty_an_hour(sandbox, client, buyer):
    sandbox.clock(parado=True)
    client.send(note(client.signing))

    codes = [fetched(buyer, nsu=1).c_stat for _ in range(21)]

    assert codes == [138] * 20 + [656]
