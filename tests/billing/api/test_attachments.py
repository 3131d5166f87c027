"""Files attached to invoices: what is accepted, where it goes, who gets it back."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.test import Client
from support.invoices import new_invoice
from support.tenants import DAY, build

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.api.v1.attachments import AttachmentIn, AttachmentOut
from billing.models import Attachment
from billing.selectors.attachments import file_url
from billing.services.attachments import (
    MAX_BYTES,
    attachment_faults,
    drop_files,
    purge_orphans,
    save_attachments,
)
from billing.services.file_checks import decode_content, is_dangerous, safe_name
from billing.tasks import purge_attachments
from lib.errors import NotFound

PDF = b"%PDF-1.7 conte\xc3\xbado"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def element(**fields: object) -> dict[str, object]:
    given = {
        "filename": "proposta.pdf",
        "content": encoded(PDF),
        "content_type": "application/pdf",
    }
    return given | fields


@pytest.fixture
def invoice(organization, customer):
    return new_invoice(organization, customer)


@pytest.fixture
def save(invoice):
    def call(*elements, faults=None):
        found = [] if faults is None else faults
        return save_attachments(
            invoice, elements, account=invoice.account, actor=SYSTEM, faults=found
        )

    return call


def stored() -> set[str]:
    root = Path(settings.MEDIA_ROOT) / "attachments"
    return {str(path.relative_to(settings.MEDIA_ROOT)) for path in root.glob("*/*")}


@pytest.fixture(autouse=True)
def _empty_storage(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path


# --- keeping -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_file_is_kept_outside_the_database_under_a_key_that_tells_nothing(invoice, save):
    [attachment] = save(element())

    row = Attachment.objects.get()
    assert attachment == row
    assert (row.filename, row.content_type, row.size) == ("proposta.pdf", "application/pdf", 18)
    assert row.sha256 == hashlib.sha256(PDF).hexdigest()
    assert row.account_id == invoice.account_id
    assert stored() == {row.storage_key}
    assert "proposta" not in row.storage_key
    assert default_storage.open(row.storage_key).read() == PDF


@pytest.mark.django_db
def test_adding_changing_and_deleting_are_in_the_audit_trail(invoice, save):
    [row] = save(element())
    save({"id": row.pk, "filename": "outra.pdf"})
    save({"id": row.pk, "_destroy": True})

    events = AuditEvent.objects.filter(action__startswith="fatura.anexo").order_by("id")
    assert [(e.action, e.object_type, e.object_id) for e in events] == [
        ("fatura.anexo_incluido", "invoice", invoice.pk),
        ("fatura.anexo_alterado", "invoice", invoice.pk),
        ("fatura.anexo_excluido", "invoice", invoice.pk),
    ]
    assert "proposta" not in str([e.after for e in events])


@pytest.mark.django_db
def test_an_element_with_an_id_changes_only_what_it_says(save):
    [row] = save(element())
    before = stored()

    save({"id": row.pk, "filename": "contrato assinado.pdf"})

    row = Attachment.objects.get()
    assert (row.filename, row.content_type, row.size) == (
        "contrato assinado.pdf",
        "application/pdf",
        18,
    )
    assert stored() == before


@pytest.mark.django_db
def test_new_content_replaces_the_file_when_the_transaction_commits(
    save, django_capture_on_commit_callbacks
):
    [row] = save(element())
    old = row.storage_key

    with django_capture_on_commit_callbacks(execute=True):
        save({"id": row.pk, "content": encoded(b"novo")})
        assert old in stored()

    row = Attachment.objects.get()
    assert stored() == {row.storage_key}
    assert (row.size, row.sha256) == (4, hashlib.sha256(b"novo").hexdigest())


@pytest.mark.django_db
def test_a_deleted_attachment_takes_its_file_along(save, django_capture_on_commit_callbacks):
    [row] = save(element())

    with django_capture_on_commit_callbacks(execute=True):
        save({"id": row.pk, "_destroy": True})

    assert Attachment.objects.count() == 0
    assert stored() == set()


@pytest.mark.django_db
def test_destroying_what_was_never_created_is_nothing(save):
    assert save({"filename": "x.pdf", "_destroy": True}) == []

    assert Attachment.objects.count() == 0


@pytest.mark.django_db
def test_an_attachment_deleted_earlier_in_the_same_request_is_unknown_later(save):
    [row] = save(element())

    with pytest.raises(NotFound):
        save({"id": row.pk, "_destroy": True}, {"id": row.pk, "filename": "x.pdf"})

    assert Attachment.objects.get().filename == "proposta.pdf"


@pytest.mark.django_db
def test_an_attachment_of_another_invoice_is_unknown(organization, customer, save):
    other = new_invoice(organization, customer)
    [row] = save_attachments(other, [element()], account=other.account, actor=SYSTEM, faults=[])
    before = stored()

    with pytest.raises(NotFound):
        save(element(), {"id": row.pk, "_destroy": True})

    assert Attachment.objects.get() == row
    assert stored() == before


@pytest.mark.django_db
def test_an_attachment_of_another_account_is_unknown(invoice, other_account, save):
    [row] = save(element())

    with pytest.raises(NotFound):
        save_attachments(
            invoice,
            [{"id": row.pk, "filename": "x.pdf"}],
            account=other_account,
            actor=SYSTEM,
            faults=[],
        )

    assert Attachment.objects.get().filename == "proposta.pdf"


# --- refusing ----------------------------------------------------------------------------------


def refusals(*elements: dict[str, object]) -> list[tuple[str, str]]:
    return [(fault.campo, fault.mensagem) for fault in attachment_faults(elements)]


def test_all_faults_are_told_together():
    assert refusals({}, element(content_type="text/html", filename="a.exe", content="!!!")) == [
        ("attachments.filename", "não pode ficar em branco"),
        ("attachments.content_type", "não pode ficar em branco"),
        ("attachments.content", "não pode ficar em branco"),
        ("attachments.filename", "inválido"),
        ("attachments.content_type", "não está incluído na lista"),
        ("attachments.content", "inválido"),
    ]


@pytest.mark.django_db
def test_with_a_fault_anywhere_nothing_is_written(save):
    faults: list[object] = []

    assert save(element(), element(content=""), faults=faults) == []

    assert [fault.campo for fault in faults] == ["attachments.content"]
    assert Attachment.objects.count() == 0
    assert stored() == set()


@pytest.mark.django_db
def test_faults_of_the_caller_count_too(save):
    assert save(element(), faults=["anything"]) == []

    assert Attachment.objects.count() == 0
    assert stored() == set()


def test_ten_megabytes_are_accepted_and_one_byte_more_is_not():
    assert refusals(element(content=encoded(b"a" * MAX_BYTES))) == []
    assert refusals(element(content=encoded(b"a" * (MAX_BYTES + 1)))) == [
        ("attachments.content", "é muito grande (máximo: 10 MB)")
    ]


@pytest.mark.parametrize("name", ["content", "filename", "content_type"])
@pytest.mark.parametrize("value", [None, "", "   ", 7, [], {}])
def test_blank_and_wrong_types_are_blank(name, value):
    assert refusals(element(**{name: value})) == [
        (f"attachments.{name}", "não pode ficar em branco")
    ]


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "application/javascript",
        "application/octet-stream",
        "application/x-msdownload",
        "application/pdf\r\nX-Evil: 1",
        "*/*",
        "pdf",
    ],
)
def test_types_outside_the_list_are_refused(kind):
    assert refusals(element(content_type=kind)) == [
        ("attachments.content_type", "não está incluído na lista")
    ]


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("Application/PDF", "application/pdf"),
        (" text/csv; charset=utf-8", "text/csv"),
        (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
    ],
)
@pytest.mark.django_db
def test_a_type_is_kept_in_its_plain_form(save, kind, kept):
    [row] = save(element(content_type=kind))

    assert row.content_type == kept


PAGES = [
    b"<!DOCTYPE html><p>oi",
    b"  \n<html>",
    b"\xef\xbb\xbf<script>alert(1)</script>",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>",
    b"<?xml version='1.0'?><svg/>",
    b"<?xml version='1.0'?><s:svg xmlns:s='http://www.w3.org/2000/svg'/>",
    b"<?xml-stylesheet href='x.xsl'?><a/>",
    b"<!-- --><html>",
    "<html>".encode("utf-16"),
    "<svg/>".encode("utf-16-be"),
    "<svg/>".encode("utf-16-le"),
    b"MZ\x90\x00",
    b"\x7fELF\x02",
    b"#!/bin/sh",
]


@pytest.mark.parametrize("data", PAGES)
def test_pages_and_programs_are_refused_whatever_they_are_declared_as(data):
    for kind in ("application/pdf", "text/plain", "image/png", "text/xml"):
        assert refusals(element(content=encoded(data), content_type=kind)) == [
            ("attachments.content", "inválido")
        ]


@pytest.mark.parametrize(
    "data",
    [
        b"<?xml version='1.0'?><nfeProc xmlns='http://www.portalfiscal.inf.br/nfe'/>",
        b"<nfeProc versao='4.00'/>",
        b"a;b\n1;2",
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        b"5 < 7",
        b"\x00",
    ],
)
def test_ordinary_files_are_no_danger(data):
    assert not is_dangerous(data)


@pytest.mark.parametrize("name", ["nota.exe", "x.HTML", "a.pdf.js", "figura.svg", "macro.xlsm"])
def test_names_of_programs_and_pages_are_refused(name):
    assert refusals(element(filename=name)) == [("attachments.filename", "inválido")]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("tst", b"\xb6\xcb"),
        ("b2k=", b"oi"),
        ("b2k", b"oi"),
        ("b2\r\n k=\n", b"oi"),
        ("b2k====", b"oi"),
        ("-_-_", b"\xfb\xff\xbf"),
        ("+/+/", b"\xfb\xff\xbf"),
        ("data:text/plain;base64,b2k=", b"oi"),
        ("b2kA=A", b"oi\x00"),
        ("a", b""),
        ("ã!é", b""),
    ],
)
def test_imperfect_base64_is_read_as_common_decoders_do(text, data):
    assert decode_content(text) == data


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("planilha.xlsx", "planilha.xlsx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Temp\\nota.pdf", "nota.pdf"),
        ("a\x00b\r\nc.pdf", "abc.pdf"),
        ("nota\u202efdp.pdf", "notafdp.pdf"),
        ("\u200bnota\ufeff.pdf", "nota.pdf"),
        ("  nota   fiscal.pdf. ", "nota fiscal.pdf"),
        ("relato\u0301rio.pdf", "relatório.pdf"),
        ("..", ""),
        ("pasta/", ""),
        ("\u202e", ""),
    ],
)
def test_a_file_name_keeps_no_folder_and_no_trick(sent, kept):
    assert safe_name(sent) == kept


def test_a_name_of_which_nothing_is_left_is_invalid():
    assert refusals(element(filename="../..")) == [("attachments.filename", "inválido")]


def test_the_wire_reads_an_attachment_with_all_its_faults():
    sent = AttachmentIn.take(
        {"filename": "x" * 256, "content": None, "content_type": "\x00"},
        partial=False,
        path="attachments.",
    )

    assert [(f.campo, f.mensagem) for f in sent.faults] == [
        ("attachments.filename", "é muito longo (máximo: 255 caracteres)"),
        ("attachments.content", "não pode ficar em branco"),
        ("attachments.content_type", "inválido"),
    ]


# --- fetching ----------------------------------------------------------------------------------


def path_of(attachment: Attachment) -> str:
    return file_url(attachment).removeprefix(settings.PUBLIC_URL)


@pytest.mark.django_db
def test_the_link_of_an_attachment_answers_its_very_bytes_to_be_saved(save, client):
    [row] = save(element(filename='relatório "final".pdf'))
    shown = AttachmentOut.show(row)
    assert list(shown) == ["id", "filename", "url"]
    assert shown["url"].startswith("http://127.0.0.1:8000/files/")

    answer = client.get(path_of(row))

    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Length"] == "18"
    assert answer["Content-Disposition"] == (
        "attachment; filename*=utf-8''relat%C3%B3rio%20%22final%22.pdf"
    )
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.django_db
def test_links_begin_with_the_public_address(save, settings):
    settings.PUBLIC_URL = "https://cobranca.exemplo.test"
    [row] = save(element())

    assert AttachmentOut.show(row)["url"].startswith("https://cobranca.exemplo.test/files/")


@pytest.mark.django_db
def test_a_text_file_is_answered_without_a_guessed_charset(save, client):
    [row] = save(element(filename="a.csv", content_type="text/csv"))

    assert client.get(path_of(row))["Content-Type"] == "text/csv"


@pytest.mark.django_db
def test_a_link_works_for_a_day(save, client):
    with time_machine.travel("2026-08-12T12:00:00Z", tick=False) as clock:
        [row] = save(element())
        path = path_of(row)
        clock.shift(24 * 3600)
        assert client.get(path).status_code == 200
        clock.shift(1)
        assert client.get(path).status_code == 404


@pytest.mark.django_db
def test_a_link_that_was_tampered_with_leads_nowhere(save, client):
    [first, second] = save(element(), element(content=encoded(b"segredo")))
    mine, others = path_of(first), path_of(second)
    payload = others.removeprefix("/files/").split(":")[0]
    rest = mine.split(":", 1)[1]

    for path in (f"/files/{payload}:{rest}", mine[:-1], mine + "a", "/files/x", "/files/a:b:c"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert b"segredo" not in answer.content


@pytest.mark.django_db
def test_the_signature_of_something_else_opens_no_file(save, client):
    from django.core import signing

    [row] = save(element())
    forged = signing.TimestampSigner(salt="outra").sign_object([row.account_id, row.pk])

    assert client.get(f"/files/{forged}").status_code == 404


@pytest.mark.django_db
def test_the_link_of_a_deleted_attachment_or_file_or_of_a_closed_account_leads_nowhere(
    save, client, account
):
    [deleted, lost, closed] = save(element(), element(), element())
    save({"id": deleted.pk, "_destroy": True})
    default_storage.delete(lost.storage_key)
    paths = [path_of(deleted), path_of(lost)]

    assert [client.get(path).status_code for path in paths] == [404, 404]

    assert client.get(path_of(closed)).status_code == 200
    account.is_active = False
    account.save()
    assert client.get(path_of(closed)).status_code == 404


@pytest.mark.django_db
def test_a_link_names_account_and_file(save, client, other_account):
    [row] = save(element())
    foreign = file_url(Attachment(pk=row.pk, account=other_account))

    assert client.get(foreign.removeprefix(settings.PUBLIC_URL)).status_code == 404


@pytest.mark.django_db
def test_files_are_only_read(save):
    [row] = save(element())
    client = Client(enforce_csrf_checks=False)

    assert client.head(path_of(row)).status_code == 200
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)(path_of(row)).status_code == 405


@pytest.mark.django_db
def test_a_download_costs_one_query(save, client, django_assert_num_queries):
    [row] = save(element())

    with django_assert_num_queries(1):
        client.get(path_of(row))


# --- cleaning ----------------------------------------------------------------------------------


def age(key: str, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(Path(settings.MEDIA_ROOT) / key, (then, then))


@pytest.mark.django_db
def test_the_purge_deletes_old_files_that_no_row_names(save):
    [row] = save(element())
    age(row.storage_key, 1000)
    old = default_storage.save("attachments/ab/orphan", ContentFile(b"x"))
    new = default_storage.save("attachments/cd/underway", ContentFile(b"x"))
    age(old, 25)
    age(new, 23)

    assert purge_attachments() == 1

    assert stored() == {row.storage_key, new}
    assert purge_orphans() == 0


@pytest.mark.django_db
def test_the_purge_of_an_empty_storage_is_nothing():
    assert purge_orphans() == 0


@pytest.mark.django_db
def test_files_of_a_rolled_back_transaction_are_orphans(save):
    with transaction.atomic():
        [row] = save(element())
        transaction.set_rollback(True)
    assert not Attachment.objects.exists()
    assert stored() == {row.storage_key}
    age(row.storage_key, 25)

    assert purge_orphans() == 1

    assert stored() == set()


@pytest.mark.django_db
def test_a_rollback_keeps_the_file_that_was_to_be_deleted(save, django_capture_on_commit_callbacks):
    [row] = save(element())

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        save({"id": row.pk, "_destroy": True})
        transaction.set_rollback(True)

    assert stored() == {row.storage_key}
    assert Attachment.objects.count() == 1


@pytest.mark.django_db
def test_whoever_deletes_an_invoice_may_drop_its_files(
    invoice, save, django_capture_on_commit_callbacks
):
    save(element(), element())

    with django_capture_on_commit_callbacks(execute=True):
        drop_files(invoice.attachments.all())
        invoice.attachments.all().delete()

    assert stored() == set()


# --- through the API of invoices ---------------------------------------------------------------


@pytest.fixture
def world(account, today):
    today(DAY)
    return build(account, "Meu", 1000)


def invoice_path(world) -> str:
    return f"contracts/{world['contract']}/invoices/{world['invoice']}"


@pytest.mark.django_db
def test_an_invoice_shows_its_files_and_their_links_work(world, client):
    shown = world["api"].get(invoice_path(world)).json()["invoice"]["attachments"]

    assert [(one["id"], one["filename"]) for one in shown] == [(world["attachment"], "Meu.txt")]
    answer = client.get(shown[0]["url"].removeprefix(settings.PUBLIC_URL))
    assert b"".join(answer.streaming_content) == b"oi"


@pytest.mark.django_db
def test_a_refused_file_refuses_the_whole_update_and_keeps_nothing(world):
    before = stored()
    bad = element(content_type="text/html", filename="a.exe", content="")
    body = {"comments": "Novo", "attachments": [element(), bad]}

    answer = world["api"].patch(invoice_path(world), body)

    assert answer.status_code == 422
    assert answer.json() == {
        "errors": {
            "attachments.content": "não pode ficar em branco",
            "attachments.filename": "inválido",
            "attachments.content_type": "não está incluído na lista",
        }
    }
    assert stored() == before
    assert world["api"].get(invoice_path(world)).json()["invoice"]["comments"] is None


@pytest.mark.django_db
def test_two_files_of_the_greatest_size_fit_into_one_request(world):
    big = encoded(b"a" * MAX_BYTES)

    answer = world["api"].patch(
        invoice_path(world), {"attachments": [element(content=big), element(content=big)]}
    )

    assert answer.status_code == 200
    assert len(answer.json()["invoice"]["attachments"]) == 3
    assert sorted(row.size for row in Attachment.objects.all()) == [2, MAX_BYTES, MAX_BYTES]
