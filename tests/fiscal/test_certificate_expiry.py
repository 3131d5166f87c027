"""Who is told that a certificate ends, and how often (CRT-5)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.db import connection
from django_q.models import OrmQ
from factories import FiscalCompanyFactory
from support.certificates import certify

from accounts.models import AuditEvent, Membership, User
from fiscal.models import Certificate, MailMessage
from fiscal.services import certificate_expiry
from fiscal.services.certificate_expiry import warn_expiring
from fiscal.tasks import send_mail, warn_certificates

pytestmark = pytest.mark.django_db
DAYS = (70, 60, 60, 45, 30, 29, 15, 8, 7, 4, 3, 2, 1, 0)


@pytest.fixture
def expiring(company: Any) -> Certificate:
    """The company's one certificate ends in 20 days."""
    Certificate.objects.all().delete()
    return certify(company, ends=20)


@pytest.fixture
def people(account: Any, other_account: Any) -> None:
    """Staff of both accounts; only some may send certificates."""
    for name, role, where, is_active in (
        ("fiscal", Membership.Role.FISCAL, account, True),
        ("admin", Membership.Role.ADMIN, account, True),
        ("suporte", Membership.Role.SUPORTE, account, True),
        ("saiu", Membership.Role.FISCAL, account, False),
        ("vizinho", Membership.Role.ADMIN, other_account, True),
    ):
        user = User.objects.create_user(f"{name}@exemplo.test", is_active=is_active)
        Membership.objects.create(user=user, account=where, role=role)


def deliver() -> list[Any]:
    """Send what waits; the messages that went out."""
    del outbox.outbox[:]
    for pk, n in MailMessage.objects.filter(state="pendente").values_list("pk", "n_attempts"):
        send_mail(pk, n)
    return outbox.outbox


def test_each_warning_is_told_once_to_the_trail_and_by_mail(company, expiring, people):
    """60, 30, 15, 7, 3 and 1 days before the end; a task may run as often as it likes."""
    type(company).objects.update(email="Contato@Aurora.test")
    end = expiring.not_after

    told = [days for days in DAYS if warn_expiring(at=end - timedelta(days=days))]

    assert told == [60, 30, 15, 7, 3, 1]
    events = AuditEvent.objects.filter(action="certificado.vencendo")
    assert events.count() == 6
    assert events.first().after["certificado"] == expiring.pk
    rows = MailMessage.objects.filter(kind="certificado")
    assert set(rows.values_list("recipient", flat=True)) == {
        "contato@aurora.test", "fiscal@exemplo.test", "admin@exemplo.test",
    }  # fmt: skip
    assert rows.count() == 6 * 3
    assert OrmQ.objects.count() == 6 * 3


def test_the_mail_names_the_companies_the_day_and_what_to_do(
    company, expiring, people, at_moment, settings
):
    branch = FiscalCompanyFactory(account=company.account, cnpj="11222333000262", nome="Filial <b>")
    certify(branch, ends=20)
    Certificate.objects.update(thumbprint=expiring.thumbprint)  # one certificate for both
    type(company).objects.update(email="")
    at_moment(expiring.not_after - timedelta(days=6, hours=1))

    assert warn_certificates() == 2

    messages = deliver()
    assert {one.to[0] for one in messages} == {"fiscal@exemplo.test", "admin@exemplo.test"}
    assert len(messages) == 2
    text, page = messages[0].body, messages[0].alternatives[0].content
    assert messages[0].subject == f"Certificado digital de {company.nome} a vencer: envie um novo"
    for shown in (company.nome, "11.222.333/0002-62", "vence em 7 dias"):
        assert shown in text
        assert shown in page
    assert "Filial <b>" in text
    assert "Filial &lt;b&gt;" in page
    assert "PRIVATE" not in str(messages[0].message())
    assert not messages[0].attachments
    assert MailMessage.objects.filter(state="enviado").count() == 2


def test_a_missed_night_is_made_up_for_once(expiring):
    end = expiring.not_after

    assert warn_expiring(at=end - timedelta(days=5)) == 1
    assert Certificate.objects.get().warned_days == 7
    assert warn_expiring(at=end - timedelta(days=5)) == 0


def test_a_renewed_or_removed_certificate_is_no_matter(company, expiring, people, at_moment):
    moment = expiring.not_after - timedelta(days=7)
    warn_expiring(at=moment)
    Certificate.objects.all().delete()
    assert deliver() == []
    assert set(MailMessage.objects.values_list("state", flat=True)) == {"falhou"}
    old, _ = certify(company, ends=20), certify(company, ends=700)

    assert warn_expiring(at=old.not_after - timedelta(days=7)) == 0


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_tell_once(company, expiring, people, monkeypatch):
    """Both have seen that the warning is due before either has written it."""
    if connection.vendor != "postgresql":
        pytest.skip("the embedded database has one writer")
    both = threading.Barrier(2, timeout=10)
    due = certificate_expiry.days_to_tell

    def waits(certificate: Certificate, *, at: Any) -> int | None:
        both.wait()
        return due(certificate, at=at)

    monkeypatch.setattr(certificate_expiry, "days_to_tell", waits)
    counts: list[int] = []

    def run() -> None:
        try:
            counts.append(warn_expiring(at=expiring.not_after - timedelta(days=7)))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(counts) == [0, 1]
    recipients = list(MailMessage.objects.values_list("recipient", flat=True))
    assert len(recipients) == len(set(recipients)) == 2
