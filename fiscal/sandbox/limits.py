"""Consumption limits (guide §8.6): who asks the same thing too often gets 656."""

from __future__ import annotations

from fiscal.sandbox.world import Call, Refused

HOUR = 3600.0
SAME_REJECTED = 30
SAME_EVENT_REFUSED = 20
SAME_VOIDING_REFUSED = 20
QUERIES_OF_KEY = 10
POLLS_OF_RECEIPT = 40
SINGLE_FETCHES = 20


def _who(call: Call) -> str:
    document = call.sender.document if call.sender else ""
    return f"{call.ambiente} {call.authority} {document[:8]}"


def count(call: Call, subject: str, most: int) -> None:
    """Count one use of a subject in the last hour; Refused 656 past `most`."""
    if uses(call, subject) >= most:
        raise Refused(656)
    note(call, subject)


def note(call: Call, subject: str) -> None:
    """Remember one use."""
    now = call.now.timestamp()
    call.world.store.insert("consumo", assunto=f"{_who(call)} {subject}", momento=now)


def uses(call: Call, subject: str) -> int:
    """How often in the last hour."""
    row = call.world.store.one(
        "SELECT count(*) AS n FROM consumo WHERE assunto = ? AND momento > ?",
        f"{_who(call)} {subject}",
        call.now.timestamp() - HOUR,
    )
    return int(row["n"]) if row else 0


def block(call: Call, subject: str, seconds: float = HOUR) -> None:
    """Answer 656 about the subject for so long."""
    call.world.store.run(
        "INSERT OR REPLACE INTO bloqueios VALUES (?, ?)",
        f"{_who(call)} {subject}",
        call.later(seconds),
    )


def check(call: Call, subject: str) -> None:
    """Refused 656 while the subject is blocked."""
    if is_blocked(call, subject):
        raise Refused(656)


def is_blocked(call: Call, subject: str) -> bool:
    """Whether it is to be answered 656 now."""
    row = call.world.store.one(
        "SELECT ate FROM bloqueios WHERE assunto = ?", f"{_who(call)} {subject}"
    )
    return row is not None and row["ate"] > call.now.timestamp()


def refused(call: Call, subject: str, most: int) -> None:
    """Count a refusal of the same subject; from the `most`th on it is blocked for an hour."""
    note(call, subject)
    if uses(call, subject) >= most:
        block(call, subject)
