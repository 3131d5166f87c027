"""Every status and error that fiscal-api lists for received notes, through HTTP (§7, §8)."""

from __future__ import annotations

from typing import Any

import pytest
from support import signed_service_notes as service
from support.notes import WHY, issued_nfe
from support.v2 import fiscal_token, master_token, v2

from fiscal.models import Company, DistributionCursor, Manifestation, ReceivedNfse, Source
from fiscal.services.received import cursors
from fiscal.tasks import fetch_received
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)

BAD, FORBIDDEN, ABSENT = "requisicao_invalida", "permissao_negada", "nao_encontrado"
NOT_JSON = (415, BAD, "O corpo da requisição não é um objeto JSON válido.")
MISSING_CNPJ = (400, BAD, 'Parâmetro "cnpj" não informado.')
INVALID_CNPJ = (400, BAD, 'Parâmetro "cnpj" inválido.')
NOT_OWNED = (403, FORBIDDEN, "CNPJ não autorizado.")
NO_TOKEN = (403, FORBIDDEN, "Access token inválido")
WRONG_TOKEN = (403, FORBIDDEN, "Este token não dá acesso a este recurso.")
UNKNOWN = (404, ABSENT, "Nota fiscal recebida não encontrada.")
NO_ADDRESS = (404, ABSENT, "Endereço não encontrado.")
ONLY_GET = (404, ABSENT, "Utilize o método GET.")
ONLY_POST = (404, ABSENT, "Utilize o método POST.")
GET_OR_POST = (404, ABSENT, "Utilize um dos métodos GET, POST.")
BAD_VERSION = (400, BAD, 'Parâmetro "versao" deve ser um número.')
OTHERS_CNPJ = "07504505000132"


def told(answer: Any) -> tuple[int, str, str]:
    """(status, codigo, mensagem); a success has neither."""
    body = answer.json() if answer["Content-Type"].startswith("application/json") else {}
    if answer.status_code < 400:
        return answer.status_code, "", ""
    assert set(body) <= {"codigo", "mensagem", "erros"}, body
    return answer.status_code, body["codigo"], body["mensagem"]


def check(rows: list[tuple[Any, str, str, Any, tuple[int, str, str]]]) -> None:
    """(client, method, path, body, what is told), all the failures at once."""
    wrong = [
        (method, path, str(body)[:60], found, expected)
        for client, method, path, body, expected in rows
        if (found := told(client.call(method, path, body))) != expected
    ]
    assert wrong == []


OK = (200, "", "")


