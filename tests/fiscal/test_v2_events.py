"""Events of /v2 against the sandbox (fiscal-api §2.7 to §2.9, §2.14, §2.15; EVT-1 to EVT-8)."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from factories import FiscalCompanyFactory
from support import signed_notes
from support.certificates import certify, moment_after
from support.issuing import item, nfe_body
from support.notes import WHY, Killed, impatient, issued_nfce, issued_nfe, resume_all
from support.v2 import fiscal_token, v2

from fiscal import xml
from fiscal.authorities import tables
from fiscal.documents.nfe import events as kinds
from fiscal.models import Certificate, EventState, FiscalDocument, FiscalEvent
from fiscal.services import event_outcome, event_sending
from fiscal.signing import verify
from fiscal.xml import child_text, cut_out, parse
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
FIX = "O endereco do comprador e Rua das Flores, 12"
OTHER = "O volume transportado pesa 12 quilos"
HASH = base64.b64encode(hashlib.sha1(b"imagem").digest()).decode()  # noqa: S324  the layout's
FAILURE = {
    "data_tentativa_entrega": "2026-11-21T10:00:00-03:00",
    "motivo_insucesso": "1",
    "hash_tentativa_entrega": HASH,
}
PAYMENT = {"forma_pagamento": "03", "valor_pagamento": "20.00", "data_pagamento": "2026-11-20"}
PLACE = {"cnpj_transacional": "11444777000161", "uf_transacional": "SP"}


def events(sandbox: Any) -> list[tuple[str, int, str]]:
    return [(row["tipo"], row["sequencia"], row["orgao"]) for row in sandbox.told("GET", "eventos")]


def detail(client: Any, path: str) -> Any:
    """detEvento of a published file, whose signature is checked."""
    response = client.get(path)
    assert response.status_code == 200, path
    verify(cut_out(response.content, "evento"))
    return next(parse(response.content).iter("{*}detEvento"))


def correct(client: Any, text: str = FIX, ref: str = "r1", **more: Any) -> Any:
    return client.post(f"nfe/{ref}/carta_correcao", {"correcao": text, **more})


# --- the table ---------------------------------------------------------------------------------


def test_every_kind_has_a_destination_and_a_schema():
    """EVT-2, EVT-8: descEvento is an enumeration of its schema."""
    for kind in kinds.KINDS.values():
        assert tables.event_destination(kind.tp_evento)
        source = xml.xsd.source(f"e{kind.tp_evento}").decode()
        assert f'value="{kind.description}"' in source
        assert all(f'name="{tag}"' in source for tag in kind.tags)
        if kind.tp_evento == kinds.EPEC:  # its schema refers to tags that it declares elsewhere
            continue
        for before, after in zip(kind.tags, kind.tags[1:], strict=False):
            assert source.index(f'name="{before}"') < source.index(f'name="{after}"')


def test_the_terms_are_the_published_ones():
    """EVT-3."""
    assert f'value="{kinds.CCE_TERMS}"' in xml.xsd.source("e110110").decode()
    assert f'value="{kinds.ACTOR_TERMS}"' in xml.xsd.source("e110150").decode()
    assert kinds.CCE_TERMS == signed_notes.XCOND


# --- carta de correção -------------------------------------------------------------------------


def test_a_letter_is_registered_told_and_kept(company, sandbox, nfe):
    told = issued_nfe(nfe)

    response = correct(nfe)

    assert response.status_code == 200
    chave = told["chave_nfe"].removeprefix("NFe")
    path = told["caminho_xml_nota_fiscal"].replace("-nfe.xml", "-cce-01.xml")
    files = {
        "caminho_xml_carta_correcao": path,
        "caminho_pdf_carta_correcao": f"/notas_fiscais/NFe{chave}/cartas_correcao/1.pdf",
        "numero_carta_correcao": 1,
    }
    assert response.json() == {
        "status": "autorizado",
        "status_sefaz": "135",
        "mensagem_sefaz": "Evento registrado e vinculado a NF-e",
        **files,
    }
    assert events(sandbox) == [("110110", 1, "35")]
    inf = detail(nfe, path)
    assert child_text(inf, "xCorrecao") == FIX
    assert child_text(inf, "xCondUso") == kinds.CCE_TERMS
    shown = nfe.get("nfe/r1", completa=1).json()
    assert shown["status"] == "autorizado"
    assert shown["status_sefaz"] == "135"
    assert {name: shown[name] for name in files} == files
    assert shown["requisicao_carta_correcao"]["correcao"] == FIX
    assert shown["requisicao_carta_correcao"]["condicoes_uso"] == kinds.CCE_TERMS
    assert shown["requisicao_carta_correcao"]["tipo_evento"] == "110110"
    assert shown["protocolo_carta_correcao"]["status"] == "135"


def test_a_letter_carries_what_the_former_ones_say(company, sandbox, nfe):
    """EVT-4."""
    issued_nfe(nfe)
    correct(nfe)

    second = correct(nfe, OTHER).json()
    third = correct(nfe, f"{FIX} | {OTHER} | e nada mais alem disso").json()
    alone = correct(nfe, OTHER, substitui_anteriores=True).json()

    numbers = [row["numero_carta_correcao"] for row in (second, third, alone)]
    assert numbers == [2, 3, 4]
    texts = [
        child_text(detail(nfe, row["caminho_xml_carta_correcao"]), "xCorrecao")
        for row in (second, third, alone)
    ]
    assert texts == [f"{FIX} | {OTHER}", f"{FIX} | {OTHER} | e nada mais alem disso", OTHER]
    assert nfe.get("nfe/r1").json()["numero_carta_correcao"] == 4


def test_what_would_be_lost_is_refused(company, sandbox, nfe):
    """EVT-4: both texts together are too long."""
    issued_nfe(nfe)
    correct(nfe, "a" * 600)

    response = correct(nfe, "b" * 600)

    assert (response.status_code, response.json()["codigo"]) == (400, "requisicao_invalida")
    assert "substitui_anteriores" in response.json()["mensagem"]
    assert correct(nfe, "b" * 600, substitui_anteriores=True).status_code == 200


def test_there_are_twenty_letters_at_most(company, sandbox, nfe):
    issued_nfe(nfe)
    for n in range(1, 21):
        body = correct(nfe, f"A placa do veiculo e {n:04d}").json()
        assert (body["status"], body["numero_carta_correcao"]) == ("autorizado", n)

    response = correct(nfe, "A placa do veiculo e outra")

    assert (response.status_code, response.json()["codigo"]) == (400, "requisicao_invalida")
    assert len(events(sandbox)) == 20


def test_the_moment_of_the_event_may_be_given(company, sandbox, nfe):
    issued_nfe(nfe)
    at = (clock.now() + timedelta(seconds=90)).replace(microsecond=0)

    body = correct(nfe, data_evento=at.isoformat()).json()

    assert body["status"] == "autorizado"
    assert FiscalEvent.objects.get().dh_evento == at
    asked = nfe.get("nfe/r1", completa=1).json()["requisicao_carta_correcao"]
    assert asked["data_evento"].endswith("-03:00")


def test_a_moment_in_the_future_is_refused_by_the_authority(company, sandbox, nfe):
    """578."""
    issued_nfe(nfe)
    at = clock.now() + timedelta(days=2)

    response = correct(nfe, data_evento=at.isoformat())

    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["status_sefaz"]) == ("erro_autorizacao", "578")
    assert "numero_carta_correcao" not in body
    assert nfe.get("nfe/r1").json()["status_sefaz"] == "100"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, 'Parâmetro "correcao" não informado.'),
        ({"correcao": ""}, 'Parâmetro "correcao" não informado.'),
        ({"correcao": "curta"}, 'Parâmetro "correcao" deve ter entre 15 e 1000 caracteres.'),
        ({"correcao": "a" * 10_000}, 'Parâmetro "correcao" deve ter entre 15 e 1000 caracteres.'),
        ({"correcao": {}}, 'Parâmetro "correcao" inválido: deve ser um texto.'),
        ({"correcao": FIX, "data_evento": "ontem"},
         'Parâmetro "data_evento" inválido. '
         "Use data e hora ISO 8601, como 2026-12-25T12:00:00-03:00."),
    ],
)  # fmt: skip
def test_a_bad_letter_is_refused(company, sandbox, nfe, body, message):
    issued_nfe(nfe)

    response = nfe.post("nfe/r1/carta_correcao", body)

    assert response.status_code == 400
    assert response.json() == {"codigo": "requisicao_invalida", "mensagem": message}
    assert not FiscalEvent.objects.exists()


def test_the_letter_of_another_system_is_not_taken_for_ours(company, sandbox, nfe):
    """573, EVT-6: fetched and compared; ours is refused, and the next one goes on from theirs."""
    told = issued_nfe(nfe)
    client = sandbox.client(company.cnpj)
    chave = told["chave_nfe"].removeprefix("NFe")
    client.register(signed_notes.correction(client.signing, chave))

    first = correct(nfe).json()
    second = correct(nfe).json()

    assert (first["status"], first["status_sefaz"]) == ("erro_autorizacao", "573")
    assert (second["status"], second["numero_carta_correcao"]) == ("autorizado", 2)
    assert [row[:2] for row in events(sandbox)] == [("110110", 1), ("110110", 2)]
    text = child_text(detail(nfe, second["caminho_xml_carta_correcao"]), "xCorrecao")
    assert text.endswith(f" | {FIX}")


# --- all addresses -----------------------------------------------------------------------------

ADDRESSES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "carta_correcao", {"correcao": FIX}),
    ("POST", "ator_interessado", {"cnpj": "11444777000161"}),
    ("POST", "insucesso_entrega", FAILURE),
    ("POST", "econf", {"detalhes_pagamento": [PAYMENT]}),
    ("POST", "evento", {"tipo_evento": "prorrogacao_suspensao_icms"}),
]
_IDS = [address for _, address, _ in ADDRESSES]


@pytest.mark.parametrize(("method", "address", "body"), ADDRESSES, ids=_IDS)
def test_no_event_without_a_document_that_stands(
    company, sandbox, nfe, other_account, method, address, body
):
    def ask(client: Any = nfe, ref: str = "r1", given: Any = body) -> tuple[int, str]:
        response = client.call(method, f"nfe/{ref}/{address}", given)
        return response.status_code, response.json()["codigo"]

    nfe.post("nfe", nfe_body(), ref="r0")
    assert ask(ref="r0") == (400 if address == "evento" else 422, "nfe_nao_autorizada")
    issued_nfe(nfe)
    stranger = FiscalCompanyFactory(account=other_account)
    certify(stranger)
    assert ask(v2(fiscal_token(stranger)))[0] == 404
    assert ask(v2(fiscal_token(company, "producao")))[0] == 404
    assert ask(ref="nada") == (404, "nao_encontrado")
    assert ask(given="{")[0] == 415
    nfe.delete("nfe/r1", {"justificativa": WHY})
    assert ask() == (422, "already_processed")
    assert [row[0] for row in events(sandbox)] == ["110111"]


@pytest.mark.parametrize(("method", "address", "body"), ADDRESSES, ids=_IDS)
def test_an_expired_certificate_is_told(company, sandbox, nfe, at_moment, method, address, body):
    issued_nfe(nfe)
    at_moment(moment_after(Certificate.objects.get()))

    response = nfe.call(method, f"nfe/r1/{address}", body)

    assert (response.status_code, response.json()["codigo"]) == (400, "certificado_vencido")
    assert not FiscalEvent.objects.exists()


def test_the_wrong_method_is_told(company, sandbox, nfe):
    issued_nfe(nfe)

    response = nfe.get("nfe/r1/carta_correcao")

    assert response.status_code == 404
    assert response.json() == {"codigo": "nao_encontrado", "mensagem": "Utilize o método POST."}
    assert nfe.post("nfce/r1/carta_correcao", {"correcao": FIX}).status_code == 404


# --- ator interessado --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        ({"cnpj": "11.444.777/0001-61"}, {"CNPJ": "11444777000161", "tpAutorizacao": "0"}),
        ({"cpf": "52998224725", "permite_autorizacao_terceiros": True},
         {"CPF": "52998224725", "tpAutorizacao": "1", "xCondUso": kinds.ACTOR_TERMS}),
        ({"cnpj": "12ABC34501DE35", "permite_autorizacao_terceiros": False},
         {"CNPJ": "12ABC34501DE35", "tpAutorizacao": "0"}),
    ],
)  # fmt: skip
def test_an_actor_is_registered_at_the_ambiente_nacional(company, sandbox, nfe, body, tags):
    issued_nfe(nfe)

    told = nfe.post("nfe/r1/ator_interessado", body).json()

    assert (told["status"], told["status_sefaz"]) == ("autorizado", "135")
    assert told["numero_evento_ator_interessado"] == 1
    assert events(sandbox) == [("110150", 1, "91")]
    inf = detail(nfe, told["caminho_xml_evento_ator_interessado"])
    found = {tag: inf.findtext(f".//{{*}}{tag}") for tag in tags}
    assert found == tags
    assert nfe.get("nfe/r1").json()["status_sefaz"] == "100"


def test_a_bad_actor_is_refused(company, sandbox, nfe):
    issued_nfe(nfe)

    def ask(**body: Any) -> tuple[int, Any]:
        response = nfe.post("nfe/r1/ator_interessado", body)
        return response.status_code, response.json()

    assert ask() == (400, {
        "codigo": "requisicao_invalida",
        "mensagem": "Por favor, informe o CNPJ ou CPF do ator interessado.",
    })  # fmt: skip
    status, told = ask(cnpj="11444777000162")
    assert (status, told["codigo"], told["erros"][0]["campo"]) == (
        422, "erro_validacao_schema", "cnpj",
    )  # fmt: skip
    assert ask(cnpj="11444777000161", cpf="52998224725")[1]["erros"][0]["campo"] == "cpf"
    for odd in ([], {}, True, 1, "x" * 10_000):
        assert ask(cpf=odd)[0] in (400, 422)
    permits = ask(cpf="52998224725", permite_autorizacao_terceiros="talvez")
    assert permits[1]["erros"][0]["campo"] == "permite_autorizacao_terceiros"
    assert not FiscalEvent.objects.exists()


# --- insucesso na entrega ----------------------------------------------------------------------


def test_a_failed_delivery_and_its_cancellation(company, sandbox, nfe):
    issued_nfe(nfe)
    more = {
        "motivo_insucesso": 4, "justificativa_insucesso": "Rua interditada por obras da prefeitura",
        "numero_tentativas": "2", "latitude_entrega": "-23.55", "longitude_entrega": "-46.6333",
        "data_hash_tentativa": "2026-11-21T10:05:00-03:00",
    }  # fmt: skip

    told = nfe.post("nfe/r1/insucesso_entrega", {**FAILURE, **more}).json()
    gone = nfe.delete("nfe/r1/insucesso_entrega").json()

    assert (told["status"], told["numero_insucesso_entrega"]) == ("autorizado", 1)
    inf = detail(nfe, told["caminho_xml_insucesso_entrega"])
    assert child_text(inf, "latGPS") == "-23.550000"
    assert child_text(inf, "hashTentativaEntrega") == HASH
    assert gone["status"] == "autorizado"
    assert gone["status_sefaz"] == "135"
    assert gone["numero_cancelamento_insucesso_entrega"] == 1
    protocol = FiscalEvent.objects.get(tp_evento="110192").protocolo
    inf = detail(nfe, gone["caminho_xml_cancelamento_insucesso_entrega"])
    assert child_text(inf, "nProtEvento") == protocol
    assert events(sandbox) == [("110192", 1, "92"), ("110193", 1, "92")]
    again = nfe.delete("nfe/r1/insucesso_entrega")
    assert again.status_code == 400
    assert again.json() == {
        "codigo": "pending_operation",
        "mensagem": "Nota não possui evento de insucesso de entrega.",
    }


@pytest.mark.parametrize(
    ("change", "status", "campo"),
    [
        ({"data_tentativa_entrega": None}, 400, ""),
        ({"motivo_insucesso": None}, 400, ""),
        ({"motivo_insucesso": "4"}, 400, ""),
        ({"motivo_insucesso": "5"}, 422, "motivo_insucesso"),
        ({"justificativa_insucesso": "x" * 30}, 422, "justificativa_insucesso"),
        ({"hash_tentativa_entrega": "x" * 28}, 422, "hash_tentativa_entrega"),
        ({"hash_tentativa_entrega": ["x"]}, 422, "hash_tentativa_entrega"),
        ({"latitude_entrega": "90.1"}, 422, "latitude_entrega"),
        ({"longitude_entrega": "oeste"}, 422, "longitude_entrega"),
        ({"numero_tentativas": "1000"}, 422, "numero_tentativas"),
        ({"data_tentativa_entrega": "31/12/2026"}, 422, "data_tentativa_entrega"),
    ],
)
def test_a_bad_delivery_is_refused(company, sandbox, nfe, change, status, campo):
    issued_nfe(nfe)

    response = nfe.post("nfe/r1/insucesso_entrega", {**FAILURE, **change})

    body = response.json()
    assert response.status_code == status
    if campo:
        assert body["codigo"] == "erro_validacao_schema"
        assert [one["campo"] for one in body["erros"]] == [campo]
    else:
        assert body["codigo"] == "requisicao_invalida"
        if "data_tentativa_entrega" in change:
            assert body["mensagem"] == "Por favor, informe a data da tentativa de entrega."
    assert not FiscalEvent.objects.exists()


# --- ECONF -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "orgao"), [("nfe", "92"), ("nfce", "35")])
def test_a_conciliation_is_registered_queried_and_cancelled(company, sandbox, nfe, kind, orgao):
    """EVT-8: of NFC-e by the authority of the UF."""
    (issued_nfe if kind == "nfe" else issued_nfce)(nfe)
    whole = {
        **PAYMENT, **PLACE, "indicador_pagamento": "0", "valor_pagamento": 20,
        "cnpj_instituicao_financeira": "12ABC34501DE35", "bandeira_operadora": "01",
        "numero_autorizacao": "A1 & B2", "cnpj_beneficiario": "11444777000161",
        "uf_beneficiario": "rj", "descricao_pagamento": "Cartão",
    }  # fmt: skip

    told = nfe.post(f"{kind}/r1/econf", {"detalhes_pagamento": [whole, PAYMENT]}).json()

    assert told["status"] == "autorizado", told
    assert told["numero_conciliacao_financeira"] == 1
    protocol = told["numero_protocolo"]
    inf = detail(nfe, told["caminho_xml_conciliacao_financeira"])
    first, second = inf.findall("{*}detPag")
    assert [part.text for part in first] == [
        "0", "03", "Cartão", "20.00", "2026-11-20", "11444777000161", "SP", "12ABC34501DE35",
        "01", "A1 & B2", "11444777000161", "RJ",
    ]  # fmt: skip
    assert len(second) == 3
    assert nfe.get(f"{kind}/r1/econf/{protocol}").json() == told
    gone = nfe.delete(f"{kind}/r1/econf/{protocol}").json()
    assert gone["status"] == "autorizado"
    assert gone["numero_cancelamento_conciliacao_financeira"] == 1
    inf = detail(nfe, gone["caminho_xml_cancelamento_conciliacao_financeira"])
    assert child_text(inf, "nProtEvento") == protocol
    assert events(sandbox) == [("110750", 1, orgao), ("110751", 1, orgao)]
    again = nfe.delete(f"{kind}/r1/econf/{protocol}")
    assert (again.status_code, again.json()["codigo"]) == (422, "already_processed")
    for method in ("GET", "DELETE"):
        unknown = nfe.call(method, f"{kind}/r1/econf/135260000000000")
        assert (unknown.status_code, unknown.json()["codigo"]) == (422, "object_not_found")


_LIST = "detalhes_pagamento"


@pytest.mark.parametrize(
    ("sent", "campos"),
    [
        ([], [_LIST]),
        ([PAYMENT] * 101, [_LIST]),
        ("texto", [_LIST]),
        ([1], [_LIST]),
        ([{}], [f"{_LIST}[0].forma_pagamento", f"{_LIST}[0].valor_pagamento",
                f"{_LIST}[0].data_pagamento"]),
        ([PAYMENT, {**PAYMENT, "valor_pagamento": "0"}], [f"{_LIST}[1].valor_pagamento"]),
        ([{**PAYMENT, "valor_pagamento": "1.001"}], [f"{_LIST}[0].valor_pagamento"]),
        ([{**PAYMENT, "forma_pagamento": "98"}], [f"{_LIST}[0].forma_pagamento"]),
        ([{**PAYMENT, "data_pagamento": "2026-02-30"}], [f"{_LIST}[0].data_pagamento"]),
        ([{**PAYMENT, "cnpj_transacional": "11444777000161"}], [f"{_LIST}[0].uf_transacional"]),
        ([{**PAYMENT, "uf_beneficiario": "SP"}], [f"{_LIST}[0].cnpj_beneficiario"]),
        ([{**PAYMENT, "cnpj_instituicao_financeira": "11444777000161",
           "bandeira_operadora": "01", "numero_autorizacao": "1"}],
         [f"{_LIST}[0].cnpj_instituicao_financeira", f"{_LIST}[0].bandeira_operadora",
          f"{_LIST}[0].numero_autorizacao"]),
    ],
)  # fmt: skip
def test_a_bad_conciliation_names_its_fields(company, sandbox, nfe, sent, campos):
    """NT 2024.002: some fields come only after CNPJPag and UFPag."""
    issued_nfe(nfe)

    response = nfe.post("nfe/r1/econf", {_LIST: sent})

    assert (response.status_code, response.json()["codigo"]) == (422, "erro_validacao_schema")
    assert [one["campo"] for one in response.json()["erros"]] == campos
    assert not FiscalEvent.objects.exists()


def test_conciliations_are_counted(company, sandbox, nfe):
    """EVT-6."""
    issued_nfe(nfe)

    bodies = [nfe.post("nfe/r1/econf", {_LIST: [PAYMENT]}).json() for _ in range(2)]

    assert [body["numero_conciliacao_financeira"] for body in bodies] == [1, 2]
    missing = nfe.post("nfe/r1/econf", {})
    assert missing.json()["mensagem"] == 'Parâmetro "detalhes_pagamento" não informado.'


# --- generic events ----------------------------------------------------------------------------

_PRORROGACAO = {"tipo_evento": "prorrogacao_suspensao_icms"}


def test_the_terms_of_a_suspension_follow_each_other(company, sandbox, nfe):
    issued_nfe(
        nfe,
        items=[item(1), item(2)],
        formas_pagamento=[{"forma_pagamento": "01", "valor_pagamento": "40.00"}],
    )
    some = {**_PRORROGACAO, "itens_pedido": [{"numero_item": 2, "quantidade_item": "1.5"}]}

    first = nfe.post("nfe/r1/evento", some).json()
    whole = nfe.post("nfe/r1/evento", _PRORROGACAO).json()
    second = nfe.post("nfe/r1/evento", _PRORROGACAO).json()
    gone = nfe.delete("nfe/r1/evento", _PRORROGACAO).json()

    path = "caminho_xml_evento_prorrogacao_suspensao_icms"
    assert [row["status"] for row in (first, whole, second, gone)] == ["autorizado"] * 4
    assert [row[:2] for row in events(sandbox)] == [
        ("111500", 1), ("111500", 2), ("111501", 1), ("111503", 1),
    ]  # fmt: skip
    items = detail(nfe, first[path]).findall("{*}itemPedido")
    assert [(one.get("numItem"), one[0].text) for one in items] == [("2", "1.5")]
    items = detail(nfe, second[path]).findall("{*}itemPedido")
    assert [(one.get("numItem"), one[0].text) for one in items] == [("1", "2"), ("2", "2")]
    inf = detail(nfe, gone["caminho_xml_cancelamento_evento_prorrogacao_suspensao_icms"])
    chave = FiscalDocument.objects.get().chave
    assert child_text(inf, "idPedidoCancelado") == f"ID111501{chave}01"


def test_a_new_date_of_delivery_and_its_cancellation(company, sandbox, nfe):
    issued_nfe(nfe)
    asked = {"tipo_evento": "atualizacao_previsao_entrega", "data_previsao_entrega": "2026-12-20"}

    told = nfe.post("nfe/r1/evento", asked).json()
    gone = nfe.delete("nfe/r1/evento", {"tipo_evento": "atualizacao_previsao_entrega"}).json()

    assert (told["status"], gone["status"]) == ("autorizado", "autorizado")
    assert told["numero_evento_atualizacao_previsao_entrega"] == 1
    inf = detail(nfe, told["caminho_xml_evento_atualizacao_previsao_entrega"])
    assert child_text(inf, "dPrevEntrega") == "2026-12-20"
    inf = detail(nfe, gone["caminho_xml_cancelamento_evento_atualizacao_previsao_entrega"])
    assert child_text(inf, "tpEventoAut") == "112150"
    assert events(sandbox) == [("112150", 1, "92"), ("110001", 1, "92")]


@pytest.mark.parametrize(
    ("body", "status", "codigo"),
    [
        ({}, 400, "requisicao_invalida"),
        ({"tipo_evento": "outro"}, 400, "requisicao_invalida"),
        ({"tipo_evento": ["x"]}, 400, "requisicao_invalida"),
        ({"tipo_evento": "atualizacao_previsao_entrega"}, 400, "requisicao_invalida"),
        ({**_PRORROGACAO, "itens_pedido": [{"numero_item": 9, "quantidade_item": 1}]}, 422,
         "erro_validacao_schema"),
        ({**_PRORROGACAO, "itens_pedido": [{"numero_item": 1, "quantidade_item": 0}]}, 422,
         "erro_validacao_schema"),
    ],
)  # fmt: skip
def test_a_bad_generic_event_is_refused(company, sandbox, nfe, body, status, codigo):
    issued_nfe(nfe)

    response = nfe.post("nfe/r1/evento", body)

    assert (response.status_code, response.json()["codigo"]) == (status, codigo)
    assert not FiscalEvent.objects.exists()


def test_a_refused_generic_event_tells_which(company, sandbox, nfe):
    issued_nfe(nfe)
    sandbox.fault("cstat", servico="recepcao_evento", vezes=1, parametros={"codigo": 494})

    body = nfe.post("nfe/r1/evento", _PRORROGACAO).json()

    assert (body["status"], body["status_sefaz"]) == ("erro_autorizacao", "494")
    assert body["evento"] == "prorrogacao_suspensao_icms"
    nothing = nfe.delete("nfe/r1/evento", _PRORROGACAO)
    assert (nothing.status_code, nothing.json()["codigo"]) == (400, "pending_operation")


# --- lost, killed, at once ---------------------------------------------------------------------

LOST = ["queda_antes", "queda_depois", "lento_depois", "truncado"]


@pytest.mark.parametrize(
    ("address", "body", "tipo_evento"),
    [
        ("carta_correcao", {"correcao": FIX}, "110110"),
        ("ator_interessado", {"cnpj": "11444777000161"}, "110150"),
        ("econf", {"detalhes_pagamento": [PAYMENT]}, "110750"),
    ],
    ids=["home", "AN", "SVRS"],
)
@pytest.mark.parametrize("tipo", LOST)
def test_a_lost_answer_ends_in_one_event(
    company, sandbox, nfe, monkeypatch, tipo, address, body, tipo_evento
):
    """Events at AN and SVRS are asked for at the authority of the document."""
    impatient(monkeypatch)
    issued_nfe(nfe)
    rule = {"parametros": {"segundos": 2}} if tipo.startswith("lento") else {}
    sandbox.fault(tipo, servico="recepcao_evento", vezes=1, **rule)

    response = nfe.post(f"nfe/r1/{address}", body)

    if tipo.startswith("lento"):
        time.sleep(1.5)
    assert (response.status_code, response.json()["status"]) == (200, "autorizado")
    assert [row[:2] for row in events(sandbox)] == [(tipo_evento, 1)]
    event = FiscalEvent.objects.get()
    assert event.state == EventState.REGISTRADO
    assert event.protocolo == sandbox.told("GET", "eventos")[0]["protocolo"]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", [(event_sending, "_begin"), (event_outcome, "record")])
def test_the_sweep_ends_what_a_dead_worker_left(
    company, sandbox, nfe, monkeypatch, at_moment, step, before
):
    issued_nfe(nfe)
    original = getattr(*step)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if not before:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(*step, dying)
    with pytest.raises(Killed):
        correct(nfe)
    monkeypatch.setattr(*step, original)
    at_moment(clock.now() + timedelta(minutes=3))

    resume_all()
    resume_all()

    assert [row[:2] for row in events(sandbox)] == [("110110", 1)]
    assert FiscalEvent.objects.get().state == EventState.REGISTRADO
    assert nfe.get("nfe/r1").json()["numero_carta_correcao"] == 1


def test_an_event_on_its_way_lets_no_other_of_its_kind_pass(company, sandbox, nfe):
    issued_nfe(nfe)
    sandbox.fault("queda_antes", servico="recepcao_evento")
    sandbox.fault("queda_antes", servico="consulta_protocolo")
    assert correct(nfe).status_code == 202

    other = correct(nfe, OTHER)
    sandbox.told("DELETE", "falhas")
    resume_all()
    same = correct(nfe)

    assert (other.status_code, other.json()["codigo"]) == (422, "em_processamento")
    assert same.json()["numero_carta_correcao"] == 2
    assert len(events(sandbox)) == 2


def test_two_clients_at_once_write_two_letters_or_one(company, sandbox, nfe, nfe_token):
    """EVT-6: sequences without gap and without double, whoever comes first."""
    issued_nfe(nfe)
    codes: list[int] = []
    start = threading.Barrier(4)

    def write(n: int) -> None:
        start.wait()
        codes.append(correct(v2(nfe_token), f"A placa do veiculo e {n:04d}").status_code)
        connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(codes) <= {200, 422}
    there = sorted(row[1] for row in events(sandbox))
    assert there == list(range(1, codes.count(200) + 1))
    here = FiscalEvent.objects.order_by("n_seq").values_list("n_seq", "state")
    assert list(here) == [(n, "registrado") for n in there]
