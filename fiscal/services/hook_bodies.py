"""What gatilhos are told: the answers of the API's own queries (fiscal-api §13.3)."""

from __future__ import annotations

from typing import Any

from fiscal.api import inutilizacoes
from fiscal.api.service_common import shown as note_shown
from fiscal.api.shown import shown
from fiscal.models import HookNotice
from fiscal.selectors.voids import months_of
from fiscal.services.hook_events import live_of
from fiscal.services.received.bodies import told_of_received
from fiscal.services.void_sending import file_name


def body_of(notice: HookNotice) -> dict[str, Any]:
    """The present state of what the notice is about."""
    if notice.document is not None:
        return shown(live_of(notice.document))
    if notice.service_note is not None:
        return note_shown(notice.service_note)
    if (told := told_of_received(notice)) is not None:
        return told
    void = notice.inutilizacao
    assert void is not None  # a constraint of the row
    return dict(inutilizacoes.shown(void, months_of(void.company, [file_name(void)])))
