"""What customers take along (P19)."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zipfile import ZipFile

from django.conf import settings
from lxml import etree

from accounts.models import AuditEvent, Job
from accounts.services.audit import SYSTEM, record
from billing.documents.cache import CachedPdf, PdfFailed
from billing.models import EmailMessage, Invoice, Party
from billing.services.emails.letters import opened
from billing.services.exports import archives, files
from billing.tasks import purge_exports, tell_export
from lib import clock

ASK = "/central/exportar/"
YEAR = {"de": "01/01/2026", "ate": "31/12/2026"}


def asked(client, what: str, **more: str):
    """POST the form; the answer."""
    return client.post(ASK, {"o_que": what, **YEAR, **more})


def made(client, worker, what: str, **more: str) -> Job:
    """An export that has ended."""
    answer = asked(client, what, **more)
    assert answer.status_code == 302, answer.content.decode()
    worker()
    job = Job.objects.order_by("-pk").first()
    assert answer["Location"] == f"/central/tarefas/{job.pk}/"
    return job


def content(client, job: Job) -> bytes:
    answer = client.get(f"/central/tarefas/{job.pk}/arquivo/")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def table(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=";"))


def brl(text: str) -> Decimal:
    assert re.fullmatch(r"\d+,\d{2}", text), text
    return Decimal(text.replace(",", "."))


def test_p19_1_the_csv_has_the_rows_and_sums_of_the_list(demo, central, page, worker):
    Invoice.objects.filter(number=1002, series__code="1").update(title="=cmd|'/c calc'!A1")
    client = central()

    job = made(client, worker, "faturas")

    assert (job.state, job.n_ok, job.total) == ("done", 9, 9)
    rows = table(content(client, job))
    listed = page(client, "/central/faturas/", ano="2026")
    shown = listed.xpath("//tr[@data-estado]")
    assert len(rows) == len(shown) == 9
    sums = [Decimal(one) for one in listed.xpath("//tr[@data-estado]/td/@data-valor")]
    assert sum(brl(row["Valor"]) for row in rows) == sum(sums)
    assert "01005" not in {row["Fatura"] for row in rows}
    first = next(row for row in rows if row["Fatura"] == "01001")
    assert first == {
        "Mês": "08/2026", "Fatura": "01001", "Título": "Plataforma de pedidos",
        "Emissão": "03/08/2026", "Vencimento": "20/08/2026", "Valor": "1234,56",
        "Em aberto": "1234,56", "Situação": "Em aberto", "Pago em": "", "Notas fiscais": "501",
        "Contrato": "Plataforma de pedidos",
    }  # fmt: skip
    assert {row["Título"] for row in rows if row["Fatura"] == "01002"} == {"'=cmd|'/c calc'!A1"}


def test_items_and_the_months_of_a_period(demo, central, worker):
    client = central()

    job = made(client, worker, "itens", de="01062026", ate="2026-07-05")

    rows = table(content(client, job))
    assert {row["Mês"] for row in rows} == {"06/2026", "07/2026"}
    lines = Invoice.objects.filter(
        series__code="1", void=False, accrual_date__range=("2026-06-01", "2026-07-01")
    ).values_list("lines__value", flat=True)
    assert sum(brl(row["Valor"]) for row in rows) == sum(lines)
    assert job.total == len({row["Fatura"] for row in rows}) == job.n_ok
    taxed = next(row for row in rows if row["Fatura"] == "01002")
    assert (taxed["Quantidade"], taxed["Valor unitário"]) == ("5,00", "100,00")


def test_notes_and_pdfs_come_in_a_zip_and_only_what_failed_is_tried_again(
    demo, central, worker, monkeypatch
):
    client = central()
    notes = made(client, worker, "notas")
    with ZipFile(io.BytesIO(content(client, notes))) as archive:
        [name] = archive.namelist()
        xml = etree.fromstring(archive.read(name))
    assert name == "fatura-01001-nota-501.xml"
    assert xml.findtext(".//{*}nNFSe") == "501"

    tried: list[int] = []

    # What a renderer makes is shown elsewhere, and costs seconds.
    def failing(invoice_id, *, account):
        tried.append(invoice_id)
        if Invoice.objects.get(pk=invoice_id).number == 1010 and len(tried) < 4:
            raise PdfFailed("ocupado", kind="in_progress")
        name = f"Invoice_{invoice_id}.pdf"
        return CachedPdf(b"%PDF-1.7 de outro teste", "", name, pages=1, fresh=True)

    monkeypatch.setattr(archives, "invoice_pdf", failing)
    some = {"de": "01/07/2026", "ate": "31/07/2026"}
    pdfs = made(client, worker, "pdfs", **some)
    assert (pdfs.state, pdfs.n_ok, pdfs.n_failed) == ("done_with_errors", 2, 1)
    page = client.get(f"/central/tarefas/{pdfs.pk}/").content.decode()
    assert "Tentar de novo só os erros" in page
    assert "Fatura 01010" in page
    report = client.get(f"/central/tarefas/{pdfs.pk}/relatorio/")
    [line] = table(b"".join(report.streaming_content))
    assert line["Item"] == "Fatura 01010"
    tried.clear()
    tried += [0, 0, 0]

    answer = client.post(f"/central/tarefas/{pdfs.pk}/", {"acao": "repetir"})

    worker()
    again = Job.objects.order_by("-pk").first()
    assert answer["Location"] == f"/central/tarefas/{again.pk}/"
    assert (again.state, again.total, again.n_ok) == ("done", 1, 1)
    assert len(tried) == 4  # one only
    with ZipFile(io.BytesIO(content(client, again))) as archive:
        names = sorted(archive.namelist())
        assert archive.read(names[0]).startswith(b"%PDF")
    assert len(names) == 3
    actions = AuditEvent.objects.filter(object_id=pdfs.pk, object_type="job")
    assert "tarefa.repetida" in actions.values_list("action", flat=True)


def test_all_that_is_kept_of_a_customer(demo, central, worker):
    client = central("financeiro@aurora.test")
    customer = Party.objects.get(account=demo, external_code="demo-a")
    record(demo, actor=SYSTEM, action="cadastro.alterado", target=customer, after={"x": 1})

    job = made(client, worker, "dados")

    found = json.loads(content(client, job))
    assert found["cadastro"]["documento"] == "12ABC34501DE35"
    assert {one["email"] for one in found["usuarios"]} == {
        "titular@aurora.test", "financeiro@aurora.test", "leitura@aurora.test",
    }  # fmt: skip
    assert len(found["faturas"]) == 10
    assert [one["protocolo"] for one in found["contestacoes"]] == ["CTS-2026-000001"]
    assert len(found["contestacoes"][0]["mensagens"]) == 1
    assert {one["final"] for one in found["cartoes"]} >= {"4242", "0002"}
    assert found["historico_do_cadastro"][-1]["acao"] == "cadastro.alterado"
    text = json.dumps(found)
    for secret in ("pm_", "cus_", "boavista", "11222333000181", "pbkdf2", "md5$"):
        assert secret not in text


def test_p19_2_a_file_belongs_to_who_asked_for_it_at_that_company(demo, central, worker):
    client = central()
    job = made(client, worker, "faturas")
    path = f"/central/tarefas/{job.pk}/"
    missing = client.get("/central/tarefas/999999/")

    for email in ("financeiro@aurora.test", "titular@boavista.test", "titular@nuvem.test"):
        other = central(email)
        for rest in ("", "arquivo/", "relatorio/"):
            answer = other.get(path + rest)
            assert answer.status_code == 404, (email, rest)
        assert other.post(path, {"acao": "repetir"}).status_code == 404
    assert missing.status_code == 404
    assert central("leitura@aurora.test").get(path).status_code == 403
    assert central("leitura@aurora.test").post(ASK, {"o_que": "faturas", **YEAR}).status_code == 403
    # The same person for the other company.
    branch = Party.objects.get(account=demo, external_code="demo-c")
    access = client.get(path).wsgi_request.user.customer_accesses.get(customer=branch)
    assert client.post("/central/empresa/", {"empresa": access.pk}).status_code == 302
    assert client.get(f"{path}arquivo/").status_code == 404
    assert "Baixar arquivo" in central().get(path).content.decode()


def test_it_is_told_kept_for_a_week_and_purged(demo, central, worker, today):
    client = central()
    job = made(client, worker, "faturas")
    [mail] = EmailMessage.objects.filter(subject__startswith="Sua exportação está pronta")
    assert mail.recipient == "titular@aurora.test"
    assert f"/central/tarefas/{job.pk}/" in opened(mail.body)
    assert tell_export(job.pk)
    assert EmailMessage.objects.filter(subject__startswith="Sua exportação").count() == 1
    stored = Path(settings.MEDIA_ROOT) / job.result["path"]
    assert stored.exists()
    content(client, job)
    downloads = AuditEvent.objects.filter(action="exportacao.baixada", object_id=job.pk)
    assert [(one.actor_kind, one.actor_label) for one in downloads] == [
        ("customer", "titular@aurora.test")
    ]
    today("2026-08-18")
    assert purge_exports() == 0
    today("2026-08-20")

    assert client.get(f"/central/tarefas/{job.pk}/arquivo/").status_code in (302, 404)
    client = central()
    assert client.get(f"/central/tarefas/{job.pk}/arquivo/").status_code == 404
    assert purge_exports() == 1
    assert not stored.exists()
    assert (
        "O arquivo não está mais disponível"
        in client.get(f"/central/tarefas/{job.pk}/").content.decode()
    )
    assert purge_exports() == 0


def test_what_the_form_refuses(demo, central, page):
    client = central()
    for given, text in (
        ({"o_que": ""}, "Escolha o que exportar."),
        ({"o_que": "tudo"}, "Escolha o que exportar."),
        ({"de": ""}, "Informe a data de início."),
        ({"de": "31/02/2026"}, "Data inválida. Use dd/mm/aaaa."),
        ({"ate": "01/01/2025"}, "A data de início deve ser igual ou anterior à data de término."),
    ):
        answer = client.post(ASK, {"o_que": "faturas", **YEAR, **given})
        assert answer.status_code == 400, given
        body = answer.content.decode()
        assert text in body
        assert "Corrija 1 erro para continuar" in body

    empty = asked(client, "faturas", de="01/01/2020", ate="31/12/2020")

    assert empty.status_code == 422
    assert "Não há dados neste período." in empty.content.decode()
    none = asked(central("titular@boavista.test"), "notas")
    assert "Não há dados neste período." in none.content.decode()
    assert not Job.objects.filter(kind="portal.export").exists()


def test_one_at_a_time_for_each_press_and_a_few_for_each_person(demo, central):
    client = central()
    key = {"idempotency_key": "a" * 32}
    first, second = asked(client, "faturas", **key), asked(client, "faturas", **key)
    assert first["Location"] == second["Location"]
    assert Job.objects.count() == 1
    job = Job.objects.get()
    asked_for = AuditEvent.objects.filter(action="exportacao.pedida")
    assert [one.after["o_que"] for one in asked_for] == ["faturas"]
    assert job.notify
    asked(client, "itens")
    asked(client, "dados")

    fourth = asked(client, "faturas")

    assert fourth.status_code == 422
    assert "Você já tem 3 exportações em andamento." in fourth.content.decode()


def test_a_customer_that_is_gone_meanwhile_ends_the_job(demo, central, worker):
    client = central()
    asked(client, "faturas")
    job = Job.objects.get()
    Job.objects.filter(pk=job.pk).update(params={**job.params, "customer": 0})

    worker()

    job = Job.objects.get()
    assert job.state == "failed"
    assert not tell_export(job.pk)


def test_files_that_no_job_names_are_deleted_after_a_day(demo, today):
    shutil.rmtree(Path(settings.MEDIA_ROOT) / files.FOLDER, ignore_errors=True)
    assert purge_exports() == 0
    folder = Path(settings.MEDIA_ROOT) / files.FOLDER / "aa"
    folder.mkdir(parents=True)
    (folder / "sobra").write_bytes(b"x")
    today((clock.now() + timedelta(days=400)).date().isoformat())

    assert purge_exports() == 1

    assert list(folder.iterdir()) == []
