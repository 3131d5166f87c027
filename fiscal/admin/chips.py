"""States as chips: an icon and a word (ux §1.2)."""

from __future__ import annotations

from accounts.admin_display import Tone, chip
from fiscal.authorities.cstat import Class, classify
from fiscal.models import Attempt, EventState, FiscalDocument, State, VoidState

_TONES: dict[str, tuple[Tone, str]] = {
    State.AUTORIZADO: ("success", "check"),
    State.CONTINGENCIA: ("warning", "clock"),
    State.REJEITADO: ("danger", "alert"),
    State.DENEGADO: ("danger", "stop"),
    State.CONFLITO: ("danger", "alert"),
    State.INDEFINIDO: ("warning", "alert"),
    State.CANCELADO: ("neutral", "stop"),
    State.INUTILIZADO: ("neutral", "stop"),
    EventState.REGISTRADO: ("success", "check"),
    VoidState.HOMOLOGADA: ("success", "check"),
    VoidState.REJEITADA: ("danger", "alert"),
    VoidState.INDEFINIDA: ("warning", "alert"),
    Attempt.Outcome.OPEN: ("info", "clock"),
    Attempt.Outcome.NOT_SENT: ("warning", "alert"),
    Attempt.Outcome.LOST: ("warning", "alert"),
    Attempt.Outcome.NOT_PROCESSED: ("neutral", "back"),
}
GOOD = (Class.AUTHORIZED, Class.EVENT_REGISTERED, Class.VOIDED, Class.EPEC_REGISTERED)
_BAD = (Class.REJECTED, Class.EVENT_REJECTED, Class.DENIED, Class.CONFIG_ERROR, Class.BLOCKED)


def state_chip(state: str, label: str) -> str:
    return chip(*_TONES.get(state, ("info", "clock")), label)


def document_chips(document: FiscalDocument) -> list[str]:
    """The state, and what else is worth a chip."""
    chips = [state_chip(document.state, document.get_state_display())]
    if document.is_offline and not document.is_effected and document.state != State.CONTINGENCIA:
        chips.append(chip("warning", "clock", "Contingência a efetivar"))
    if document.superseded_by_id:
        chips.append(chip("neutral", "back", "Substituído"))
    return chips


def attempt_chip(attempt: Attempt) -> str:
    """What came of a call: its code where there is one, its fate where there is none."""
    if attempt.outcome != Attempt.Outcome.ANSWERED:
        return state_chip(attempt.outcome, attempt.get_outcome_display())
    kind = classify(attempt.c_stat or "0", in_event=attempt.kind == Attempt.Kind.EVENT)
    tone: Tone = "success" if kind in GOOD else "danger" if kind in _BAD else "info"
    icon = {"success": "check", "danger": "alert"}.get(tone, "dot")
    return chip(tone, icon, f"Respondida: {attempt.c_stat}" if attempt.c_stat else "Respondida")
