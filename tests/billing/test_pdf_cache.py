"""PDF-1 to PDF-9: rendered once, never stale, never in the way of the answer."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from factories import AccountFactory, CompanyFactory, OrganizationFactory
from support.invoices import emitted_invoice, in_threads
from support.logs import capture_logs
from support.pdfs import (
    PLAIN,
    holds,
    horizonte,
    july_draft,
    july_invoice,
    padaria,
    text_of,
    use_template,
    use_unscreened,
)

import lib.pdf
from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.documents import cache
from billing.documents.cache import PdfFailed, clear, invoice_pdf, purge
from billing.models import DocumentTemplate, Invoice, InvoiceLine, OrganizationProfile, PdfCache
from billing.services.invoices import void_invoice
from lib import clock, pruning
from lib.errors import NotFound
from lib.locks import exclusive

SECRET = "segredo-do-servidor-4711"
ENDLESS = (
    "<p>{{ invoice_number }}</p>\n"
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
)


@pytest.fixture
def issuer(account):
    organization = horizonte(account)
    use_template(organization, PLAIN)
    return organization


@pytest.fixture
def draft(account, issuer):
    """Not emitted, so no template is pinned."""
    return july_draft(issuer, padaria(account), n_lines=2)


@pytest.fixture
def events():
    """Names of the log events of the documents so far."""
    with capture_logs() as entries:
        yield lambda prefix="pdf": [
            entry["event"] for entry in entries if entry["event"].startswith(prefix)
        ]


@pytest.fixture(autouse=True)
def production(settings):
    """No sandbox banner in the texts that are compared."""
    settings.AMBIENTE = "producao"


def pdf_of(invoice):
    return invoice_pdf(invoice.pk, account=invoice.account)


def cached(invoice, **values):
    """Rows of the invoice's cache; with values, after changing them."""
    rows = PdfCache.objects.filter(invoice=invoice)
    if values:
        rows.update(**values)
    return rows.first()


def ago(**interval):
    return clock.now() - timedelta(**interval)


# --- scenario 12 -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_scenario_12_two_downloads_render_once_and_are_the_same_bytes(draft):
    first = pdf_of(draft)
    accessed = cached(draft, last_accessed=ago(hours=1)).last_accessed
    second = pdf_of(draft)

    assert (first.fresh, second.fresh) == (True, False)
    assert second.data == first.data
    assert second.content_hash == first.content_hash
    assert cached(draft).last_accessed > accessed
    assert second.pages == 1
    assert second.filename == f"Invoice_{draft.pk:05d}.pdf"
    assert text_of(first.data) == f"{draft.pk:05d} Serviços de julho de 2026"


@pytest.mark.django_db
def test_scenario_12_a_new_active_version_renders_unpinned_invoices_again(draft, issuer):
    pinned = july_invoice(issuer, CompanyFactory(account=issuer.account), n_lines=1)
    first, kept = pdf_of(draft), pdf_of(pinned)

    use_template(issuer, PLAIN.replace("<p>", "<p>Nova "))
    second, same = pdf_of(draft), pdf_of(pinned)

    assert second.fresh
    assert text_of(second.data).startswith("Nova ")
    assert second.content_hash != first.content_hash
    assert (same.fresh, same.data) == (False, kept.data)
    assert PdfCache.objects.filter(invoice=draft).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("damage", [b"", b"%PDF-1.7 rasgado"])
def test_scenario_12_corrupt_bytes_are_rendered_again(draft, events, damage):
    first = pdf_of(draft)
    cached(draft, data=damage)

    second = pdf_of(draft)

    assert second.fresh
    assert second.data == first.data
    assert bytes(cached(draft).data) == first.data
    assert events("pdf_cache") == ["pdf_cache.corrupt"]


@pytest.mark.django_db
def test_a_change_of_the_invoice_is_in_the_next_download(draft):
    pdf_of(draft)
    Invoice.objects.filter(pk=draft.pk).update(title="Serviços de agosto")

    second = pdf_of(draft)

    assert second.fresh
    assert text_of(second.data).endswith("Serviços de agosto")


@pytest.mark.django_db
def test_a_voided_invoice_says_so(account, issuer):
    invoice = july_invoice(issuer, padaria(account), n_lines=1)
    before = text_of(pdf_of(invoice).data)
    void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="errada")

    after = text_of(pdf_of(invoice).data)

    assert "ANULADA" not in before
    assert "ANULADA" in after
    assert "HOMOLOGAÇÃO" not in after