def test_the_table_of_received_nfe(company, buyer, account, other_account, sandbox, nfe, fetch):
    """§8.1 to §8.3."""
    from factories import FiscalCompanyFactory

    inbox, production = v2(fiscal_token(buyer)), v2(fiscal_token(buyer, "producao"))
    master = v2(master_token(account))
    stranger_company = FiscalCompanyFactory(
        account=other_account, cnpj=OTHERS_CNPJ, options={"habilita_manifestacao": True}
    )
    stranger = v2(fiscal_token(stranger_company))
    keys = [issued_nfe(nfe, ref)["chave_nfe"][3:] for ref in ("whole", "gone", "brief")]
    fetch()
    whole, gone, brief = (f"nfes_recebidas/{key}" for key in keys)
    assert told(inbox.post(f"{whole}/manifesto", {"tipo": "ciencia"})) == OK
    nfe.post("nfe/whole/carta_correcao", {"correcao": "O endereco e Rua das Flores, 12"})
    nfe.delete("nfe/gone", {"justificativa": WHY})
    fetch(later=True)
    n_said = Manifestation.objects.count()
    lists, mine = "nfes_recebidas", f"nfes_recebidas?cnpj={buyer.cnpj}"
    absent = f"nfes_recebidas/{'3' * 44}"
    no_xml = (
        404, ABSENT,
        "O XML completo ainda não foi disponibilizado; ele chega depois da manifestação.",
    )  # fmt: skip
    bad_tipo = (
        400, BAD,
        'Parâmetro "tipo" não informado ou inválido: use ciencia, confirmacao, desconhecimento, '
        "nao_realizada.",
    )  # fmt: skip
    no_reason = (400, BAD, 'Parâmetro "justificativa" não informado.')
    bad_reason = (400, BAD, 'Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.')
    vain_reason = (
        400, BAD, 'Parâmetro "justificativa" só é aceito com o tipo "nao_realizada".',
    )  # fmt: skip
    taken = (
        400, "manifestacao_ja_vinculada", "Esta manifestação já está vinculada à nota fiscal.",
    )  # fmt: skip
    not_enabled = (
        400, BAD, "CNPJ não habilitado para o recebimento de NF-e: ligue habilita_manifestacao.",
    )  # fmt: skip
    unwilling = "nao_realizada"
    said = f"{brief}/manifesto"

    check([
        # The list: whose, from which version, pending or not (§8.2).
        (inbox, "GET", mine, None, OK),
        (inbox, "GET", f"{mine}&versao=0&pendente=1&pendente_ciencia", None, OK),
        (inbox, "GET", "nfes_recebidas?cnpj=11.444.777/0001-61", None, OK),
        (production, "GET", mine, None, OK),
        (inbox, "GET", lists, None, MISSING_CNPJ),
        (inbox, "GET", f"{lists}?cnpj=", None, MISSING_CNPJ),
        (inbox, "GET", f"{lists}?cnpj=11444777000162", None, INVALID_CNPJ),
        (inbox, "GET", f"{lists}?cnpj=%00", None, INVALID_CNPJ),
        (inbox, "GET", f"{lists}?cnpj={company.cnpj}", None, NOT_OWNED),
        (inbox, "GET", f"{lists}?cnpj={OTHERS_CNPJ}", None, NOT_OWNED),
        (nfe, "GET", f"{lists}?cnpj={company.cnpj}", None, not_enabled),
        (v2("nada"), "GET", mine, None, NO_TOKEN),
        (master, "GET", mine, None, WRONG_TOKEN),
        (inbox, "GET", f"{mine}&versao=-1", None, BAD_VERSION),
        (inbox, "GET", f"{mine}&versao=1e3", None, BAD_VERSION),
        (inbox, "GET", f"{mine}&versao={'9' * 19}", None, BAD_VERSION),
        (inbox, "POST", mine, {}, ONLY_GET),
        (inbox, "DELETE", mine, None, ONLY_GET),
        # One note and its files (§8.1).
        (inbox, "GET", whole, None, OK),
        (inbox, "GET", f"{whole}.json?completa=1&cnpj={buyer.cnpj}", None, OK),
        (inbox, "GET", f"{whole}.xml", None, OK),
        (inbox, "GET", f"{whole}.pdf", None, (302, "", "")),
        (inbox, "GET", f"{whole}/carta_correcao.xml", None, OK),
        (inbox, "GET", f"{gone}/cancelamento.xml", None, OK),
        (inbox, "GET", f"{brief}.xml", None, no_xml),
        (inbox, "GET", f"{brief}.pdf", None, no_xml),
        (inbox, "GET", f"{brief}/cancelamento.xml", None,
         (404, ABSENT, "Não há XML de cancelamento para esta nota.")),
        (inbox, "GET", f"{brief}/carta_correcao.xml", None,
         (404, ABSENT, "Não há carta de correção para esta nota.")),
        (inbox, "GET", absent, None, UNKNOWN),
        (production, "GET", whole, None, UNKNOWN),
        (nfe, "GET", whole, None, UNKNOWN),
        (stranger, "GET", f"{whole}.xml", None, UNKNOWN),
        (master, "GET", whole, None, WRONG_TOKEN),
        (inbox, "GET", f"{whole}?cnpj={company.cnpj}", None, NOT_OWNED),
        (inbox, "GET", f"{whole}?cnpj=1", None, INVALID_CNPJ),
        (inbox, "GET", f"nfes_recebidas/NFe{keys[0]}", None, NO_ADDRESS),
        (inbox, "GET", f"{whole}.txt", None, NO_ADDRESS),
        (inbox, "POST", whole, {}, ONLY_GET),
        (inbox, "POST", f"{whole}.xml", {}, ONLY_GET),
        # The manifestation (§8.3): the request.
        (inbox, "GET", f"{whole}/manifesto", None, OK),
        (inbox, "GET", said, None, (404, ABSENT, "A nota não tem manifestação.")),
        (inbox, "POST", said, None, bad_tipo),
        (inbox, "POST", said, {"tipo": None}, bad_tipo),
        (inbox, "POST", said, {"tipo": "Ciencia"}, bad_tipo),
        (inbox, "POST", said, {"tipo": ["ciencia"]}, bad_tipo),
        (inbox, "POST", said, {"tipo": unwilling}, no_reason),
        (inbox, "POST", said, {"tipo": unwilling, "justificativa": "  " * 9}, no_reason),
        (inbox, "POST", said, {"tipo": unwilling, "justificativa": {"a": 1}}, no_reason),
        (inbox, "POST", said, {"tipo": unwilling, "justificativa": "x" * 14 + " "}, bad_reason),
        (inbox, "POST", said, {"tipo": unwilling, "justificativa": "x" * 256}, bad_reason),
        (inbox, "POST", said, {"tipo": "confirmacao", "justificativa": WHY}, vain_reason),
        (inbox, "POST", said, "[]", NOT_JSON),
        (inbox, "POST", said, '{"tipo":', NOT_JSON),
        (inbox, "POST", said, b"\xff\xfe", NOT_JSON),
        (inbox, "POST", said, '{"tipo": "ciencia\\u0000"}', NOT_JSON),
        (inbox, "POST", said, "[" * 50_000, NOT_JSON),
        (inbox, "DELETE", said, None, GET_OR_POST),
        # Whose note it is.
        (inbox, "POST", f"{absent}/manifesto", {"tipo": "ciencia"}, UNKNOWN),
        (nfe, "POST", said, {"tipo": "ciencia"}, UNKNOWN),
        (production, "POST", said, {"tipo": "ciencia"}, UNKNOWN),
        (stranger, "POST", said, {"tipo": "ciencia"}, UNKNOWN),
        (inbox, "POST", f"{said}?cnpj={company.cnpj}", {"tipo": "ciencia"}, NOT_OWNED),
        (v2("nada"), "POST", said, {"tipo": "ciencia"}, NO_TOKEN),
        # What the rows and the authority refuse.
        (inbox, "POST", f"{whole}/manifesto", {"tipo": "ciencia"}, taken),
        (inbox, "POST", f"{gone}/manifesto", {"tipo": "confirmacao"},
         (400, "manifestacao_nao_aplicavel",
          "A manifestação não é aplicável a esta nota fiscal. 651: Rejeicao: Evento de "
          "Manifestacao para NF-e Cancelada ou Denegada")),
        # Telling again.
        (inbox, "POST", f"{whole}/hook", None, OK),
        (inbox, "GET", f"{whole}/hook", None, ONLY_POST),
        (nfe, "POST", f"{whole}/hook", None, UNKNOWN),
        (inbox, "POST", f"{absent}/hook", None, UNKNOWN),
    ])  # fmt: skip
    assert Manifestation.objects.exclude(received__chave=keys[1]).count() == n_said


