"""What billing refuses, in the words of billing-engine §12 and billing-api §3."""

from __future__ import annotations

from lib.errors import Conflict, FieldError, InvalidInput


class Stale(Conflict):
    """The row changed since the person looked at it (ux §1.3): nothing was done, look again."""

    http_status = 409


def fault(campo: str, mensagem: str) -> InvalidInput:
    """A refusal for one wrong field."""
    return InvalidInput(mensagem, erros=[FieldError(campo, mensagem)])


# --- invoices ----------------------------------------------------------------------------------


class CannotEmit(Conflict):
    mensagem = "O faturamento não pode ser faturado."


class CannotUndoEmission(Conflict):
    mensagem = "A emissão do faturamento não pode ser desfeita."


class CannotCancel(Conflict):
    mensagem = "O faturamento não pode ser cancelado."


class CannotUndoCancellation(Conflict):
    mensagem = "O cancelamento do faturamento não pode ser desfeito."


class CannotBlock(Conflict):
    mensagem = "O faturamento não pode ser bloqueado."


class CannotApprove(Conflict):
    mensagem = "O faturamento não pode ser aprovado."


class CannotChange(Conflict):
    mensagem = "O faturamento não pode ser alterado."


class CannotVoid(Stale):
    mensagem = "O faturamento não pode ser anulado."


class CannotVoidPaid(Stale):
    codigo = "cannot_void_paid"
    mensagem = "Faturas pagas não podem ser anuladas. Use o reembolso ou crie um crédito."


class CannotVoidVoided(Stale):
    codigo = "cannot_void_voided"
    mensagem = "Esta fatura já foi anulada."


class CannotVoidWithNote(Stale):
    """A fiscal document stands on the invoice (ux B05)."""

    codigo = "cannot_void_with_note"
    mensagem = "Cancele a nota fiscal antes de anular."


class CannotIssueNote(Conflict):
    mensagem = "A nota desta fatura não pode ser emitida."


class CannotReplaceNote(Conflict):
    mensagem = "Só uma nota emitida pode ser substituída."


# --- receivables -------------------------------------------------------------------------------


class CannotReceive(Conflict):
    mensagem = "O recebimento não pode ser confirmado."


class PaymentInProgress(Conflict):
    """PAY-1: an attempt whose outcome is not known stands in the way."""

    codigo = "payment_in_progress"
    mensagem = "Já existe um pagamento em processamento para esta fatura."


class CannotUndoReceipt(Conflict):
    mensagem = "O recebimento não pode ser desfeito."


# --- proforma and transactions -----------------------------------------------------------------


class GenerateDisabled(InvalidInput):
    """What keeps the button off (PF-6); `erros` lists every reason."""

    codigo = "generate_disabled"


class NegativeTotal(Conflict):
    codigo = "negative_total"
    mensagem = "O total da fatura não pode ser negativo. Aplique o crédito em outra fatura."


class PreviewChanged(Stale):
    """Included transactions are no longer what the preview showed (PF-7).

    `erros` has one entry per transaction: its id and what happened to it.
    """

    codigo = "preview_changed"

    def __init__(self, *, summary: str, erros: list[FieldError]) -> None:
        super().__init__(
            f"Algumas transações mudaram desde a pré-visualização: {summary}. "
            "Revise e gere novamente.",
            erros=erros,
        )


class DuplicatePeriod(Stale):
    """A question, not a refusal: repeat with the confirmation to go on."""

    codigo = "duplicate_period"

    def __init__(self, label: str) -> None:
        super().__init__(f"Já existe a fatura {label} para este período. Deseja continuar?")


class KeyReused(Stale):
    """The idempotency key came back with another request."""

    codigo = "idempotency_key_reused"
    mensagem = "Este formulário já foi enviado. Recarregue a página para gerar outra fatura."


class AlreadyBilled(Conflict):
    codigo = "already_billed"

    def __init__(self, transaction_id: int, label: str) -> None:
        super().__init__(f"A transação {transaction_id} já foi faturada na fatura {label}.")


# --- registrations -----------------------------------------------------------------------------


class InUse(InvalidInput):
    """Something still refers to what was to be deleted; told under the key `base`."""

    http_status = 422

    def __init__(self, mensagem: str = "") -> None:
        text = mensagem or self.mensagem
        super().__init__(text, erros=[FieldError("base", text)])
