"""What disputes refuse, in the words of P09 and B12."""

from __future__ import annotations

from billing.errors import Stale
from billing.models import Dispute
from lib.errors import Conflict


class DisputeOpen(Conflict):
    """P-8: one at a time for each invoice; `dispute` is the one that is open."""

    codigo = "dispute_open"

    def __init__(self, dispute: Dispute) -> None:
        self.dispute = dispute
        super().__init__(f"Já existe uma contestação aberta: {dispute.protocol}")


class CannotDispute(Stale):
    codigo = "dispute_not_possible"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"Esta fatura mudou enquanto você estava aqui (agora: {state}). Nada foi feito."
        )


class DisputeClosed(Stale):
    codigo = "dispute_closed"
    mensagem = "Esta contestação já foi encerrada. Nada foi feito."


class CreditTooHigh(Conflict):
    codigo = "dispute_credit_too_high"
    mensagem = "O crédito não pode passar do valor contestado."