def test_the_table_of_received_service_notes(company, buyer, account, sandbox):
    """§7, of the national system and, with rows as a city leaves them, of cities."""
    buyer.options = {"habilita_nfsen_recebidas_homologacao": True}
    buyer.habilita_nfse, buyer.codigo_municipio = True, "5208707"
    buyer.save()
    inbox, production = v2(fiscal_token(buyer)), v2(fiscal_token(buyer, "producao"))
    nfe, master = v2(fiscal_token(company)), v2(master_token(account))
    key = taken_note(buyer, sandbox.client())
    city = city_note(ReceivedNfse.objects.get(chave=key))
    disabled = (400, BAD, "CNPJ não habilitado para o recebimento de NFS-e.")
    rows: list[Any] = []
    for resource, one in (("nfsens_recebidas", key), ("nfses_recebidas", city)):
        mine, note = f"{resource}?cnpj={buyer.cnpj}", f"{resource}/{one}"
        other = f"{resource}/{city if one == key else key}"
        rows += [
            (inbox, "GET", mine, None, OK),
            (inbox, "GET", f"{mine}&completa=1&versao=0&api_version=2023-03-01", None, OK),
            (inbox, "GET", resource, None, MISSING_CNPJ),
            (inbox, "GET", f"{resource}?cnpj=x", None, INVALID_CNPJ),
            (inbox, "GET", f"{resource}?cnpj={company.cnpj}", None, NOT_OWNED),
            (nfe, "GET", f"{resource}?cnpj={company.cnpj}", None, disabled),
            (v2("nada"), "GET", mine, None, NO_TOKEN),
            (master, "GET", mine, None, WRONG_TOKEN),
            (inbox, "GET", f"{mine}&versao=um", None, BAD_VERSION),
            (inbox, "POST", mine, {}, ONLY_GET),
            (inbox, "GET", note, None, OK),
            (inbox, "GET", f"{note}.json", None, OK),
            (inbox, "GET", f"{note}?cnpj={buyer.cnpj}", None, OK),
            (inbox, "GET", f"{note}?cnpj={company.cnpj}", None, NOT_OWNED),
            (inbox, "GET", other, None, UNKNOWN),  # each source is a list of its own
            (production, "GET", note, None, UNKNOWN),
            (nfe, "GET", note, None, UNKNOWN),
            (inbox, "GET", f"{resource}/{'3' * 50}", None, UNKNOWN),
            (inbox, "GET", f"{note}.pdf", None, NO_ADDRESS),
            (inbox, "GET", f"{resource}/curta", None, NO_ADDRESS),
            (inbox, "DELETE", note, None, ONLY_GET),
            (inbox, "POST", f"{note}/hook", None, OK),
            (inbox, "GET", f"{note}/hook", None, ONLY_POST),
            (nfe, "POST", f"{note}/hook", None, UNKNOWN),
        ]
    no_xml = (404, ABSENT, "O XML desta nota não foi disponibilizado.")
    rows += [
        (production, "GET", f"nfsens_recebidas?cnpj={buyer.cnpj}", None, disabled),
        (inbox, "GET", f"nfsens_recebidas/{key}.xml", None, OK),
        (inbox, "GET", f"nfses_recebidas/{city}.xml", None, no_xml),
    ]

    check(rows)


def taken_note(taker: Company, issuer: Any) -> str:
    """A note that the national system delivered to the taker; its key."""
    dps = service.dps(issuer.identity, 1)
    sent = issuer.session.post(
        f"{issuer.base_url}/homologacao/SEFIN/nfse",
        json={"dpsXmlGZipB64": service.packed(dps)},
        timeout=10,
    )
    assert sent.status_code == 201, sent.text
    now = clock.now()
    cursor = cursors.cursor_of(taker, source=Source.NFSEN, ambiente="homologacao", now=now)
    DistributionCursor.objects.filter(pk=cursor.pk).update(next_at=now)
    assert fetch_received(cursor.pk) == 1
    return str(sent.json()["chaveAcesso"])


def city_note(row: ReceivedNfse) -> str:
    """A note of a city beside it, whose XML is not kept; its key."""
    row.pk, row.source = None, Source.NFSE
    row.chave = "NFSe12ABC34501DE355208707202600000000010ABC123"
    row.save()
    return row.chave
