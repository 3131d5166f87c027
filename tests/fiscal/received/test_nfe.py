"""NF-e issued against a company, from the authority to /v2 (fiscal-api §8, DIS-1 to DIS-5)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from support.notes import WHY, issued_nfe

from fiscal.models import DistributionCursor, HookNotice, ReceivedDocument, ReceivedNfe
from fiscal.services import archive
from fiscal.services.hook_bodies import body_of

pytestmark = pytest.mark.django_db(transaction=True)


def received(client: Any, **query: Any) -> list[dict[str, Any]]:
    response = client.get("nfes_recebidas", cnpj="11444777000161", **query)
    assert response.status_code == 200, response.content
    return response.json()


def test_a_note_is_told_summarily_then_manifested_then_whole(company, sandbox, nfe, inbox, fetch):
    """The story: summary, ciência, the whole XML, carta de correção, confirmação, prints."""
    chave = issued_nfe(nfe)["chave_nfe"].removeprefix("NFe")
    cursor = fetch()

    (entry,) = received(inbox)
    assert entry["chave_nfe"] == chave
    assert (entry["situacao"], entry["nfe_completa"], entry["versao"]) == ("autorizada", False, 1)
    assert entry["manifestacao_destinatario"] is None
    assert (entry["documento_emitente"], entry["nome_emitente"]) == (company.cnpj, company.nome)
    assert (entry["cnpj_destinatario"], entry["valor_total"]) == ("11444777000161", "20.00")
    assert (entry["tipo_nfe"], len(entry["digest_value"])) == ("1", 28)
    assert (cursor.ult_nsu, cursor.max_nsu) == (1, 1)
    for form in ("xml", "pdf"):
        assert inbox.get(f"nfes_recebidas/{chave}.{form}").status_code == 404
    assert inbox.get(f"nfes_recebidas/{chave}/manifesto").status_code == 404

    told = inbox.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": "ciencia"})
    assert told.status_code == 200, told.content
    assert told.json()["status"] == "evento_registrado"
    assert (told.json()["status_sefaz"], told.json()["tipo"]) == ("135", "ciencia")
    assert len(told.json()["protocolo"]) == 15
    assert [(e["tipo"], e["orgao"], e["autor"]) for e in sandbox.told("GET", "eventos")] == [
        ("210210", "91", "11444777000161")
    ]
    assert inbox.get(f"nfes_recebidas/{chave}/manifesto").json() == told.json()
    again = inbox.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": "ciencia"})
    assert (again.status_code, again.json()["codigo"]) == (400, "manifestacao_ja_vinculada")

    nfe.post("nfe/r1/carta_correcao", {"correcao": "O endereco e Rua das Flores, 12"})
    fetch(later=True)
    (entry,) = received(inbox, versao=1)
    assert (entry["manifestacao_destinatario"], entry["nfe_completa"]) == ("ciencia", True)
    assert entry["carta_correcao"] == "O endereco e Rua das Flores, 12"
    assert (entry["numero_carta_correcao"], entry["versao"]) == ("1", 3)
    xml = inbox.get(f"nfes_recebidas/{chave}.xml").content
    whole = ReceivedDocument.objects.get(schema="procNFe_v4.00.xsd")
    assert xml.endswith(archive.unpacked(whole.content))
    assert whole.sha256 == hashlib.sha256(archive.unpacked(whole.content)).hexdigest()
    body = inbox.get(f"nfes_recebidas/{chave}.json", completa=1, cnpj="11.444.777/0001-61").json()
    assert body["requisicao_nota_fiscal"]["items"][0]["codigo_produto"] == "P1"
    assert body["protocolo_nota_fiscal"]["chave_nfe"] == chave
    assert body["requisicao_carta_correcao"]["correcao"] == entry["carta_correcao"]
    assert body["requisicao_cancelamento"] is None
    letter = inbox.get(f"nfes_recebidas/{chave}/carta_correcao.xml")
    assert b"<xCorrecao>O endereco" in letter.content
    assert inbox.get(f"nfes_recebidas/{chave}/cancelamento.xml").status_code == 404

    sent = inbox.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": "confirmacao"})
    assert sent.json()["status"] == "evento_registrado"
    assert not received(inbox, pendente=1)
    refused = inbox.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": "desconhecimento"})
    assert refused.json()["status"] == "evento_registrado"  # the last conclusive one counts
    assert inbox.get(f"nfes_recebidas/{chave}/manifesto").json()["tipo"] == "desconhecimento"

    moved = inbox.get(f"nfes_recebidas/{chave}.pdf")
    assert (moved.status_code, moved["Location"]) == (
        302, f"/notas_fiscais/NFe{chave}/recebida.pdf"
    )  # fmt: skip
    pdf = inbox.get(moved["Location"])
    assert (pdf.status_code, pdf.content[:5]) == (200, b"%PDF-")
    assert nfe.get(moved["Location"]).status_code == 404  # the issuer received nothing


def test_a_cancellation_changes_the_note_and_refuses_the_ciencia(
    company, sandbox, nfe, inbox, fetch
):
    chave = issued_nfe(nfe)["chave_nfe"].removeprefix("NFe")
    fetch()
    nfe.delete("nfe/r1", {"justificativa": WHY})
    fetch(later=True)

    (entry,) = received(inbox)
    assert (entry["situacao"], entry["versao"]) == ("cancelada", 2)
    assert entry["justificativa_cancelamento"] == WHY
    assert entry["data_cancelamento"][:4] == "2026"
    file = inbox.get(f"nfes_recebidas/{chave}/cancelamento.xml")
    assert (file.status_code, b"110111" in file.content) == (200, True)
    for tipo, c_stat in (("ciencia", "650"), ("desconhecimento", "651")):
        response = inbox.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": tipo})
        assert response.status_code == 400
        assert response.json()["codigo"] == "manifestacao_nao_aplicavel"
        assert c_stat in response.json()["mensagem"]
    assert received(inbox, pendente_ciencia=1) == [entry]


def test_pages_versions_and_the_hour(company, sandbox, nfe, inbox, fetch):
    """DIS-2: an hour after nothing new; a page is a hundred, by version."""
    hook = inbox.post("hooks", {"event": "nfe_recebida", "url": "https://8.8.8.8/x"}).json()
    for n in range(3):
        issued_nfe(nfe, f"r{n}")
    first = fetch()
    second = fetch()  # not asked: the hour is not over

    asked = sandbox.requests(servico="distribuicao_dfe")
    assert len(asked) == 1
    assert second.asked_at == first.asked_at
    assert (first.blocked_until - first.asked_at).total_seconds() == pytest.approx(3600, abs=60)
    response = inbox.get("nfes_recebidas", cnpj="11444777000161")
    assert (response["X-Total-Count"], response["X-Max-Version"]) == ("3", "3")
    assert [one["versao"] for one in response.json()] == [1, 2, 3]
    empty = inbox.get("nfes_recebidas", cnpj="11444777000161", versao=3)
    assert (empty.json(), empty["X-Total-Count"], empty["X-Max-Version"]) == ([], "0", "3")
    assert DistributionCursor.objects.get().last_version == 3
    assert ReceivedNfe.objects.count() == 3
    bodies = [body_of(notice) for notice in HookNotice.objects.order_by("id")]
    assert bodies == response.json()  # one call for each, with the entry of the list
    chave = bodies[0]["chave_nfe"]
    assert inbox.post(f"nfes_recebidas/{chave}/hook").json() == [hook]
    assert HookNotice.objects.count() == 4


def test_who_asks_for_what(company, buyer, nfe, inbox):
    """400 without or with an unusable CNPJ or when not enabled, 403 for another's, 404 else."""
    key = "3" * 44

    def told(client: Any, path: str, **query: Any) -> tuple[int, str]:
        response = client.get(path, **query)
        return response.status_code, response.json().get("codigo", "")

    bad, forbidden, absent = (
        (400, "requisicao_invalida"), (403, "permissao_negada"), (404, "nao_encontrado"),
    )  # fmt: skip
    for resource in ("nfes_recebidas", "nfses_recebidas", "nfsens_recebidas"):
        assert told(inbox, resource) == bad
        assert told(inbox, resource, cnpj="123") == bad
        assert told(inbox, resource, cnpj=company.cnpj) == forbidden
        assert told(nfe, resource, cnpj=company.cnpj) == bad  # not enabled
        assert told(inbox, f"{resource}/{key}") == absent
        assert told(inbox, f"{resource}/{key}", cnpj=company.cnpj) == forbidden
    assert told(inbox, "nfes_recebidas", cnpj=buyer.cnpj, versao="x") == bad
    assert told(inbox, f"nfes_recebidas/{key}/manifesto") == absent
