"""From an invoice to the body of its service note."""

from __future__ import annotations

from datetime import datetime

from billing.models import NfseTemplate
from billing.services.note_municipal import municipal
from billing.services.note_national import national
from billing.services.note_source import Body, Source, filled, local_moment


def body_of(source: Source, *, now: datetime) -> Body:
    """The body for the template's kind of service note. `now` is a moment; amounts are text."""
    make = municipal if source.template.tipo_nota == NfseTemplate.Tipo.NFSE else national
    return filled(make(source, local_moment(source, now)))
