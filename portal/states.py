"""The marks of an invoice's state on the portal's pages, and what a person may do about it (§1.2).

What the state is billing.selectors.situations knows; here are its chips and the role's part.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.access import Capability
from billing.selectors.situations import (
    PAYABLE,
    UNPAID,
    WORDS,
    Action,
    Estado,
    Situation,
    situation,
    situations,
)
from portal.access import Portal

__all__ = [
    "ICONS", "PAYABLE", "UNPAID", "WORDS", "Action", "Chip", "Estado", "Situation", "allowed",
    "chips", "situation", "situations",
]  # fmt: skip

# Names of the drawings in templates/portal/_icone.html.
ICONS = {
    Estado.ABERTA: "relogio",
    Estado.VENCIDA: "alerta",
    Estado.PROCESSANDO: "setas",
    Estado.PAGA: "certo",
    Estado.REEMBOLSADA: "volta",
    Estado.ANULADA: "proibido",
    Estado.CANCELADA: "proibido",
}
# What of the actions changes something, and the right that it takes; others every role may.
_RIGHTS = {
    Action.PIX: Capability.SECOND_COPY,
    Action.PAY: Capability.CHARGE_CARD,
    Action.DISPUTE: Capability.DISPUTES,
}


@dataclass(frozen=True)
class Chip:
    """A mark: icon and words; `tom` is the chip's class, "" for the state's own colour."""

    texto: str
    icone: str
    tom: str = ""


def chips(found: Situation) -> list[Chip]:
    """The marks besides the state's own: “Contestada”, “Bloqueada”, “Parcial (1 de 2)”."""
    marks = []
    if found.dispute is not None:
        marks.append(Chip("Contestada", "balao", "atencao"))
    if found.is_blocked and found.estado in UNPAID:
        marks.append(Chip("Bloqueada", "cadeado", "neutro"))
    if found.partial:
        marks.append(Chip(found.partial, "metade", "info"))
    return marks


def allowed(portal: Portal, found: Situation) -> frozenset[Action]:
    """What this person may do with the invoice: the state's actions that their role has."""
    return frozenset(
        action for action in found.actions if action not in _RIGHTS or portal.can(_RIGHTS[action])
    )
