"""E-mail of documents and blocked addresses (fiscal-api §2.10, §16)."""

from __future__ import annotations

import re
import ssl
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.db import transaction
from django_q.models import OrmQ
from support.certificates import authority as make_test_authority
from support.foreign_notes import foreign_nfe
from support.issuing import nfce_body, nfe_body
from support.mailbox import mail_server
from support.v2 import fiscal_token, v2

from accounts.models import AuditEvent
from fiscal.models import BlockedEmail, Company, FiscalDocument, MailMessage
from fiscal.services import mail_sending, notices, printing
from fiscal.services.companies import closed
from fiscal.services.delivery import advance
from fiscal.services.events import register_cancellation
from fiscal.tasks import send_mail, sweep_deliveries
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
BUYER = "comprador@exemplo.test"


@pytest.fixture(autouse=True)
def _quick_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prints are tested by themselves; rendering takes a second."""
    for name in ("danfe_pdf", "danfce_pdf", "cce_pdf"):
        monkeypatch.setattr(printing, name, lambda *_, **__: b"%PDF-")


@pytest.fixture
def told(company: Company) -> Company:
    """The company, with e-mail in homologação."""
    Company.objects.update(enviar_email_homologacao=True)
    company.refresh_from_db()
    return company


def issued(client: Any, ref: str = "n", **fields: Any) -> FiscalDocument:
    client.post("nfe", nfe_body(**{"email_destinatario": BUYER, **fields}), ref=ref)
    advance(FiscalDocument.objects.get(ref=ref).pk)
    document = FiscalDocument.objects.get(ref=ref)
    assert document.state == "autorizado"
    return document


def work_off() -> None:
    """Do what the queue holds for the mail, whatever the time."""
    for pk, n in MailMessage.objects.filter(state="pendente").values_list("pk", "n_attempts"):
        send_mail(pk, n)


def use_server(company: Company, port: int, **options: Any) -> None:
    company.options = {
        **company.options,
        "smtp_endereco": "127.0.0.1",
        "smtp_porta": port,
        "smtp_remetente": "notas@emitente.test",
        **options,
    }
    company.closed = {"smtp_senha": closed("segredo")}
    company.save()


# --- automatic ---------------------------------------------------------------------------------


def test_the_buyer_gets_the_authorized_document(told, authority, nfe):
    document = issued(nfe)

    work_off()

    [message] = outbox.outbox
    assert message.to == [BUYER]
    assert message.subject == f"[SEM VALOR FISCAL] NF-e nº 1 de {told.nome_fantasia}"
    assert document.chave in message.body
    assert "R$\xa020,00" in message.body or "R$ 20,00" in message.body
    files = {name: content for name, content, _ in message.attachments}
    assert list(files) == [f"{document.chave}-nfe.xml", f"{document.chave}.pdf"]
    assert "<nfeProc" in str(files[f"{document.chave}-nfe.xml"])
    row = MailMessage.objects.get()
    assert (row.state, row.n_attempts, row.next_attempt_at) == ("enviado", 1, None)
    assert message.extra_headers["Message-ID"] == row.message_id


def test_nothing_is_sent_where_the_company_turned_it_off(company, authority, nfe):
    issued(nfe)

    assert not MailMessage.objects.exists()


def test_each_environment_has_its_own_switch(company, authority, nfe_token_producao):
    Company.objects.update(enviar_email_homologacao=True, enviar_email_destinatario=False)
    client = v2(nfe_token_producao)
    issued(client, "um")
    assert not MailMessage.objects.exists()
    Company.objects.update(enviar_email_homologacao=False, enviar_email_destinatario=True)

    issued(client, "dois")

    assert MailMessage.objects.get().document.ref == "dois"


def test_a_refused_document_is_told_to_nobody(told, authority, nfe):
    document = issued(nfe)
    MailMessage.objects.all().delete()

    notices.announce(document, "erro_autorizacao")

    assert not MailMessage.objects.exists()


def test_a_decision_recorded_twice_is_told_once(told, authority, nfe):
    document = issued(nfe)

    notices.announce(document, "autorizado")
    work_off()
    notices.announce(document, "autorizado")
    work_off()

    assert len(outbox.outbox) == 1


def test_the_message_is_written_with_the_decision(told, authority, nfe):
    """Outbox: a decision that is rolled back leaves no message and no task."""
    document = issued(nfe)
    MailMessage.objects.all().delete()
    OrmQ.objects.all().delete()
    with transaction.atomic():
        notices.announce(document, "autorizado")
        assert MailMessage.objects.exists()
        transaction.set_rollback(True)

    assert not MailMessage.objects.exists()
    assert not OrmQ.objects.exists()


def test_a_cancellation_brings_its_event(told, sandbox, nfe):
    document = issued(nfe)
    work_off()
    register_cancellation(document.pk, "Pedido feito em duplicidade")
    work_off()

    message = outbox.outbox[-1]
    assert message.subject.endswith("cancelada")
    assert [name.removeprefix(document.chave) for name, *_ in message.attachments] == [
        "-nfe.xml", ".pdf", "-can.xml",
    ]  # fmt: skip


def test_a_carta_de_correcao_brings_its_event_and_its_print(told, sandbox, nfe):
    document = issued(nfe)
    work_off()
    correction = {"correcao": "Onde se le entrega em dez dias, leia-se cinco."}
    assert nfe.post("nfe/n/carta_correcao", correction).json()["status"] == "autorizado"
    work_off()

    message = outbox.outbox[-1]
    assert "Carta de correção da NF-e nº 1" in message.subject
    assert [name.removeprefix(document.chave) for name, *_ in message.attachments] == [
        "-nfe.xml", ".pdf", "-cce-01.xml", "-cce-1.pdf",
    ]  # fmt: skip
    assert MailMessage.objects.filter(cause="carta_correcao-1").count() == 1


def test_several_addresses_in_one_field_and_blanks(told, authority, nfe):
    issued(nfe, email_destinatario="a@exemplo.test; B@exemplo.test,a@exemplo.test")

    rows = MailMessage.objects.order_by("pk").values_list("recipient", flat=True)

    assert list(rows) == ["a@exemplo.test", "B@exemplo.test"]


def test_a_consumer_is_told_of_the_authorization_only(told, authority, nfe):
    nfe.post("nfce", nfce_body(), ref="c")
    document = FiscalDocument.objects.get(ref="c")
    document.recipient_email = BUYER

    for event in ("autorizado", "cancelado", "carta_correcao"):
        notices.announce(document, event)

    assert [row.kind for row in MailMessage.objects.all()] == ["autorizado"]


# --- asked for ---------------------------------------------------------------------------------


def test_send_again_to_ten_addresses(company, authority, nfe):
    document = issued(nfe)
    emails = [f"p{n}@exemplo.test" for n in range(10)]

    answer = nfe.post("nfe/n/email", {"emails": emails})

    assert answer.status_code == 200
    assert answer.json()["emails"] == emails
    assert len(outbox.outbox) == 0  # in the background
    work_off()
    assert sorted(message.to[0] for message in outbox.outbox) == sorted(emails)
    assert all(message.attachments[0][0].startswith(document.chave) for message in outbox.outbox)


def test_an_imported_document_and_an_nfce_can_be_sent(company, authority, nfe):
    nfe.call("POST", "nfe/importacao", foreign_nfe(company, numero=8).proc, ref="velha")
    nfe.post("nfce", nfce_body(), ref="c")

    for path in ("nfe/velha/email", "nfce/c/email"):
        assert nfe.post(path, {"emails": [BUYER]}).status_code == 200
    work_off()

    assert len(outbox.outbox) == 2


@pytest.mark.parametrize(
    "emails",
    [
        None, [], "a@b.test", {"a": 1}, [1], ["sem-arroba"], ["a@b.test\nBcc: x@y.test"],
        [f"{n}@exemplo.test" for n in range(11)], ["a" * 300 + "@exemplo.test"],
    ],
)  # fmt: skip
def test_lists_that_are_refused(company, authority, nfe, emails):
    issued(nfe)

    answer = nfe.post("nfe/n/email", {"emails": emails})

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert not MailMessage.objects.exists()


def test_what_is_not_authorized_is_not_sent(company, nfe):
    nfe.post("nfe", nfe_body(), ref="n")

    answer = nfe.post("nfe/n/email", {"emails": [BUYER]})

    assert (answer.status_code, answer.json()["codigo"]) == (422, "nfe_nao_autorizada")
    missing = nfe.post("nfe/outra/email", {"emails": [BUYER]})
    assert (missing.status_code, missing.json()["codigo"]) == (404, "nao_encontrado")
    assert nfe.post("nfce/n/email", {"emails": [BUYER]}).json()["codigo"] == "nfce_nao_encontrada"


def test_the_document_of_another_tenant(company, other_account, authority, nfe):
    from factories import FiscalCompanyFactory

    issued(nfe)
    stranger = v2(fiscal_token(FiscalCompanyFactory(account=other_account)))

    assert stranger.post("nfe/n/email", {"emails": [BUYER]}).status_code == 404
    assert not MailMessage.objects.exists()


# --- the wire ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_the_companys_own_server(told, authority, nfe, settings, mechanism):
    settings.SMTP_ALLOW_PRIVATE = True
    with mail_server() as box:
        use_server(
            told, box.port, smtp_login="usuario", smtp_dominio="erp.emitente.test",
            smtp_autenticacao=mechanism, smtp_responder_para="vendas@emitente.test",
        )  # fmt: skip
        document = issued(nfe)
        work_off()

    [message] = box.messages
    row = MailMessage.objects.get()
    assert row.state == "enviado"
    assert set(box.helos) == {"erp.emitente.test"}
    assert box.logins == [(mechanism.upper(), "usuario", "segredo")]
    assert box.senders[0].startswith("FROM:<notas@emitente.test>")
    assert message["From"].addresses[0].addr_spec == "notas@emitente.test"
    assert message["Reply-To"] == "vendas@emitente.test"
    assert message["Message-ID"] == row.message_id
    assert re.fullmatch(r"<autorizado\.[0-9a-f]{32}@emitente\.test>", row.message_id)
    files = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    assert files[f"{document.chave}.pdf"] == b"%PDF-"
    assert document.chave.encode() in files[f"{document.chave}-nfe.xml"]
    assert outbox.outbox == []


@pytest.mark.parametrize(
    ("tls", "options", "outcome"),
    [
        ("", {"smtp_autenticacao": "cram_md5"}, "CRAM-MD5"),
        ("starttls", {"smtp_habilita_starttls": True}, "CRAM-MD5"),
        ("tls", {"smtp_ssl": True}, "CRAM-MD5"),
        ("tls", {"smtp_tls": True}, "CRAM-MD5"),
        ("tls", {"smtp_ssl": True, "smtp_modo_verificacao_openssl": "peer"}, None),
        ("starttls", {"smtp_habilita_starttls": True, "smtp_modo_verificacao_openssl": ""}, None),
    ],
    ids=["cram_md5", "starttls", "ssl", "tls", "peer", "peer by default"],
)
def test_the_companys_own_server_as_its_record_describes_it(
    told, authority, nfe, master, settings, tls, options, outcome
):
    """§14.2 through the API; the server's certificate is one that nobody knows."""
    settings.SMTP_ALLOW_PRIVATE = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_test_authority().server())
    with mail_server(tls, context) as box:
        body = {
            "smtp_endereco": "127.0.0.1", "smtp_porta": str(box.port), "smtp_login": "usuario",
            "smtp_senha": "segredo", "smtp_modo_verificacao_openssl": "none", **options,
        }  # fmt: skip
        assert master.put(f"empresas/{told.pk}", body).status_code == 200
        issued(nfe)
        work_off()

    row = MailMessage.objects.get()
    if outcome:
        assert (row.state, len(box.messages)) == ("enviado", 1)
        assert [(how, user) for how, user, _ in box.logins] == [(outcome, "usuario")]
    else:
        assert (row.state, box.messages, box.logins) == ("pendente", [], [])
        assert "CERTIFICATE_VERIFY_FAILED" in row.last_error


