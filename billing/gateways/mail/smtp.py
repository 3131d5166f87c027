"""The installation's mail server (EMAIL_*), through Django."""

from __future__ import annotations

import re
from email.utils import parseaddr

from django.core.mail import EmailMultiAlternatives, get_connection

from billing.gateways.mail.base import Letter, NotNow, Refused, Taken, Unknown
from lib.mail import NotDelivered, hand_over

_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,100}")


class Smtp:
    """A mail server keeps no list of what it took, so there is nothing to be asked."""

    can_ask = False

    def send(self, letter: Letter) -> Taken:
        message = _message(letter)
        try:
            hand_over(message, get_connection())
        except NotDelivered as error:
            if error.is_unknown:
                raise Unknown(str(error)) from error
            if error.is_final:
                raise Refused(str(error), is_bounce=error.is_bounce) from error
            raise NotNow(str(error)) from error
        return Taken(str(message.extra_headers["Message-ID"]), "aceito pelo servidor de e-mail")

    def find(self, reference: str) -> Taken | None:
        raise NotNow("o servidor de e-mail não diz o que já enviou")


def _message(letter: Letter) -> EmailMultiAlternatives:
    """The same letter always has the same Message-ID."""
    domain = parseaddr(letter.sender)[1].rpartition("@")[2]
    domain = domain if _DOMAIN.fullmatch(domain) else "localhost"
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        from_email=letter.sender,
        to=[letter.recipient],
        reply_to=[letter.reply_to] if letter.reply_to else [],
        headers={
            "Message-ID": f"<{letter.reference}@{domain}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(letter.html, "text/html")
    for file in letter.files:
        message.attach(file.name, file.content, file.content_type)
    return message