@pytest.mark.django_db
def test_the_sandbox_says_so(draft, settings):
    settings.AMBIENTE = "homologacao"

    assert "HOMOLOGAÇÃO – documentos sem validade fiscal" in text_of(pdf_of(draft).data)


@pytest.mark.django_db
def test_purging_never_changes_what_a_later_download_shows(draft):
    first = pdf_of(draft)
    cached(draft, created_at=ago(days=400))

    deleted = purge()
    second = pdf_of(draft)

    assert deleted == 1
    assert second.fresh
    assert second.data == first.data


@pytest.mark.django_db
def test_the_access_is_noted_once_a_minute(draft):
    pdf_of(draft)
    half_a_minute = ago(seconds=30)
    cached(draft, last_accessed=half_a_minute)

    pdf_of(draft)

    assert cached(draft).last_accessed == half_a_minute


# --- templates ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_organization_without_templates_prints_with_the_shipped_one(account):
    organization = horizonte(account)
    invoice = july_invoice(organization, padaria(account))

    text = text_of(pdf_of(invoice).data)
    again = pdf_of(invoice)

    assert "INV-01001" in text
    assert "Padaria Aurora Ltda" in text
    assert "R$ 3.367,75" in text.replace("\u00a0", " ")
    assert not again.fresh
    assert DocumentTemplate.objects.filter(organization=organization, is_default=True).count() == 1


@pytest.mark.django_db
def test_the_logo_of_the_emission_is_printed_even_after_it_changed(account, events):
    organization = horizonte(account)
    use_template(organization, "{% if logo %}<img src='{{ logo }}' alt='logotipo'>{% endif %}oi")
    invoice = july_invoice(organization, padaria(account), n_lines=1)

    first = pdf_of(invoice)
    OrganizationProfile.objects.update(logo=b"<svg/>")
    kept = pdf_of(invoice)
    clear(account, invoice_id=invoice.pk)
    again = pdf_of(invoice)

    assert "Horizonte" in text_of(first.data)
    assert kept.data == first.data
    assert again.data == first.data
    assert events("pdf.logo") == []


@pytest.mark.django_db
def test_the_templates_of_section_13_11_work_with_a_real_invoice(account):
    organization = horizonte(account)
    use_template(
        organization,
        "{% for t in transactions %}{{ t.created.split('T')[0] }}"
        "{% if t.tax_amount > 0 %} imposto {{ t.tax_percentage }}%{% endif %};{% endfor %}"
        "{{ '%.2f'|format(total_amount * 0.10) }} {{ '%.2f'|format(total_amount + total_tax) }}"
        "{% if total_amount > 1000 and client.address.country == 'Brasil' %} alto{% endif %}",
    )
    invoice = july_invoice(organization, padaria(account), n_lines=4)

    text = "".join(text_of(pdf_of(invoice).data).split("\n"))

    assert text == (
        "2026-07-01 imposto 10%;2026-07-02 imposto 10%;2026-07-03 imposto 10%;2026-07-04;"
        "229.30 2517.96 alto"
    )


# --- failures (PDF-8) --------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_endless_template_is_told_the_invoice_unharmed_and_a_retry_works(draft, issuer, events):
    before = Invoice.objects.filter(pk=draft.pk).values().get()
    use_template(issuer, ENDLESS)

    with pytest.raises(PdfFailed) as failure:
        pdf_of(draft)
    left = cached(draft), Invoice.objects.filter(pk=draft.pk).values().get()
    use_template(issuer, PLAIN)
    retried = pdf_of(draft)

    assert failure.value.mensagem == (
        "Não foi possível gerar o PDF: o modelo passou de 5 segundos de processamento."
    )
    assert (failure.value.codigo, failure.value.http_status) == ("pdf_failed", 422)
    assert failure.value.line == 2
    assert events() == ["pdf.failed", "pdf.rendered"]
    assert left == (None, before)
    assert retried.fresh


@pytest.mark.django_db
def test_a_failing_template_is_told_with_its_line(draft, issuer):
    use_template(issuer, "<p>1</p>\n<p>{{ 1 / (total_tax * 0) }}</p>")

    with pytest.raises(PdfFailed, match=r"^Não foi possível gerar o PDF: divisão por zero\.$") as e:
        pdf_of(draft)

    assert e.value.line == 2