def test_a_server_inside_our_network_is_not_called(told, authority, nfe):
    with mail_server() as box:
        use_server(told, box.port)
        issued(nfe)
        work_off()

    assert box.helos == []
    row = MailMessage.objects.get()
    assert (row.state, row.last_error) == (
        "falhou",
        "o endereço do servidor de e-mail não é público",
    )


def test_a_server_without_tls_is_refused_where_tls_was_asked_for(told, authority, nfe, settings):
    settings.SMTP_ALLOW_PRIVATE = True
    with mail_server() as box:
        use_server(told, box.port, smtp_habilita_starttlls=True, smtp_login="usuario")
        issued(nfe)
        work_off()

    assert box.logins == []
    assert MailMessage.objects.get().state == "pendente"


def test_a_lost_message_is_tried_again_later_and_stays_the_same(
    told, authority, nfe, settings, at_moment
):
    settings.SMTP_ALLOW_PRIVATE = True
    with mail_server() as box:
        box.refusals = ["451 4.3.0 tente mais tarde"]
        use_server(told, box.port)
        issued(nfe)
        work_off()
        row = MailMessage.objects.get()
        assert (row.state, row.n_attempts) == ("pendente", 1)
        assert "451" in row.last_error
        now = clock.now()
        assert timedelta(seconds=30) < row.next_attempt_at - now < timedelta(minutes=2)
        OrmQ.objects.all().delete()
        assert sweep_deliveries() == 0  # not yet

        at_moment(now + timedelta(minutes=3))
        assert sweep_deliveries() == 1
        assert sweep_deliveries() == 0  # it is in the queue already
        [task] = [entry.task for entry in OrmQ.objects.all()]
        assert task["args"] == (row.pk, 1)
        send_mail(*task["args"])
        send_mail(*task["args"])  # the queue delivers twice

    assert len(box.messages) == 1
    assert box.messages[0]["Message-ID"] == row.message_id
    assert MailMessage.objects.get().state == "enviado"


