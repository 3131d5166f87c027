"""One message to one mail server: the company's own (`smtp_*`) or the installation's (§16)."""

from __future__ import annotations

import re
from email.utils import formataddr
from typing import Any, cast

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from fiscal.models import Company
from fiscal.services.companies import opened, option
from lib.crypto import Unreadable
from lib.mail import ChosenServer, Mechanism, NotDelivered, Security, Server, hand_over

_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,100}")
_PORTS = {"tls": 465, "starttls": 587, "": 25}


def deliver(message: EmailMultiAlternatives, company: Company) -> None:
    """Hand the message over. Network: never inside a transaction. Raises NotDelivered."""
    message.from_email = sender_of(company)
    try:
        connection = _connection(company)
    except Unreadable as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error
    hand_over(message, connection)


def _connection(company: Company) -> BaseEmailBackend:
    server = server_of(company)
    if server is not None:
        allow_private = settings.SMTP_ALLOW_PRIVATE
        return ChosenServer(server, timeout=settings.EMAIL_TIMEOUT, allow_private=allow_private)
    if settings.EMAIL_BACKEND == _SMTP and not settings.EMAIL_HOST:
        raise NotDelivered("nenhum servidor de e-mail está configurado", is_final=True)
    return cast("BaseEmailBackend", get_connection())


def server_of(company: Company) -> Server | None:
    """The company's own mail server, None without one. Raises Unreadable for its password."""

    def text(name: str) -> str:
        return str(option(company, name) or "")

    if not text("smtp_endereco"):
        return None
    security = _security(company)
    closed = company.closed.get("smtp_senha", "")
    return Server(
        host=text("smtp_endereco"),
        port=int(option(company, "smtp_porta") or _PORTS[security]),
        helo=text("smtp_dominio"),
        user=text("smtp_login"),
        password=opened(closed) if closed else "",
        security=security,
        mechanism=cast("Mechanism", text("smtp_autenticacao")),
        is_verified=text("smtp_modo_verificacao_openssl") != "none",
    )


def _security(company: Company) -> Security:
    """`smtp_ssl` and `smtp_tls` are both TLS from the first byte; starttls comes after it."""
    if option(company, "smtp_ssl") or option(company, "smtp_tls"):
        return "tls"
    return "starttls" if option(company, "smtp_habilita_starttlls") else ""


def sender_of(company: Company) -> str:
    """From: the company's name, at its own address or at the installation's."""
    name = " ".join((company.nome_fantasia or company.nome).split())
    return formataddr((name, _address_of(company)))


def _address_of(company: Company) -> str:
    if not option(company, "smtp_endereco"):
        return str(settings.DEFAULT_FROM_EMAIL)
    login: Any = option(company, "smtp_login") or ""
    named = option(company, "smtp_remetente") or (login if "@" in login else company.email)
    return str(named or settings.DEFAULT_FROM_EMAIL)


def reply_to(company: Company) -> str:
    """Where answers go, "" when nowhere else than to the sender."""
    return str(option(company, "smtp_responder_para") or company.email or "")


def domain_of(company: Company) -> str:
    """The right side of Message-IDs."""
    domain = _address_of(company).rpartition("@")[2].strip(">")
    return domain if _DOMAIN.fullmatch(domain) else "localhost"
