"""The inbox of staff: seen, manifested once, files (DIS-6; ux §1.3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.notes import issued_nfe
from support.staff import act, client_of, form_of, path, said

from accounts.models import AuditEvent
from fiscal import access_key
from fiscal.models import DistributionCursor, Manifestation, ReceivedDocument, ReceivedNfe
from fiscal.services import archive
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_clerk_sees_manifests_once_and_reads_the_files(
    account: Any, other_account: Any, company: Any, sandbox: Any, nfe: Any, fetch: Any
) -> None:
    issued_nfe(nfe)
    fetch()
    row = ReceivedNfe.objects.get()
    staff = client_of(account)

    listed = staff.get(path("receivednfe", "changelist"), {"pendencia": "ciencia"})
    assert company.nome in listed.content.decode()
    page = staff.get(path("receivednfe", "change", row.pk)).content.decode()
    assert "Dar ciência" in page
    assert "Só o resumo chegou." in page
    where = path("receivednfe", "act", row.pk, "ciencia")
    sent = form_of(staff, where)
    done, again = staff.post(where, sent), staff.post(where, sent)
    assert "Manifestação registrada. SEFAZ: 135" in said(done)
    assert "já tinha sido feito" in said(again)
    assert Manifestation.objects.count() == 1
    assert AuditEvent.objects.get(action="nfe_recebida.ciencia").after["cstat"] == "135"

    done = act(staff, row, "buscar-xml")  # by its key: the hour is not over
    assert "O XML completo chegou." in said(done)
    page = staff.get(path("receivednfe", "change", row.pk)).content.decode()
    assert "Confere." in page
    assert "Dar ciência" not in page
    xml = staff.get(path("receivednfe", "xml", row.pk))
    assert b"<nfeProc" in xml.content
    assert staff.get(path("receivednfe", "pdf", row.pk)).content[:5] == b"%PDF-"
    assert staff.get(path("receivednfe", "cancelamento", row.pk)).status_code == 404

    why = "Mercadoria devolvida na entrega"
    short = staff.post(
        path("receivednfe", "act", row.pk, "nao-realizada"),
        form_of(staff, path("receivednfe", "act", row.pk, "nao-realizada"))
        | {"justificativa": "curta"},
    )
    assert "faltam 10" in short.content.decode()
    assert "135" in said(act(staff, row, "nao-realizada", justificativa=why))
    row.refresh_from_db()
    assert row.manifestacao == "nao_realizada"
    assert (
        not staff.get(path("receivednfe", "changelist"), {"pendencia": "conclusiva"})
        .context["cl"]
        .result_count
    )
    key = " ".join(row.chave[at : at + 4] for at in range(0, 44, 4))
    said_of = staff.get(path("manifestation", "changelist"), {"q": key})
    assert len(said_of.context["cl"].result_list) == Manifestation.objects.count() == 2
    cursor = DistributionCursor.objects.get(ambiente="homologacao")
    for model, pk in (
        ("distributioncursor", cursor.pk),
        ("receiveddocument", ReceivedDocument.objects.last().pk),
    ):
        assert staff.get(path(model, "changelist")).status_code == 200
        assert staff.get(path(model, "change", pk)).status_code == 200
    assert staff.get(path("receivednfse", "changelist")).status_code == 200

    stranger = client_of(other_account)
    assert stranger.get(path("receivednfe", "change", row.pk)).status_code in (302, 404)
    assert stranger.get(path("receivednfe", "xml", row.pk)).status_code in (302, 404)
    assert stranger.post(where, sent).status_code in (302, 404)
    assert Manifestation.objects.count() == 2


def test_a_clerk_finds_notes_as_people_write_them(account: Any, buyer: Any, company: Any) -> None:
    """Key, CNPJ and number with points and spaces; what is due; the sum (DIS-6)."""
    now = clock.now()

    def note(n: int, days: int, **other: Any) -> ReceivedNfe:
        chave = access_key.compose(
            cuf="35", aamm="2611", document=company.cnpj, modelo=55, serie=1, numero=n, tp_emis=1,
            cnf=f"{n:08d}",
        )  # fmt: skip
        row: ReceivedNfe = ReceivedNfe.objects.create(
            account=account, company=buyer, ambiente="homologacao", chave=chave, nsu=n, versao=n,
            issuer_document=company.cnpj, issuer_name=f"Fornecedor {n}", total=f"{n}.10",
            authorized_at=now - timedelta(days=days), created_at=now, updated_at=now, **other,
        )  # fmt: skip
        return row

    note(1, 1)
    note(2, 8)
    note(3, 20, manifestacao="ciencia")
    note(4, 178, manifestacao="ciencia")
    note(5, 200)
    note(6, 200, manifestacao="confirmacao")
    note(7, 8, situacao="cancelada")
    staff = client_of(account)

    def found(**query: str) -> set[int]:
        answer = staff.get(path("receivednfe", "changelist"), query)
        return {row.nsu for row in answer.context["cl"].result_list}

    masked = f"{company.cnpj[:2]}.{company.cnpj[2:5]}.{company.cnpj[5:8]}/{company.cnpj[8:12]}-"
    everything = {1, 2, 3, 4, 5, 6, 7}
    key = ReceivedNfe.objects.get(nsu=3).chave
    assert found(q=masked + company.cnpj[12:]) == found() == everything
    assert found(q=" ".join(key[at : at + 4] for at in range(0, 44, 4))) == {3}
    assert found(q="4") == {4}
    assert found(q="fornecedor 5") == {5}
    assert found(q="nada disso") == set()
    assert found(prazo="breve") == {2, 4}
    assert found(prazo="vencido") == {5}
    assert found(manifestacao="nenhuma") == {1, 2, 5, 7}
    assert found(manifestacao="confirmacao") == {6}
    assert found(pendencia="ciencia") == {1, 2, 5}
    page = staff.get(path("receivednfe", "changelist")).content.decode().replace("\xa0", " ")
    assert "R$ 28,70" in page
    assert "(vencido)" in page
    assert (
        "Nenhuma NF-e aqui."
        in staff.get(path("receivednfe", "changelist"), {"q": "nada disso"}).content.decode()
    )


def test_staff_read_what_was_delivered_byte_for_byte(
    account: Any, other_account: Any, buyer: Any
) -> None:
    now = clock.now()

    def kept(nsu: int, content: bytes, error: str = "") -> ReceivedDocument:
        row: ReceivedDocument = ReceivedDocument.objects.create(
            account=account, company=buyer, ambiente="homologacao", source="nfe", nsu=nsu,
            schema="resNFe_v1.01.xsd", content=archive.packed(content), size=len(content),
            sha256="", error=error, created_at=now,
        )  # fmt: skip
        return row

    good, bad = kept(1, b"<resNFe/>"), kept(2, b"AAAA", "docZip danificado")
    staff, stranger = client_of(account), client_of(other_account)

    listed = staff.get(path("receiveddocument", "changelist"), {"leitura": "erro"})
    assert [row.pk for row in listed.context["cl"].result_list] == [bad.pk]
    assert "docZip danificado" in listed.content.decode()
    page = staff.get(path("receiveddocument", "change", good.pk)).content.decode()
    assert "NF-e (resumo)" in page
    answer = staff.get(path("receiveddocument", "arquivo", good.pk))
    assert answer.content.endswith(b"<resNFe/>")
    answer = staff.get(path("receiveddocument", "arquivo", bad.pk))
    assert (answer.content, answer["Content-Type"]) == (b"AAAA", "application/octet-stream")
    assert stranger.get(path("receiveddocument", "arquivo", good.pk)).status_code in (302, 404)
