"""Service notes taken by a company, from the national system (fiscal-api §7, §20; NAC-12)."""

from __future__ import annotations

from typing import Any

import pytest
from support import signed_service_notes as service

from fiscal.models import DistributionCursor, HookNotice, ReceivedDocument, ReceivedNfse, Source
from fiscal.services import archive
from fiscal.services.hook_bodies import body_of
from fiscal.services.received import cursors
from fiscal.tasks import fetch_received
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
CNPJ = service.TAKER


@pytest.fixture
def taker(buyer: Any) -> Any:
    buyer.options = {"habilita_nfsen_recebidas_homologacao": True}
    buyer.save()
    return buyer


def issue(client: Any, number: int) -> str:
    """A note for the taker; its key."""
    told = client.session.post(
        f"{client.base_url}/homologacao/SEFIN/nfse",
        json={"dpsXmlGZipB64": service.packed(service.dps(client.identity, number))},
        timeout=10,
    )
    assert told.status_code == 201, told.text
    return str(told.json()["chaveAcesso"])


def cancel(client: Any, key: str) -> None:
    xml = service.event(client.identity, key)
    told = client.session.post(
        f"{client.base_url}/homologacao/SEFIN/nfse/{key}/eventos",
        json={"pedidoRegistroEventoXmlGZipB64": service.packed(xml)},
        timeout=10,
    )
    assert told.status_code == 201, told.text


def fetch(company: Any) -> DistributionCursor:
    now = clock.now()
    cursor = cursors.cursor_of(company, source=Source.NFSEN, ambiente="homologacao", now=now)
    rows = DistributionCursor.objects.filter(pk=cursor.pk)
    rows.update(next_at=now, blocked_until=None)
    fetch_received(cursor.pk)
    return rows.get()


def test_notes_come_are_shown_and_cancelled(taker, sandbox, inbox):
    empty = fetch(taker)  # 404 E2220 is no failure
    assert (empty.ult_nsu, empty.n_failures, empty.last_error) == (0, 0, "")
    assert empty.blocked_until > clock.now()
    inbox.post("hooks", {"event": "nfsen_recebida", "url": "https://8.8.8.8/x"})
    issuer = sandbox.client()
    keys = [issue(issuer, number) for number in (1, 2)]

    cursor = fetch(taker)

    assert cursor.ult_nsu > 0
    response = inbox.get("nfsens_recebidas", cnpj=CNPJ)
    assert (response["X-Total-Count"], response["X-Max-Version"]) == ("2", "2")
    first = response.json()[0]
    assert (first["chave"], first["status"], first["versao"]) == (keys[0], "autorizado", 1)
    assert (first["documento_prestador"], first["documento_tomador"]) == (service.ISSUER, CNPJ)
    assert (first["valor_servicos"], first["numero_rps"]) == ("1000.00", "1")
    assert (first["codigo_municipio"], first["sigla_uf"]) == (service.CITY, "SC")
    whole = inbox.get(f"nfsens_recebidas/{keys[0]}").json()
    assert whole["servicos"][0]["valor_iss"] == "50.00"
    assert whole["servicos"][0]["item_lista_servico"] == "01.01"
    assert whole["prestador"]["endereco"]["codigo_municipio"] == service.CITY
    assert whole["tomador"]["cnpj"] == CNPJ
    assert inbox.get("nfsens_recebidas", cnpj=CNPJ, completa=1).json()[0] == whole
    xml = inbox.get(f"nfsens_recebidas/{keys[0]}.xml").content
    kept = ReceivedDocument.objects.get(chave=keys[0])
    assert xml == archive.unpacked(kept.content)
    assert ReceivedNfse.objects.filter(faults=[]).count() == 2
    assert body_of(HookNotice.objects.first())["chave"] == keys[0]

    cancel(issuer, keys[0])
    fetch(taker)
    (changed,) = inbox.get("nfsens_recebidas", cnpj=CNPJ, versao=2).json()
    assert (changed["chave"], changed["status"], changed["versao"]) == (keys[0], "cancelado", 3)
    assert inbox.get("nfses_recebidas", cnpj=CNPJ).status_code == 400


def test_what_the_company_issued_is_kept_and_not_shown(taker, sandbox, inbox, company):
    """ADN tells of issued notes too (§2.8): they are nobody's received ones."""
    company.options = {"habilita_nfsen_recebidas_homologacao": True}
    company.save()
    key = issue(sandbox.client(), 1)

    fetch(company)

    assert ReceivedDocument.objects.get().chave == key
    assert not ReceivedNfse.objects.exists()