def test_pauses_grow_and_end(told, authority, nfe, settings, at_moment):
    settings.SMTP_ALLOW_PRIVATE = True
    use_server(told, 1)  # nobody listens there
    issued(nfe)
    pauses = []
    for _ in range(len(mail_sending.PAUSES)):
        now = clock.now()
        work_off()
        row = MailMessage.objects.get()
        assert row.state == "pendente"
        pauses.append(round((row.next_attempt_at - now).total_seconds() / 60))
        at_moment(row.next_attempt_at)
    work_off()

    assert pauses == [1, 5, 15, 60, 240, 720, 1440]
    row = MailMessage.objects.get()
    assert (row.state, row.next_attempt_at) == ("falhou", None)
    assert "Refused" in row.last_error


def test_an_unknown_address_is_blocked(told, authority, nfe, settings):
    settings.SMTP_ALLOW_PRIVATE = True
    with mail_server() as box:
        box.refusals = ["550 5.1.1 usuario desconhecido"]
        use_server(told, box.port)
        issued(nfe)
        work_off()

    assert MailMessage.objects.get().state == "falhou"
    body = nfe.get(f"blocked_emails/{BUYER.upper()}").json()
    assert body | {"blocked_at": ""} == {
        "email": BUYER,
        "block_type": "bounce",
        "bounce_type": "permanent",
        "diagnostic_code": "destinatário recusado: 550 5.1.1 usuario desconhecido",
        "blocked_at": "",
    }


