"""Monthly files of a company (fiscal-api §15, KEEP-2)."""

from __future__ import annotations

import io
import re
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from django_q.models import OrmQ
from factories import FiscalCompanyFactory
from support import issuing
from support.certificates import certify
from support.issuing import nfe_body, told
from support.v2 import fiscal_token, v2

from fiscal.authorities.base import VoidAnswer
from fiscal.models import Archive, Backup, Certificate, Company, FiscalDocument
from fiscal.services import archive, backups, inutilizacao, printing
from fiscal.services.delivery import advance
from fiscal.tasks import build_backup, prepare_backups, sweep_deliveries

pytestmark = pytest.mark.django_db
BRASILIA = ZoneInfo("America/Sao_Paulo")
FIRST = datetime(2026, 11, 1, 2, 0, tzinfo=BRASILIA)  # a Sunday
SATURDAY = datetime(2026, 11, 14, 2, 0, tzinfo=BRASILIA)
SOLD = datetime(2026, 10, 20, 12, 0, tzinfo=BRASILIA)


@pytest.fixture(autouse=True)
def _here(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(printing, "danfe_pdf", lambda xml, **_: b"%PDF-" + xml[-20:])


def sale(
    company: Company, numero: int, *, modelo: int = 55, aamm: str = "2610",
    ambiente: str = "producao", at: datetime = SOLD,
) -> FiscalDocument:  # fmt: skip
    """An authorized document with its XML, as rows."""
    chave = f"35{aamm}{company.cnpj}{modelo}001{numero:09d}1{numero:08d}0"
    document: FiscalDocument = FiscalDocument.objects.create(
        account=company.account, company=company, ambiente=ambiente, modelo=modelo, serie=1,
        ref=f"{modelo}-{aamm}-{numero}", numero=numero, chave=chave, protocolo="1" * 15,
        state="autorizado", created_at=at,
    )  # fmt: skip
    xml = f"<nfeProc>{company.cnpj} {numero}</nfeProc>".encode()
    archive.keep(document, Archive.Kind.SIGNED, archive.nfe_name(chave), b"<NFe/>", at=at)
    archive.keep(document, Archive.Kind.AUTHORIZED, archive.nfe_name(chave), xml, at=at)
    return document


def event(document: FiscalDocument, end: str, *, at: datetime = SOLD) -> None:
    name = f"{document.chave}-{end}.xml"
    archive.keep(document, Archive.Kind.EVENT, name, f"<e>{end}</e>".encode(), at=at)


def work_off() -> int:
    """Run the queue's builds until there are none; answers how many tasks it took."""
    count = 0
    while entry := OrmQ.objects.order_by("pk").first():
        task = entry.task
        entry.delete()
        if task["func"] == backups.TASK:
            build_backup(*task["args"])
            count += 1
    return count


def built(moment: Any, at: datetime) -> None:
    moment(at)
    prepare_backups()
    work_off()


def downloaded(client: Any, path: str) -> dict[str, bytes]:
    answer = client.get(path)
    assert answer.status_code == 200
    with ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as found:
        assert found.testzip() is None
        assert len(set(found.namelist())) == len(found.namelist())
        return {name: found.read(name) for name in found.namelist()}


def listed(client: Any, company: Company) -> list[dict[str, str]]:
    answer = client.get(f"backups/{company.cnpj}.json")
    assert answer.status_code == 200
    found: list[dict[str, str]] = answer.json()["backups"]
    return found


@pytest.fixture
def produced(nfe_token_producao: str) -> Any:
    return v2(nfe_token_producao)


# --- the files ---------------------------------------------------------------------------------


def test_the_month_is_there_on_the_first(company, produced, at_moment):
    one, other, consumer = sale(company, 1), sale(company, 2), sale(company, 3, modelo=65)
    event(one, "can")
    for n in (1, 2, 12):
        event(other, f"cce-{n:02d}")
    archive.keep_for_company(
        company, ambiente="producao", month="202610", kind=Archive.Kind.VOID, name="35-inu.xml",
        content=b"<i/>", at=SOLD,
    )  # fmt: skip
    sale(company, 4, aamm="2611")
    sale(company, 5, ambiente="homologacao")

    built(at_moment, FIRST)

    [month] = listed(produced, company)
    assert month["mes"] == "202610"
    files = downloaded(produced, month["xmls"])
    assert set(files) == {
        f"{one.chave}-nfe.xml", f"{one.chave}-can.xml", f"{other.chave}-nfe.xml",
        f"{other.chave}-cce-1.xml", f"{other.chave}-cce-2.xml", f"{other.chave}-cce-12.xml",
        f"{consumer.chave}-nfe.xml", "35-inu.xml",
    }  # fmt: skip
    assert files[f"{one.chave}-nfe.xml"].endswith(f"<nfeProc>{company.cnpj} 1</nfeProc>".encode())
    prints = downloaded(produced, month["danfes"])
    assert set(prints) == {f"{one.chave}.pdf", f"{other.chave}.pdf"}


def test_each_saturday_has_a_partial_file_of_the_month(company, produced, at_moment):
    sale(company, 1, aamm="2611", at=SATURDAY)
    built(at_moment, SATURDAY.replace(day=13))
    assert listed(produced, company) == []

    built(at_moment, SATURDAY)

    [month] = listed(produced, company)
    assert len(downloaded(produced, month["xmls"])) == 1
    later = SATURDAY.replace(day=16)
    sale(company, 2, aamm="2611", at=later)
    built(at_moment, SATURDAY.replace(day=21))
    [month] = listed(produced, company)
    assert len(downloaded(produced, month["xmls"])) == 2
    sale(company, 3, aamm="2611", at=SATURDAY.replace(day=30))
    built(at_moment, FIRST.replace(month=12))
    assert [len(downloaded(produced, one["xmls"])) for one in listed(produced, company)] == [3]


def test_a_night_without_power_loses_no_month(company, produced, at_moment):
    sale(company, 1)

    built(at_moment, FIRST.replace(day=4))

    assert [one["mes"] for one in listed(produced, company)] == ["202610"]


def test_what_enters_late_is_built_in_and_nothing_else_is_built_again(company, produced, at_moment):
    sale(company, 1)
    built(at_moment, FIRST)
    at_moment(FIRST.replace(day=2))
    assert prepare_backups() == 0

    sale(company, 2, at=FIRST.replace(day=2))
    built(at_moment, FIRST.replace(day=3))

    [month] = listed(produced, company)
    assert len(downloaded(produced, month["xmls"])) == 2
    folder = Path(backups.location(f"backups/{company.pk}"))
    assert len(list(folder.iterdir())) == 2  # the old ones are gone


def test_old_months_are_deleted_after_six(company, produced, at_moment):
    sale(company, 1)
    built(at_moment, FIRST)

    built(at_moment, datetime(2027, 4, 30, 2, 0, tzinfo=BRASILIA))
    assert [one["mes"] for one in listed(produced, company)] == ["202610"]
    built(at_moment, datetime(2027, 5, 1, 2, 0, tzinfo=BRASILIA))

    assert listed(produced, company) == []
    assert list(backups.location(f"backups/{company.pk}").iterdir()) == []


# --- a build that takes long -------------------------------------------------------------------


def test_a_build_goes_on_from_task_to_task(company, produced, at_moment, monkeypatch):
    for numero in range(1, 6):
        sale(company, numero)
    monkeypatch.setattr(backups, "SECONDS", 0.0)
    monkeypatch.setattr(backups.build, "__kwdefaults__", {"seconds": 0.0})
    at_moment(FIRST)
    prepare_backups()

    assert work_off() >= 10  # one file in each task

    [month] = listed(produced, company)
    assert len(downloaded(produced, month["xmls"])) == 5
    assert len(downloaded(produced, month["danfes"])) == 5


@pytest.mark.parametrize("damage", ["torn", "more", "gone"])
def test_a_build_that_was_cut_begins_again(company, produced, at_moment, damage):
    for numero in range(1, 4):
        sale(company, numero)
    at_moment(FIRST)
    prepare_backups()
    OrmQ.objects.all().delete()
    row = Backup.objects.get()
    backups.build(row.pk, seconds=0)
    row.refresh_from_db(fields=["work", "n_files", "position"])
    assert row.n_files == 1
    work = backups.location(row.work)
    if damage == "torn":
        work.write_bytes(work.read_bytes()[:-10])
    elif damage == "more":
        with ZipFile(work, "a") as found:
            found.writestr("nao-anotado.xml", b"x")
    else:
        work.unlink()

    work_off()

    [month] = listed(produced, company)
    assert sorted(map(len, downloaded(produced, month["xmls"]))) == [52, 52, 52]


def test_a_lost_task_is_queued_again(company, produced, at_moment):
    sale(company, 1)
    at_moment(FIRST)
    prepare_backups()
    OrmQ.objects.all().delete()
    assert sweep_deliveries() == 0

    at_moment(FIRST.replace(minute=10))
    assert sweep_deliveries() == 1
    work_off()

    assert len(listed(produced, company)) == 1


def test_a_document_that_cannot_be_printed_keeps_no_other_back(
    company, produced, at_moment, monkeypatch
):
    bad, good = sale(company, 1), sale(company, 2)

    def some(xml: bytes, **_: Any) -> bytes:
        if xml.endswith(b" 1</nfeProc>"):
            raise OSError("no renderer")
        return b"%PDF-"

    monkeypatch.setattr(printing, "danfe_pdf", some)
    built(at_moment, FIRST)

    [month] = listed(produced, company)
    assert set(downloaded(produced, month["danfes"])) == {f"{good.chave}.pdf"}
    assert f"{bad.chave}-nfe.xml" in downloaded(produced, month["xmls"])


def test_memory_stays_small(company, produced, at_moment, monkeypatch):
    """Forty files of 400 KB that do not compress: 16 MB in the ZIP."""
    import random

    noise = random.Random(1).randbytes
    for numero in range(40):
        document = sale(company, numero + 1, modelo=65)
        name = f"{document.chave}-can.xml"
        archive.keep(document, Archive.Kind.EVENT, name, noise(400_000), at=SOLD)
    monkeypatch.setattr(backups, "ROWS_PER_BATCH", 4)
    at_moment(FIRST)
    prepare_backups()
    tracemalloc.start()
    work_off()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    row = Backup.objects.get()
    assert backups.location(row.xmls).stat().st_size > 16_000_000
    assert peak < 8_000_000
    assert "danfes" not in listed(produced, company)[0]  # no NF-e in the month


# --- who may -----------------------------------------------------------------------------------


def test_two_companies_are_never_mixed(company, account, produced, master, at_moment):
    other = FiscalCompanyFactory(account=account)
    sale(company, 1)
    sale(other, 1)
    built(at_moment, FIRST)
    clients = {company.pk: produced, other.pk: v2(fiscal_token(other, "producao"))}

    for one, another in ((company, other), (other, company)):
        [month] = listed(clients[one.pk], one)
        for path in (month["xmls"], month["danfes"]):
            files = downloaded(clients[one.pk], path)
            assert all(one.cnpj in name for name in files)
            assert another.cnpj.encode() not in b"".join(files.values())
            assert clients[another.pk].get(path).status_code == 403
            # Another's key in our own address leads nowhere.
            mixed = re.sub(r"_[0-9]+/", f"_{another.pk}/", path)
            assert clients[one.pk].get(mixed).status_code == 404
        assert clients[another.pk].get(f"backups/{one.cnpj}.json").status_code == 403
        assert [row["mes"] for row in listed(master, one)] == ["202610"]
        assert downloaded(master, month["xmls"])


def test_other_tokens_get_nothing(company, other_account, nfe, produced, at_moment):
    from support.v2 import master_token

    sale(company, 1)
    built(at_moment, FIRST)
    [month] = listed(produced, company)
    paths = (f"/v2/backups/{company.cnpj}.json", month["xmls"], month["danfes"])
    stranger = v2(fiscal_token(FiscalCompanyFactory(account=other_account), "producao"))
    for path in paths:
        assert (nfe.get(path).status_code, nfe.get(path).json()["codigo"]) == (
            403,
            "permissao_negada",
        )
        assert stranger.get(path).status_code == 403
        assert v2(master_token(other_account)).get(path).status_code == 404
        assert v2().get(path).status_code == 401


def test_a_company_without_backups(company, produced):
    assert listed(produced, company) == []
    path = f"/arquivos/{company.cnpj}_{company.pk}/202610/backups/xmls.zip"
    assert produced.get(path).status_code == 404


def test_a_file_that_was_lost_is_not_found(company, produced, at_moment):
    sale(company, 1)
    built(at_moment, FIRST)
    [month] = listed(produced, company)
    backups.location(Backup.objects.get().xmls).unlink()

    assert produced.get(month["xmls"]).status_code == 404


# --- the borders of a month --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "last_evening"),
    [
        (("SP", "São Paulo", "3550308"), "2026-11-01T01:30:00+00:00"),  # 22:30 in UTC-3
        (("AC", "Rio Branco", "1200401"), "2026-11-01T04:30:00+00:00"),  # 23:30 in UTC-5
    ],
    ids=["SP", "AC"],
)
def test_the_last_evening_belongs_to_its_month_on_the_issuers_clock(
    company, authority, nfe, at_moment, monkeypatch, place, last_evening
):
    """In UTC, and for Acre in Brasília, it is November already."""
    uf, municipio, codigo = place
    Company.objects.update(uf=uf, municipio=municipio, codigo_municipio=codigo)
    company.refresh_from_db()
    Certificate.objects.all().delete()
    certify(company, begins=-400, ends=10)
    moment = datetime.fromisoformat(last_evening)

    def void(door: Any, xml: bytes) -> Any:
        said = VoidAnswer(
            "102", "Inutilizacao homologada", "135260000000009", moment, "2", company.cnpj,
            26, 55, 1, 90, 90, b"<retInutNFe/>",
        )  # fmt: skip
        return told("102", void=said)

    monkeypatch.setattr(issuing._Door, "void", void, raising=False)
    at_moment(moment)
    body = nfe_body(municipio_destinatario=municipio, uf_destinatario=uf)

    assert nfe.post("nfe", body, ref="n").status_code == 202
    advance(FiscalDocument.objects.get().pk)
    row = inutilizacao.request_void(
        company, ambiente="homologacao", modelo=55, serie=1, first=90, last=90,
        justificativa="Numero que nao foi usado",
    )  # fmt: skip

    assert FiscalDocument.objects.get().state == "autorizado"
    assert row.state == "homologada"
    event(FiscalDocument.objects.get(), "can", at=moment + timedelta(days=1))
    assert dict(Archive.objects.values_list("kind", "month")) == {
        "signed": "202610", "authorized": "202610", "event": "202610", "void": "202610",
    }  # fmt: skip


def test_what_enters_an_older_month_is_built_in_too(company, produced, at_moment):
    """An import, or a carta de correção 30 days later: the month before the last one is over."""
    one = sale(company, 1, aamm="2609", at=SOLD.replace(month=9))
    built(at_moment, FIRST.replace(month=10))
    built(at_moment, FIRST)
    assert [row["mes"] for row in listed(produced, company)] == ["202609"]

    event(one, "cce-01", at=FIRST.replace(day=5))
    sale(company, 2, aamm="2607", at=FIRST.replace(day=5))
    sale(company, 3, aamm="2603", at=FIRST.replace(day=5))  # no month that is kept
    sale(company, 4, aamm="2608", ambiente="homologacao", at=FIRST.replace(day=5))
    built(at_moment, FIRST.replace(day=6))

    assert [row["mes"] for row in listed(produced, company)] == ["202609", "202607"]
    files = downloaded(produced, listed(produced, company)[0]["xmls"])
    assert set(files) == {f"{one.chave}-nfe.xml", f"{one.chave}-cce-1.xml"}
    before = Backup.objects.values_list("month", "built_at")
    again = list(before)
    built(at_moment, FIRST.replace(day=7))
    assert list(before) == again