@pytest.mark.django_db
def test_a_template_that_reads_a_local_file_gets_nothing(draft, issuer, tmp_path):
    secret = tmp_path / "segredo.txt"
    secret.write_text(SECRET)
    url = secret.as_uri()
    use_unscreened(
        issuer,
        f"<html><head><link rel='attachment' href='{url}'><link rel='stylesheet' href='{url}'>"
        f"<style>@import '{url}'; p {{ content: url({url}) }}</style></head><body>"
        f"<img src='{url}' alt='nada'><object data='{url}'></object><embed src='{url}'>"
        f"<a rel='attachment' href='{url}'>a</a><svg><image href='{url}'/></svg>"
        f"{{% if false %}}{url}{{% endif %}}<p>{{{{ invoice_number }}}}</p></body></html>",
    )

    pdf = pdf_of(draft).data

    assert f"{draft.pk:05d}" in text_of(pdf)
    assert not holds(pdf, SECRET.encode())
    assert b"/EmbeddedFile" not in pdf
    assert not holds(pdf, b"/EmbeddedFile ")


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["include", "import", "extends"])
def test_a_template_cannot_load_another_file(draft, issuer, statement):
    more = " as x" if statement == "import" else ""
    use_unscreened(issuer, f"{{% {statement} '/etc/hostname'{more} %}}")

    with pytest.raises(PdfFailed, match="não é permitido em modelos"):
        pdf_of(draft)


# --- a full disk -------------------------------------------------------------------------------