def test_a_refusal_for_reputation_blocks_nobody(told, authority, nfe, settings):
    settings.SMTP_ALLOW_PRIVATE = True
    with mail_server() as box:
        box.refusals = ["550 5.7.1 remetente em lista negra"]
        use_server(told, box.port)
        issued(nfe)
        work_off()

    assert MailMessage.objects.get().state == "falhou"
    assert not BlockedEmail.objects.exists()


def test_a_wrong_password_is_tried_again(told, authority, nfe, settings):
    settings.SMTP_ALLOW_PRIVATE = True
    with mail_server() as box:
        use_server(told, box.port, smtp_login="usuario", smtp_autenticacao="plain")
        told.closed = {"smtp_senha": closed("errada")}
        told.save()
        issued(nfe)
        work_off()

    row = MailMessage.objects.get()
    assert row.state == "pendente"
    assert "errada" not in row.last_error.replace("senha errada", "")
    assert "535" in row.last_error


def test_an_installation_without_a_mail_server_says_so(told, authority, nfe, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = ""
    issued(nfe)

    work_off()

    assert "nenhum servidor" in MailMessage.objects.get().last_error


# --- blocked addresses -------------------------------------------------------------------------


@pytest.fixture
def blocked(account: Any) -> BlockedEmail:
    made: BlockedEmail = BlockedEmail.objects.create(
        account=account, email=BUYER, block_type="bounce", bounce_type="transient",
        diagnostic_code="452 cheia", blocked_at=clock.now(),
    )  # fmt: skip
    return made


def test_messages_to_a_blocked_address_are_skipped_silently(told, authority, nfe, blocked):
    issued(nfe)

    answer = nfe.post("nfe/n/email", {"emails": [BUYER.title(), "outra@exemplo.test"]})
    work_off()

    assert answer.status_code == 200
    assert [message.to for message in outbox.outbox] == [["outra@exemplo.test"]]
    states = MailMessage.objects.exclude(recipient="outra@exemplo.test")
    assert {row.state for row in states} == {"ignorado"}


def test_the_list_is_the_accounts_in_both_environments(
    company, other_account, nfe, master, nfe_token_producao, blocked
):
    from factories import FiscalCompanyFactory

    for client in (nfe, master, v2(nfe_token_producao)):
        assert client.get(f"blocked_emails/{BUYER}").status_code == 200
    stranger = v2(fiscal_token(FiscalCompanyFactory(account=other_account)))
    for call in (stranger.get, stranger.delete):
        answer = call(f"blocked_emails/{BUYER}")
        assert (answer.status_code, answer.json()["codigo"]) == (404, "nao_encontrado")
    assert BlockedEmail.objects.count() == 1


def test_a_blocked_address_can_be_freed(nfe, blocked):
    assert nfe.delete(f"blocked_emails/{BUYER}").status_code == 200
    assert nfe.delete(f"blocked_emails/{BUYER}").status_code == 404
    assert nfe.get(f"blocked_emails/{BUYER}").status_code == 404
    assert AuditEvent.objects.filter(action="email.desbloqueado").count() == 1


def test_after_a_complaint_it_stays_blocked(nfe, blocked):
    BlockedEmail.objects.update(block_type="complaint", bounce_type="")

    answer = nfe.delete(f"blocked_emails/{BUYER}")

    assert (answer.status_code, answer.json()["codigo"]) == (422, "requisicao_invalida")
    assert "bounce_type" not in nfe.get(f"blocked_emails/{BUYER}").json()
