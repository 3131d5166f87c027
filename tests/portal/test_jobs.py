"""The page of a long work, as customers see it (B19)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_q.models import OrmQ

from accounts.models import AuditEvent, Job, JobError, User
from accounts.services import jobs
from accounts.services.audit import SYSTEM
from billing.models import EmailMessage, Party
from lib import clock
from lib.errors import Conflict
from lib.templatetags.br import data_hora


@pytest.fixture
def new_job(demo):
    """new_job(state="running", total=312, n_ok=130, n_failed=2)"""

    def make(**fields) -> Job:
        customer = Party.objects.get(account=demo, external_code="demo-a")
        params = {
            "customer": customer.pk, "what": "pdfs", "first": "2026-01-01", "last": "2026-12-31",
        }  # fmt: skip
        return Job.objects.create(
            account=demo,
            kind="portal.export",
            params=params,
            started_by=User.objects.get(email="titular@aurora.test"),
            **fields,
        )

    return make


def act(client, job: Job, name: str):
    return client.post(f"/central/tarefas/{job.pk}/", {"acao": name})


def text_of(tree) -> str:
    return " ".join(tree.text_content().split())


def texts(tree, path: str) -> list[str]:
    return [" ".join(one.text_content().split()) for one in tree.xpath(path)]


def buttons(tree) -> list[str]:
    found = tree.xpath("//main//button | //main//a[contains(@class, 'btn')]")
    return [one.text_content().strip() for one in found]


def test_b19_3_progress_is_named_and_told_in_words(new_job, central, page):
    now = clock.now()
    job = new_job(state="running", total=312, n_ok=130, n_failed=2, heartbeat_at=now,
                  started_at=now - timedelta(seconds=66))  # fmt: skip

    tree = page(central(), f"/central/tarefas/{job.pk}/")

    [bar] = tree.xpath("//progress")
    assert dict(bar.attrib) == {
        "class": "progress", "aria-label": "Andamento da exportação", "max": "312", "value": "132",
        "aria-valuetext": "132 de 312 (42%)",
    }  # fmt: skip
    assert tree.get_element_by_id("progresso-texto").text == "132 de 312 (42%)"
    assert "Em andamento" in text_of(tree)
    told = dict(zip(texts(tree, "//dt"), texts(tree, "//dd"), strict=True))
    assert told["Tempo decorrido"].startswith("1 min 0")
    assert told["Falta cerca de"].startswith("1 min 3")
    assert buttons(tree) == ["Atualizar", "Avisar-me por e-mail", "Cancelar a exportação"]


def test_b19_1_the_page_keeps_its_progress_and_its_end(new_job, central, page, worker):
    client = central()
    job = new_job()
    assert "Na fila" in text_of(page(client, f"/central/tarefas/{job.pk}/"))
    Job.objects.filter(pk=job.pk).update(params=job.params | {"what": "faturas"})

    jobs.run_job(job.pk)

    tree = page(central(), f"/central/tarefas/{job.pk}/")
    assert "9 de 9 (100%)" in text_of(tree)
    assert buttons(tree) == ["Baixar arquivo"]
    assert tree.get_element_by_id("tarefa").get("data-acompanhar") == "nao"


def test_cancelling_stops_what_is_queued_and_asks_what_is_running(new_job, central, page):
    client = central()
    queued, running = new_job(), new_job(state="running", heartbeat_at=clock.now())

    assert act(client, queued, "cancelar").status_code == 302
    assert act(client, running, "cancelar").status_code == 302

    assert Job.objects.get(pk=queued.pk).state == "cancelled"
    assert Job.objects.get(pk=running.pk).cancel_requested
    tree = page(client, f"/central/tarefas/{running.pk}/")
    assert "A tarefa para depois do item atual." in text_of(tree)
    assert "Cancelar a exportação" not in buttons(tree)
    again = act(client, queued, "cancelar")
    assert again.status_code == 409
    assert "Esta tarefa já terminou." in again.content.decode()
    trail = AuditEvent.objects.filter(action="tarefa.cancelada")
    assert {one.actor_label for one in trail} == {"titular@aurora.test"}
    assert "Tentar de novo" in buttons(page(client, f"/central/tarefas/{queued.pk}/"))


def test_a_worker_that_died_is_told_and_the_job_resumed(new_job, central, page, worker):
    client = central()
    heard = clock.now() - timedelta(minutes=3)
    job = new_job(state="running", heartbeat_at=heard, started_at=heard, total=9)
    alive = new_job(state="running", heartbeat_at=clock.now())

    shown = page(client, f"/central/tarefas/{job.pk}/")

    assert f"Sem sinal desde {data_hora(heard)}" in text_of(shown)
    assert "Retomar" in buttons(shown)
    assert act(client, alive, "retomar").status_code == 409
    assert act(client, job, "retomar").status_code == 302
    assert [row.task["func"] for row in OrmQ.objects.all()] == ["accounts.tasks.run_job"]
    assert AuditEvent.objects.filter(action="tarefa.retomada").count() == 1


def test_b19_2_trying_again_is_for_what_failed(new_job, central, page):
    job = new_job(state="done_with_errors", n_ok=1, n_failed=2, total=3, finished_at=clock.now())
    for item in ("Fatura 01001", "Fatura 01002"):
        JobError.objects.create(job=job, item=item, cause="Não foi possível gerar o PDF.")
    done = new_job(state="done", total=1, n_ok=1, finished_at=clock.now())
    client = central()

    key = {"acao": "repetir", "idempotency_key": "k" * 32}
    answer = client.post(f"/central/tarefas/{job.pk}/", key)
    again = client.post(f"/central/tarefas/{job.pk}/", key)  # pressed twice

    assert again["Location"] == answer["Location"]
    new = Job.objects.order_by("-pk").first()
    assert answer["Location"] == f"/central/tarefas/{new.pk}/"
    assert Job.objects.count() == 3
    assert new.params == job.params | {
        "retry_of": job.pk, "only": ["Fatura 01001", "Fatura 01002"],
    }  # fmt: skip
    assert act(client, done, "repetir").status_code == 409
    with pytest.raises(Conflict):
        jobs.retry(new.pk, account=new.account, actor=SYSTEM)


def test_the_end_is_told_to_who_wants_it(new_job, central, worker):
    client = central()
    quiet, told = new_job(), new_job()
    Job.objects.update(params=quiet.params | {"what": "dados"})

    assert act(client, told, "avisar").status_code == 302
    for job in (quiet, told):
        jobs.run_job(job.pk)
    worker()

    mails = EmailMessage.objects.filter(subject__startswith="Sua exportação está pronta")
    assert [f"/tarefas/{told.pk}/" in mail.body for mail in mails] == [True]
    assert act(client, told, "nao-avisar").status_code == 409
    assert act(client, told, "outra").status_code == 400


def test_a_failure_is_told_too_once_the_worker_was_killed_too_often(new_job, worker):
    job = new_job(notify=True, attempts=jobs.MAX_ATTEMPTS)

    jobs.run_job(job.pk)
    worker()

    assert Job.objects.get(pk=job.pk).state == "failed"
    [mail] = EmailMessage.objects.filter(subject__startswith="Sua exportação não foi concluída")
    assert "Nada mudou nos seus dados." in mail.body
