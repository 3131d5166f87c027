"""The inbox of staff: seen, manifested once, files (DIS-6; ux §1.3)."""

from __future__ import annotations

from typing import Any

import pytest
from support.notes import issued_nfe
from support.staff import act, client_of, form_of, path, said

from accounts.models import AuditEvent
from fiscal.models import DistributionCursor, Manifestation, ReceivedDocument, ReceivedNfe

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