@contextmanager
def tiny_disk(folder):
    """A file system of 2 MB, mounted for real; only root may do that."""
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with suppress(OSError), open(folder / "fill", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.django_db
def test_a_disk_full_while_rendering_is_told_and_a_retry_works(
    draft, issuer, tmp_path, monkeypatch
):
    font = "@font-face{font-family:Outra;src:url(asset:fonts/inter-700.woff2)}p{font-family:Outra}"
    use_unscreened(issuer, f"<style>{font}</style><p>{{{{ invoice_number }}}}</p>")

    with tiny_disk(tmp_path / "disk") as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        lib.pdf.stop()
        try:
            lib.pdf.render(lib.pdf.RenderJob("<p>"))  # its fonts fit in
            fill(folder)
            with pytest.raises(PdfFailed, match="não há espaço em disco para montar o PDF"):
                pdf_of(draft)
            (folder / "fill").unlink()
            retried = pdf_of(draft)
        finally:
            lib.pdf.stop()

    assert retried.fresh
    assert Invoice.objects.filter(pk=draft.pk).exists()


@contextmanager
def full_database():
    """No row of a PDF can be written any more."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")  # or there are free pages to write to
            [pages] = cursor.execute("PRAGMA page_count").fetchone()
            cursor.execute(f"PRAGMA max_page_count = {pages}")
            yield
            cursor.execute("PRAGMA max_page_count = 1073741823")
            return
        # The server's own message and code; a full volume cannot be staged without its account.
        cursor.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file: No space left on device' "
            "USING ERRCODE = 'disk_full'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON billing_pdfcache "
            "FOR EACH ROW EXECUTE FUNCTION no_room()"
        )
        yield
        cursor.execute("DROP TRIGGER no_room ON billing_pdfcache")
        cursor.execute("DROP FUNCTION no_room")


@pytest.mark.django_db(transaction=True)
def test_a_disk_full_while_storing_does_not_lose_the_answer(account, events):
    draft = july_draft(horizonte(account), padaria(account))
    pdf_of(draft)
    clear(account)

    with full_database():
        first, second = pdf_of(draft), pdf_of(draft)
    nothing_kept = cached(draft)
    third, fourth = pdf_of(draft), pdf_of(draft)

    assert nothing_kept is None
    assert [first.fresh, second.fresh, third.fresh, fourth.fresh] == [True, True, True, False]
    assert first.data == fourth.data
    assert events("pdf_cache") == ["pdf_cache.store_failed"] * 2


@pytest.mark.django_db(transaction=True)
def test_a_hit_is_answered_when_its_access_cannot_be_written(account, issuer):
    draft = july_draft(issuer, padaria(account), n_lines=1)
    pdf_of(draft)
    an_hour_ago = ago(hours=1)
    cached(draft, last_accessed=an_hour_ago)

    with full_database(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA query_only = ON")
        found = pdf_of(draft)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA query_only = OFF")

    assert not found.fresh
    assert cached(draft).last_accessed == an_hour_ago


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has one writer at a time")
def test_a_hit_does_not_wait_for_the_writer(account, issuer):
    draft = july_draft(issuer, padaria(account), n_lines=1)
    pdf_of(draft)
    cached(draft, last_accessed=ago(hours=1))
    writer = connection.copy()

    with writer.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        started = clock.now()
        found = pdf_of(draft)
        took = clock.now() - started
        cursor.execute("ROLLBACK")
    writer.close()
    with connection.cursor() as cursor:
        [patience] = cursor.execute("PRAGMA busy_timeout").fetchone()

    assert not found.fresh
    assert took < timedelta(seconds=2)
    assert patience == 20_000


@pytest.mark.django_db
def test_without_room_for_a_lock_file_the_pdf_is_made_all_the_same(draft, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "file"
    settings.DATA_DIR.write_text("not a folder")

    assert pdf_of(draft).fresh


# --- at the same time --------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_eight_simultaneous_first_requests_render_once(account, issuer, events):
    draft = july_draft(issuer, padaria(account), n_lines=3)

    answers = in_threads([partial(pdf_of, draft)] * 8)

    assert sorted(answer.fresh for answer in answers) == [False] * 7 + [True]
    assert len({answer.data for answer in answers}) == 1
    assert events() == ["pdf.rendered"]
    assert PdfCache.objects.count() == 1


def _in_process(settings_dict, invoice_id, answers):
    connections["default"].settings_dict |= settings_dict
    invoice = Invoice.objects.select_related("account").get(pk=invoice_id)
    answers.put(pdf_of(invoice).fresh)
    connections.close_all()
    answers.close()
    answers.join_thread()
    lib.pdf.stop()
    os._exit(0)  # nothing of pytest's belongs to this process


@pytest.mark.django_db(transaction=True)
def test_three_processes_render_once(account, issuer):
    draft = july_draft(issuer, padaria(account), n_lines=1)
    settings_dict = dict(connection.settings_dict)
    connections.close_all()  # a connection must not be used on both sides of a fork
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    processes = [
        context.Process(target=_in_process, args=(settings_dict, draft.pk, answers))
        for _ in range(3)
    ]

    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(timeout=60)

    assert sorted(found) == [False, False, True]


@pytest.mark.django_db(transaction=True)
def test_who_waits_too_long_for_another_rendering_is_told_to_come_back(
    account, issuer, monkeypatch
):
    draft = july_draft(issuer, padaria(account), n_lines=1)
    monkeypatch.setattr(cache, "WAIT_SECONDS", 0.1)  # instead of a minute

    with exclusive("pdf", draft.pk) as ours:
        [answer] = in_threads([partial(pdf_of, draft)])
    afterwards = pdf_of(draft)

    assert ours
    assert answer.mensagem == (
        "Não foi possível gerar o PDF: ele ainda está sendo gerado; tente de novo em instantes."
    )
    assert afterwards.fresh


# --- purge (PDF-5) -----------------------------------------------------------------------------


def stored(invoice, *, size=1000, created=0, accessed=0):
    """A cached PDF of so many bytes, made and last read so many days ago."""
    return PdfCache.objects.create(
        invoice=invoice,
        template_version=DocumentTemplate.objects.first().active_version,
        language="pt-BR",
        source_hash="0" * 64,
        content_hash="0" * 64,
        data=bytes(10),
        size=size,
        pages=1,
        created_at=ago(days=created, minutes=1),
        last_accessed=ago(days=accessed, minutes=1),
    )


@pytest.fixture
def invoices(account, issuer):
    customer = CompanyFactory(account=account)
    return [july_draft_of(issuer, customer) for _ in range(4)]


def july_draft_of(organization, customer):
    return emitted_invoice(organization, customer)


@pytest.mark.django_db
def test_old_and_unread_pdfs_are_purged(invoices, settings):
    settings.PDF_CACHE_DAYS, settings.PDF_CACHE_IDLE_DAYS = 90, 30
    stored(invoices[0], created=90, accessed=0)
    stored(invoices[1], created=60, accessed=30)
    kept = stored(invoices[2], created=89, accessed=29)

    assert purge() == 2
    assert list(PdfCache.objects.values_list("pk", flat=True)) == [kept.pk]


@pytest.mark.django_db
def test_beyond_the_size_limit_the_least_recently_read_go_first(invoices, settings):
    settings.PDF_CACHE_MAX_BYTES = 2500
    for invoice, days in zip(invoices, (1, 9, 0, 5), strict=True):
        stored(invoice, accessed=days)

    assert purge() == 2
    left = set(PdfCache.objects.values_list("invoice_id", flat=True))
    assert left == {invoices[0].pk, invoices[2].pk}


@pytest.mark.django_db
def test_at_the_size_limit_nothing_goes_and_purging_twice_is_once(invoices, settings):
    settings.PDF_CACHE_MAX_BYTES = 4000
    for invoice in invoices:
        stored(invoice, accessed=1)

    assert purge() == 0
    settings.PDF_CACHE_MAX_BYTES = 0
    assert (purge(), purge()) == (4, 0)


@pytest.mark.django_db
def test_a_purge_goes_in_batches(invoices, settings, monkeypatch):
    monkeypatch.setattr(pruning, "ROWS_PER_BATCH", 1)
    settings.PDF_CACHE_MAX_BYTES = 1000
    for invoice in invoices:
        stored(invoice, created=95 if invoice is invoices[0] else 1)

    assert purge() == 3
    assert PdfCache.objects.count() == 1


# --- clearing by hand --------------------------------------------------------------------------


@pytest.fixture
def filled(account, issuer, invoices):
    """Four PDFs of one organization and one of another."""
    other = OrganizationFactory(account=account)
    more = emitted_invoice(other, CompanyFactory(account=account))
    for invoice in [*invoices, more]:
        stored(invoice)
    return other


@pytest.mark.django_db
def test_one_invoice_is_cleared_and_audited(account, filled, invoices):
    assert clear(account, invoice_id=invoices[0].pk) == 1

    event = AuditEvent.objects.get(action="cache_pdf.limpo")
    assert (event.object_type, event.object_id) == ("invoice", invoices[0].pk)
    assert event.after == {"count": 1}
    assert PdfCache.objects.count() == 4


@pytest.mark.django_db
def test_an_organization_is_cleared_and_audited(account, filled, issuer):
    assert clear(account, organization_id=issuer.pk) == 4

    event = AuditEvent.objects.get(action="cache_pdf.limpo")
    assert (event.object_type, event.object_id) == ("party", issuer.pk)
    assert PdfCache.objects.get().invoice.organization == filled


@pytest.mark.django_db
def test_everything_of_the_account_is_cleared_and_nothing_of_another(account, filled):
    neighbour = AccountFactory(slug="vizinha")
    theirs = OrganizationFactory(account=neighbour)
    kept = stored(emitted_invoice(theirs, CompanyFactory(account=neighbour)))

    assert clear(account) == 5
    assert PdfCache.objects.get() == kept


@pytest.mark.django_db
def test_another_tenants_cache_cannot_be_cleared(other_account, filled, invoices):
    for of in ({"invoice_id": invoices[0].pk}, {"organization_id": filled.pk}):
        with pytest.raises(NotFound):
            clear(other_account, **of)
    assert PdfCache.objects.count() == 5
    assert not AuditEvent.objects.filter(action="cache_pdf.limpo").exists()


def run(*arguments):
    out = StringIO()
    call_command("pdf_cache", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_clears_and_purges(account, filled, invoices, issuer, settings):
    one = run("--clear", "--account", "exemplo", "--invoice", str(invoices[0].pk))
    rest = run("--clear", "--account", "exemplo", "--organization", "12.ABC.345/01DE-35")
    settings.PDF_CACHE_MAX_BYTES = 0
    last = run("--purge")

    assert [one, rest, last] == [
        "1 PDF(s) apagado(s).\n",
        "3 PDF(s) apagado(s).\n",
        "1 PDF(s) apagado(s).\n",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clear", "--all"], "Informe --account."),
        (["--clear", "--account", "exemplo"], "Diga o que apagar: --invoice"),
        (["--clear", "--account", "nada", "--all"], "Conta desconhecida: nada."),
        (["--clear", "--account", "exemplo", "--invoice", "999"], "Fatura desconhecida: 999."),
        (
            ["--clear", "--account", "exemplo", "--organization", "1"],
            "Organização desconhecida: 1.",
        ),
    ],
)
def test_the_command_says_what_is_missing(account, arguments, message):
    with pytest.raises(CommandError, match=message):
        run(*arguments)


@pytest.mark.django_db
def test_a_torn_reading_is_read_again(draft, monkeypatch):
    # A commit between two of the four queries cannot be staged from outside.
    real, calls = cache.invoice_source, []

    def torn(*args):
        source = real(*args)
        calls.append(source)
        if len(calls) == 2:
            InvoiceLine.objects.filter(invoice=draft).update(value=Decimal("7.00"))
        return source

    monkeypatch.setattr(cache, "invoice_source", torn)
    answer = pdf_of(draft)
    monkeypatch.undo()

    assert answer.fresh
    assert not pdf_of(draft).fresh
