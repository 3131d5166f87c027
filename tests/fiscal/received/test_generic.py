"""Events of the recipient beyond the manifestação (fiscal-api §8.1, §2.15; NT 2025.002)."""

from __future__ import annotations

from typing import Any

import pytest
from support.notes import WHY, impatient, issued_nfe

from fiscal.models import EventState, Manifestation
from fiscal.services import archive
from fiscal.tasks import resume_manifestation
from fiscal.xml import parse

pytestmark = pytest.mark.django_db(transaction=True)
ITEM = {
    "numero_item": 1, "valor_ibs": 0, "valor_cbs": "20.5", "quantidade": "2", "unidade": "UN",
}  # fmt: skip
ASSET = {"tipo_evento": "imobilizacao_item", "itens_imobilizacao": [ITEM]}
DEBIT = {"tipo_evento": "aceite_debito", "aceite": False}


def events(sandbox: Any) -> list[tuple[str, int, str, str]]:
    return [
        (one["tipo"], one["sequencia"], one["orgao"], one["autor"])
        for one in sandbox.told("GET", "eventos")
    ]


def test_events_are_registered_counted_and_taken_back(company, buyer, sandbox, nfe, inbox, fetch):
    chave = issued_nfe(nfe)["chave_nfe"][3:]
    fetch()
    where = f"nfes_recebidas/{chave}/evento"

    told = inbox.post(where, ASSET)
    assert told.status_code == 200, told.content
    assert told.json() | {"numero_protocolo": ""} == {
        "status": "autorizado", "status_sefaz": "135", "numero_protocolo": "",
        "mensagem_sefaz": "Evento registrado e vinculado a NF-e",
        "numero_evento_imobilizacao_item": "1",
    }  # fmt: skip
    assert inbox.post(where, ASSET).json()["numero_evento_imobilizacao_item"] == "2"
    assert inbox.post(where, DEBIT).json()["numero_evento_aceite_debito"] == "1"
    gone = inbox.delete(where, {"tipo_evento": "imobilizacao_item"}).json()
    assert gone["numero_cancelamento_evento_imobilizacao_item"] == "1"
    last = inbox.delete(where, {"tipo_evento": "imobilizacao_item"}).json()
    assert last["numero_cancelamento_evento_imobilizacao_item"] == "2"

    who = ("92", buyer.cnpj)
    assert events(sandbox) == [
        ("211130", 1, *who), ("211130", 2, *who), ("211128", 1, *who),
        ("110001", 1, *who), ("110001", 2, *who),
    ]  # fmt: skip
    rows = list(Manifestation.objects.order_by("pk"))
    xml = [archive.unpacked(row.xml).decode() for row in rows]
    assert (
        '<tpAutor>2</tpAutor><verAplic>faturamento</verAplic><gImobilizacao nItem="1">'
        "<vIBS>0.00</vIBS><vCBS>20.50</vCBS><gControleEstoque><qImobilizado>2</qImobilizado>"
        "<uImobilizado>UN</uImobilizado></gControleEstoque></gImobilizacao>"
    ) in xml[0]
    assert "<indAceitacao>0</indAceitacao>" in xml[2]
    taken_back = [parse(one.encode()).findtext(".//{*}nProtEvento") for one in xml[3:]]
    assert taken_back == [rows[1].protocolo, rows[0].protocolo]
    # No manifestação was said by any of them.
    entry = inbox.get(f"nfes_recebidas/{chave}").json()
    assert (entry["manifestacao_destinatario"], entry["versao"]) == (None, 1)
    assert inbox.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": "ciencia"}).status_code == 200


def test_what_is_refused_and_what_is_lost(company, sandbox, nfe, inbox, fetch, monkeypatch):
    impatient(monkeypatch)
    chave, other = (issued_nfe(nfe, ref)["chave_nfe"][3:] for ref in ("r1", "r2"))
    fetch()
    nfe.delete("nfe/r2", {"justificativa": WHY})
    fetch(later=True)
    where = f"nfes_recebidas/{chave}/evento"
    bad, schema = (400, "requisicao_invalida"), (422, "erro_validacao_schema")
    for method, path, body, expected in (
        ("POST", where, {}, bad),
        ("POST", where, {"tipo_evento": "ciencia"}, bad),
        ("POST", where, {"tipo_evento": ["aceite_debito"]}, bad),
        ("POST", where, {"tipo_evento": "aceite_debito"}, bad),
        ("POST", where, {"tipo_evento": "aceite_debito", "aceite": "talvez"}, schema),
        ("POST", where, {"tipo_evento": "imobilizacao_item"}, bad),
        ("POST", where, ASSET | {"itens_imobilizacao": [ITEM, ITEM]}, schema),
        ("POST", where, ASSET | {"itens_imobilizacao": [{**ITEM, "valor_ibs": "-1"}]}, schema),
        ("POST", where, ASSET | {"itens_imobilizacao": "1"}, schema),
        ("POST", where, ASSET | {"itens_imobilizacao": [{**ITEM, "numero_item": 991}]}, schema),
        ("POST", where, "[]", (415, "requisicao_invalida")),
        ("DELETE", where, {"tipo_evento": "aceite_debito"}, (400, "pending_operation")),
        ("DELETE", where, {}, bad),
        ("GET", where, None, (404, "nao_encontrado")),
        ("POST", f"nfes_recebidas/{other}/evento", DEBIT, (422, "already_processed")),
        ("POST", f"nfes_recebidas/{'3' * 44}/evento", DEBIT, (404, "nao_encontrado")),
        ("POST", f"{where}?cnpj={company.cnpj}", DEBIT, (403, "permissao_negada")),
    ):
        answer = inbox.call(method, path, body)
        assert (answer.status_code, answer.json()["codigo"]) == expected, (path, body)
    assert nfe.post(where, DEBIT).status_code == 404
    assert not Manifestation.objects.exists()

    sandbox.fault(
        "cstat",
        servico="recepcao_evento",
        vezes=1,
        parametros={"codigo": 575, "nivel": "documento"},
    )
    refused = inbox.post(where, DEBIT)
    assert (refused.status_code, refused.json()["status"]) == (200, "erro_autorizacao")
    assert (refused.json()["evento"], refused.json()["status_sefaz"]) == ("aceite_debito", "575")

    sandbox.fault("queda_depois", servico="recepcao_evento", vezes=1)
    found = inbox.post(where, DEBIT).json()  # 573, and the query shows that it is ours
    assert (found["status"], found["numero_evento_aceite_debito"]) == ("autorizado", "1")
    sandbox.fault("queda_antes", servico="recepcao_evento", vezes=2)
    waits = inbox.post(where, DEBIT)
    assert (waits.status_code, waits.json()["status"]) == (202, "processando_autorizacao")
    assert inbox.post(where, ASSET).json()["codigo"] == "em_processamento"
    row = Manifestation.objects.get(state=EventState.INDEFINIDO)
    resume_manifestation(row.pk)
    assert [(tipo, n) for tipo, n, *_ in events(sandbox) if tipo == "211128"] == [
        ("211128", 1), ("211128", 2),
    ]  # fmt: skip
