"""Staff screens of documents: found, told, acted on; by whom, and how often (ux B13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from factories import FiscalCompanyFactory, UserFactory
from support.certificates import certify
from support.issuing import loses, nfe_body, refuses, says
from support.staff import act, client_of, form_of, said

from accounts.models import AuditEvent
from fiscal.models import (
    Attempt,
    Consumption,
    FiscalDocument,
    HookNotice,
    MailMessage,
    State,
)
from fiscal.services import issue
from fiscal.services.delivery import advance
from lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(account: Any) -> Client:
    return client_of(account)


def url(action: str, *args: object) -> str:
    return reverse(f"admin:fiscal_fiscaldocument_{action}", args=args)


def page(client: Client, document: FiscalDocument) -> str:
    answer = client.get(url("change", document.pk))
    assert answer.status_code == 200
    return str(answer.content.decode())


def row(company: Any, n: int = 1, **values: Any) -> FiscalDocument:
    """A document as the database has it, nothing behind it."""
    kept: dict[str, Any] = {
        "account": company.account, "company": company, "ambiente": "homologacao", "modelo": 55,
        "ref": f"venda-{n}", "serie": 1, "numero": n, "state": State.REJEITADO,
        "created_at": clock.now(),
    }  # fmt: skip
    made: FiscalDocument = FiscalDocument.objects.create(**{**kept, **values})
    return made


def issued(company: Any, ref: str = "r1") -> FiscalDocument:
    document = issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body()
    )
    return advance(document.pk)


def fresh(document: FiscalDocument) -> FiscalDocument:
    return FiscalDocument.objects.get(pk=document.pk)


# --- finding ----------------------------------------------------------------------------------


def test_a_document_is_found_by_key_number_ref_and_recipient(staff, company, other_account):
    key = "35261111222333000181550010000000071123456780"
    one = row(company, 7, chave=key, recipient_name="Mercado Boa Vista", recipient_document="123")
    row(company, 8, recipient_name="Outro nome", created_at=clock.now() - timedelta(days=100))
    foreign = FiscalCompanyFactory(account=other_account, cnpj="44555666000145")
    row(foreign, 7, ref="venda-7")

    def found(text: str, **more: str) -> list[str]:
        answer = staff.get(url("changelist"), {"q": text, **more})
        return [one.ref for one in answer.context["cl"].queryset]

    spaced = " ".join(key[at : at + 4] for at in range(0, 44, 4))
    for text in (key, spaced, "7", "venda-7", "boa vista", "123"):
        assert found(text) == [one.ref], text
    assert found("outro nome") == []  # older than 90 days, and no period was chosen
    assert found("8") == ["venda-8"]
    assert found("nada disso") == found("'; --") == []


def test_filters_narrow_and_nonsense_in_them_is_passed_over(staff, company):
    row(company, 1)
    row(company, 2, state=State.CONFLITO, modelo=65)
    row(company, 3, state=State.CONTINGENCIA, modelo=65, tp_emis=9, ref="off")
    row(company, 4, state=State.ASSINADO, ambiente="producao",
        created_at=clock.now() - timedelta(days=8))  # fmt: skip

    def numbers(**query: str) -> list[int]:
        answer = staff.get(url("changelist"), query)
        assert answer.status_code == 200
        return sorted(one.numero for one in answer.context["cl"].queryset)

    assert numbers(situacao="esperando") == [3, 4]
    assert numbers(situacao="atencao") == [1, 2]
    assert numbers(situacao="conflito") == [2]
    assert numbers(modelo="65") == [2, 3]
    assert numbers(ambiente="producao") == [4]
    assert numbers(contingencia="sim") == numbers(contingencia="pendente") == [3]
    assert numbers(periodo="7") == [1, 2, 3]
    assert numbers(empresa=str(company.pk)) == [1, 2, 3, 4]
    assert numbers(empresa="0", situacao="x", modelo="y", periodo="z") == [1, 2, 3, 4]


def test_the_count_stops_where_nobody_reads_on(staff, company, monkeypatch):
    monkeypatch.setattr("fiscal.admin.document_lists.COUNTED", 2)
    for n in range(1, 5):
        row(company, n)

    with CaptureQueriesContext(connection) as seen:
        answer = staff.get(url("changelist"))

    assert [one.numero for one in answer.context["cl"].result_list] == [4, 3]
    assert not [one["sql"] for one in seen if "COUNT(" in one["sql"]]
    walks = [one["sql"] for one in seen if "ORDER BY" in one["sql"] and "LIMIT 2" in one["sql"]]
    assert len(walks) == 1


def test_an_empty_list_says_what_to_do(staff):
    assert "chegam pela API" in staff.get(url("changelist")).content.decode()


def test_neither_list_nor_page_nor_queue_asks_more_when_there_is_more(staff, company):
    document = row(company, 1, state=State.INDEFINIDO, next_attempt_at=clock.now())

    def asked(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert staff.get(path).status_code == 200
        return len(seen)

    paths = (url("changelist"), url("change", document.pk), url("queue"))
    before = [asked(path) for path in paths for _ in "ab"][1::2]  # the first fills caches
    for n in range(2, 8):
        row(company, n, state=State.INDEFINIDO, next_attempt_at=clock.now())
        Attempt.objects.create(
            account=company.account, company=company, document=document, kind="autorizacao",
            subject="k", authority="SP", sha256="a", outcome="lost", started_at=clock.now(),
        )  # fmt: skip
        MailMessage.objects.create(
            account=company.account, company=company, document=document, kind="autorizado",
            cause=f"c{n}", recipient="a@b.test", message_id=f"<{n}@b>", created_at=clock.now(),
        )  # fmt: skip
    other = FiscalCompanyFactory(account=company.account, cnpj="44555666000145")
    row(other, 1, state=State.ASSINADO, next_attempt_at=clock.now())

    assert [asked(path) for path in paths] == before
    assert max(before) < 25


# --- telling ----------------------------------------------------------------------------------


def test_the_page_tells_the_way_with_codes_advice_and_answers(staff, company, authority):
    authority.next("authorize", refuses("778", "Rejeicao: Informado NCM inexistente [nItem: 1]"))
    document = issued(company)

    text = page(staff, document)

    for part in (
        "O que aconteceu", "Informado NCM inexistente", "O que fazer", "Confira o NCM",
        "Quem resolve", "Fiscal", "Enviar de novo", "Inutilizar o número", "Respondida: 778",
        "Resposta da SEFAZ", "&lt;ret/&gt;", "-nfe.xml",
    ):  # fmt: skip
        assert part in text, part


def test_a_lost_answer_is_told_in_words_and_its_error_to_who_sees_the_setup(
    account, staff, company, authority
):
    authority.next("authorize", loses(after=True))
    document = issued(company)

    mine, support = page(staff, document), page(client_of(account, "suporte"), document)

    for text in (mine, support):
        assert "só uma consulta diz se o pedido chegou" in text
    assert "Detalhe técnico" in mine
    assert "conexão interrompida" in mine
    assert "conexão interrompida" not in support


def test_an_unknown_code_says_so_and_gives_the_original(staff, company):
    text = page(staff, row(company, 1, c_stat="9876", x_motivo="Rejeicao: novidade"))

    assert "Ainda não temos orientação para este código." in text
    assert "9876 – Rejeicao: novidade" in text


def test_every_state_has_a_page(staff, company):
    for n, state in enumerate(State, start=1):
        numbered = {} if state == State.RECEBIDO else {"serie": 1, "numero": n}
        document = row(
            company, n, state=state, protocolo="1", tp_emis=9 if state == "contingencia" else 1,
            dh_emi=clock.now(), **({"serie": None, "numero": None} | numbered),
        )  # fmt: skip
        text = page(staff, document)
        decided = state in (State.AUTORIZADO, State.CANCELADO)
        assert ("O que aconteceu" in text) != decided, state


def test_who_sees_no_setup_sees_no_raw_answers(account, company, authority):
    document = issued(company)
    support = client_of(account, "suporte")

    text = page(support, document)

    assert "Resposta da SEFAZ" not in text
    assert "Respondida: 100" in text
    assert "DANFE (PDF)" in text
    assert "Cancelar a nota" not in text


def test_files_are_downloaded_by_who_sees_the_document_alone(
    staff, account, other_account, company, authority
):
    document = issued(company)
    archive = document.archives.get(kind="authorized")
    paths = [url("xml", document.pk), reverse("admin:fiscal_archive_download", args=[archive.pk])]

    for path in paths:
        answer = staff.get(path)
        assert answer.status_code == 200
        assert b"<nfeProc" in answer.content
        assert client_of(other_account).get(path).status_code == 404
        assert Client().get(path).status_code == 302
    assert staff.get(url("xml", row(company, 9).pk)).status_code == 404
    without = staff.get(url("print", FiscalDocument.objects.get(numero=9).pk), follow=True)
    assert "não encontrada" in without.content.decode()


# --- acting -----------------------------------------------------------------------------------


def test_a_lost_answer_is_asked_about_now_and_told(staff, company, authority):
    authority.next("authorize", loses(after=True))
    document = issued(company)

    answer = act(staff, document, "consultar")

    assert answer.status_code == 302
    assert fresh(document).state == State.AUTORIZADO
    assert "Situação agora: Autorizado" in said(answer)
    event = AuditEvent.objects.get(action="nf.consultada")
    assert (event.object_id, event.after["situacao"]) == (document.pk, "autorizado")


def test_a_refused_document_goes_again_with_its_number(staff, company, authority):
    authority.next("authorize", refuses("203"))
    document = issued(company)
    Consumption.objects.all().delete()

    answer = act(staff, document, "reenviar")
    advance(document.pk)

    again = fresh(document)
    assert (again.state, again.numero, again.ref) == (State.AUTORIZADO, document.numero, "r1")
    assert "voltou para a fila" in said(answer)


def test_a_conflict_that_is_none_any_more_is_resolved(staff, company, authority):
    authority.next("authorize", loses(after=True))
    document = issued(company)
    kept = authority.held[document.chave]
    authority.held[document.chave] = ("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", kept[1])
    act(staff, document, "consultar")
    assert fresh(document).state == State.CONFLITO

    still = act(staff, document, "resolver")
    authority.held[document.chave] = kept
    done = act(staff, document, "resolver")

    assert "continua com outro documento" in said(still)
    assert fresh(document).state == State.AUTORIZADO
    assert "Autorizado" in said(done)


def test_the_same_post_twice_does_its_work_once(staff, company, authority):
    document = issued(company)
    sent = form_of(staff, url("act", document.pk, "email")) | {
        "emails": "a@cliente.test, b@cliente.test"
    }

    first = staff.post(url("act", document.pk, "email"), sent)
    second = staff.post(url("act", document.pk, "email"), sent)

    assert MailMessage.objects.filter(cause__startswith="pedido-").count() == 2
    assert "Na fila de e-mails: a@cliente.test, b@cliente.test." in said(first)
    assert "não" not in said(second)
    assert "já tinha sido feito" in said(second)
    assert AuditEvent.objects.filter(action="nf.email").count() == 1


def test_a_stale_page_does_nothing_and_shows_the_fresh_one(staff, company, authority):
    authority.next("authorize", loses(after=False))
    document = issued(company)
    sent = form_of(staff, url("act", document.pk, "consultar"))
    FiscalDocument.objects.filter(pk=document.pk).update(
        state=State.AUTORIZADO, protocolo="135260000000001"
    )

    answer = staff.post(url("act", document.pk, "consultar"), sent)

    assert answer.status_code == 409
    text = answer.content.decode()
    assert "mudou enquanto você estava aqui (agora: Autorizado). Nada foi feito." in text
    assert authority.names().count("consult") == 0
    assert not AuditEvent.objects.filter(action="nf.consultada").exists()


def test_what_is_typed_wrong_is_told_and_kept(staff, company, authority):
    document = issued(company)

    short = act(staff, document, "cancelar", justificativa="quatorze letra")
    bad = act(staff, document, "email", emails="isto não é endereço")

    assert "A justificativa deve ter entre 15 e 255 caracteres; faltam 1." in short.content.decode()
    assert "quatorze letra" in short.content.decode()
    assert "<title>Erro: " in short.content.decode()
    assert "Endereço inválido: isto" in bad.content.decode()
    assert fresh(document).state == State.AUTORIZADO


def test_an_act_that_the_state_does_not_allow_has_no_page(staff, company, authority):
    document = issued(company)

    answer = staff.get(url("act", document.pk, "consultar"), follow=True)

    assert "A situação não permite esta ação (agora: Autorizado)." in answer.content.decode()
    assert staff.get(url("act", document.pk, "inventada")).status_code == 404


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("admin", {"cancelar", "carta-de-correcao", "email", "reenviar", "resolver", "avisar"}),
        ("fiscal", {"cancelar", "carta-de-correcao", "email", "reenviar", "resolver"}),
        ("financeiro", {"email", "reenviar"}),
        ("suporte", {"email", "avisar"}),
    ],
)
def test_each_role_acts_as_the_matrix_says(account, other_account, company, role, allowed):
    body = {"payload": {"a": 1}}
    done = row(company, 1, state=State.AUTORIZADO, protocolo="1", **body)
    refused = row(company, 2, **body)
    disputed = row(company, 3, state=State.CONFLITO, **body)
    places = {"reenviar": refused, "resolver": disputed}
    slugs = ("cancelar", "carta-de-correcao", "email", "reenviar", "resolver", "avisar")
    client = client_of(account, role)

    for slug in slugs:
        path = url("act", places.get(slug, done).pk, slug)
        assert client.get(path).status_code == (200 if slug in allowed else 403), slug
        if slug not in allowed:
            assert client.post(path, {"idempotency_key": "k", "situacao": "x"}).status_code == 403
        assert client_of(other_account, "admin").get(path).status_code == 404
        assert client_of(other_account, "admin").post(path, {}).status_code == 404


# --- many at once, and what waits ---------------------------------------------------------------


def test_a_batch_is_confirmed_with_its_count_sum_and_what_is_left_out(staff, company):
    from django_q.models import OrmQ

    waiting = [row(company, n, state=State.INDEFINIDO, total="10.00") for n in (1, 2)]
    done = row(company, 3)
    chosen = {"action": "nudge_chosen", "_selected_action": [r.pk for r in (*waiting, done)]}

    asked = staff.post(url("changelist"), chosen)
    queued_before = OrmQ.objects.count()
    confirmed = staff.post(url("changelist"), {**chosen, "confirmado": "1"})

    text = asked.content.decode()
    assert "2 documento(s), R$\xa020,00" in text
    assert "1 fica de fora" in text
    assert queued_before == 0
    assert OrmQ.objects.count() == 2
    assert "2 documento(s) na fila" in said(confirmed)
    client_of(company.account, "suporte").post(url("changelist"), {**chosen, "confirmado": "1"})
    assert OrmQ.objects.count() == 2


def test_the_queue_says_why_documents_do_not_leave_and_lets_a_stopped_company_go_on(
    staff, account, company, authority
):
    authority.next("authorize", says("203", "Emissor nao habilitado"))
    issued(company)
    held = issued(company, "r2")
    held.refresh_from_db(fields=["next_attempt_at"])
    later = held.next_attempt_at
    text = staff.get(url("queue")).content.decode()
    support = client_of(account, "suporte")

    refused = support.post(url("queue"), {"empresa": company.pk})
    answer = staff.post(url("queue"), {"empresa": company.pk})
    for bad in ("", "x", "99999999", "1" * 30):
        assert staff.post(url("queue"), {"empresa": bad}).status_code == 403

    assert "Empresa parada" in text
    assert "liberar a fila" in text
    assert refused.status_code == 403
    assert "fila liberada, 1 documento(s)" in said(answer)
    assert fresh(held).next_attempt_at < later
    assert "Empresa parada" not in staff.get(url("queue")).content.decode()
    assert AuditEvent.objects.filter(action="empresa.fila_liberada").count() == 1


def test_the_queue_tells_of_certificates_656_and_silent_authorities(staff, company):
    from fiscal.models import AuthorityStatus, Certificate

    now = clock.now()
    Certificate.objects.all().delete()
    certify(company, begins=-400, ends=-1)
    row(company, 1, state=State.ASSINADO, next_attempt_at=now)
    Consumption.objects.create(
        base=company.cnpj[:8], ambiente="homologacao", service="autorizacao", window_start=now,
        blocked_until=now + timedelta(hours=1),
    )  # fmt: skip
    AuthorityStatus.objects.create(
        authority="SP", uf="", modelo=55, ambiente="homologacao", n_failures=5, open_until=now,
        failing_since=now,
    )  # fmt: skip

    text = staff.get(url("queue")).content.decode()

    for part in ("Certificado vencido", "Consumo indevido (656)", "SEFAZ fora do ar"):
        assert part in text, part
    assert staff.get(url("change", FiscalDocument.objects.get().pk)).status_code == 200


def test_the_queue_of_nobody_is_empty_and_of_others_out_of_sight(staff, other_account):
    foreign = FiscalCompanyFactory(account=other_account, cnpj="44555666000145")
    row(foreign, 1, state=State.INDEFINIDO, next_attempt_at=clock.now())
    row(foreign, 2, state=State.CONFLITO)

    text = staff.get(url("queue")).content.decode()
    operator = Client()
    operator.force_login(UserFactory(is_superuser=True))

    assert "A fila está vazia" in text
    assert foreign.nome not in text
    assert foreign.nome in operator.get(url("queue")).content.decode()


def test_a_notice_is_on_the_timeline_of_its_document(staff, company):
    from fiscal.models import FiscalHook

    document = row(company, 1)
    hook = FiscalHook.objects.create(
        account=company.account, company=company, public_id="h1", event="nfe",
        url="https://erp.exemplo.com.br/", created_at=clock.now(),
    )  # fmt: skip
    HookNotice.objects.create(
        account=company.account, hook=hook, document=document, last_status=500, tries=2,
        next_attempt_at=clock.now(), created_at=clock.now(),
    )  # fmt: skip

    text = page(staff, document)

    assert "https://erp.exemplo.com.br/" in text
    assert "HTTP 500" in text
