"""What billing refuses, in the words of billing-engine §12 and billing-api §3."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lib.errors import Conflict, FieldError, InvalidInput
from lib.money import brl


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


# --- the ledger --------------------------------------------------------------------------------


class CannotUndoPayment(Conflict):
    codigo = "cannot_undo_payment"
    mensagem = "O pagamento não pode ser desfeito."


class InsufficientCredit(Conflict):
    """B05: the wallet has less than is to be paid from it."""

    codigo = "insufficient_credit"

    def __init__(self, balance: Decimal, amount: Decimal) -> None:
        super().__init__(f"Saldo de crédito insuficiente: {brl(balance)} de {brl(amount)}.")


class SurplusNotConfirmed(Conflict):
    """PAYM-4: more than is owed is taken only when somebody says so."""

    codigo = "surplus_not_confirmed"

    def __init__(self, surplus: Decimal) -> None:
        self.surplus = surplus
        super().__init__(
            f"O valor passa do devido em {brl(surplus)}. "
            "Confirme para lançar o excedente como crédito do cliente."
        )


class CannotWriteOff(Conflict):
    codigo = "cannot_write_off"
    mensagem = "Só uma parcela a receber pode ser baixada como perda."


class RefundNotCard(Conflict):
    """REF-3: there is no provider to send it back."""

    codigo = "refund_not_card"
    mensagem = "Só pagamentos por cartão podem ser reembolsados por aqui. Crie um crédito manual."


class RefundTwice(Stale):
    codigo = "refund_twice"
    mensagem = "Esta fatura já foi reembolsada."


class RefundAmount(Conflict):
    """INV-6: more than is left of the payment."""

    codigo = "refund_amount"

    def __init__(self, left: Decimal) -> None:
        self.left = left
        super().__init__(f"O valor excede o saldo reembolsável de {brl(left)}.")


class NoReceipt(Conflict):
    codigo = "no_receipt"
    mensagem = "Só um pagamento confirmado tem recibo."


class CannotRefund(Conflict):
    codigo = "cannot_refund"
    mensagem = "Só um pagamento confirmado pode ser reembolsado."


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


# --- boletos -----------------------------------------------------------------------------------


class FollowUpFailed(Conflict):
    """EM-4: nothing is sent without what goes with it."""

    codigo = "follow_up_failed"
    mensagem = "O PDF ou as cobranças da fatura não puderam ser gerados; o e-mail não foi enviado."


class NoOpenAmount(Conflict):
    """There is nothing to be collected of it (P-6)."""

    codigo = "no_open_amount"
    mensagem = "Esta fatura não possui valor em aberto."


class NoAgreement(Conflict):
    codigo = "boleto_no_agreement"
    mensagem = "A organização não tem convênio de cobrança ativo para emitir boletos."


class NumbersExhausted(Conflict):
    codigo = "boleto_numbers_exhausted"
    mensagem = "Os nossos números do convênio acabaram. Cadastre outro convênio do banco."


class InvoiceBlocked(Conflict):
    codigo = "invoice_blocked"
    mensagem = "A fatura está bloqueada."


class BoletoRegistering(Conflict):
    """Until the bank knows it, it cannot be paid (BO-1)."""

    codigo = "boleto_registering"
    mensagem = "O boleto está em registro no banco. Tente novamente em alguns minutos."


class BoletoRejected(Conflict):
    codigo = "boleto_rejected"

    def __init__(self, reason: str) -> None:
        super().__init__(f"O banco rejeitou o boleto: {reason.strip().rstrip('.')}.")


class BankSilent(Conflict):
    """A reissue whose registration came to nothing (P08-4)."""

    codigo = "boleto_bank_silent"
    http_status = 503
    mensagem = (
        "O banco não respondeu. Seu boleto anterior continua válido e nada mudou. "
        "Tente de novo ou pague por Pix."
    )


class NoBoleto(Conflict):
    codigo = "no_boleto"
    mensagem = "Esta fatura não tem boleto para pagar."


class BoletoNotChangeable(Conflict):
    codigo = "boleto_not_changeable"
    mensagem = "Só um boleto registrado e em aberto pode ser alterado."


# --- Pix ---------------------------------------------------------------------------------------


class PixNotSetUp(Conflict):
    codigo = "pix_not_set_up"
    mensagem = "A organização não tem conta Pix ativa com uma chave válida."


class PixRejected(Conflict):
    codigo = "pix_rejected"

    def __init__(self, reason: str) -> None:
        super().__init__(f"O Pix não pôde ser gerado. {reason.strip().rstrip('.')}.")


class PixRefundTooLate(Conflict):
    codigo = "pix_refund_too_late"
    mensagem = "Um Pix só pode ser devolvido em até 90 dias. Crie um crédito manual."


class PixRefundUnavailable(Conflict):
    codigo = "pix_refund_unavailable"
    mensagem = "Este pagamento não pode ser devolvido por aqui. Crie um crédito manual."


# --- e-mail ------------------------------------------------------------------------------------


class EmailNoContact(Conflict):
    codigo = "email_no_contact"
    mensagem = "O cliente não possui contato de faturamento nem contato principal."


class EmailSuppressed(Conflict):
    """Nobody is left to write to."""

    codigo = "email_suppressed"

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__(
            f"Os endereços do cliente estão suspensos: {', '.join(addresses)}. "
            "Corrija o contato ou retire a suspensão."
        )


class CannotRenewLink(Conflict):
    """For whoever holds a link: no address is named."""

    codigo = "link_not_renewed"
    mensagem = "Não foi possível enviar um novo link por aqui. Fale com quem enviou a fatura."


class EmailNoTemplate(Conflict):
    codigo = "email_no_template"
    mensagem = "O modelo de e-mail da fatura não foi encontrado."


class CannotEmail(Stale):
    """Only what was emitted and still stands goes out (B04)."""

    codigo = "email_not_emitted"
    mensagem = "Só uma fatura emitida e não anulada pode ser enviada por e-mail."


# --- dunning -----------------------------------------------------------------------------------


class CannotActivate(Conflict):
    codigo = "ruler_not_activatable"
    mensagem = "A régua já está ativa."


class TaskClosed(Stale):
    codigo = "task_closed"
    mensagem = "Esta tarefa já foi encerrada."


# --- cards -------------------------------------------------------------------------------------


class NoCardGateway(Conflict):
    codigo = "card_not_set_up"
    mensagem = "A organização não tem conta ativa para receber por cartão."


class NoPaymentMethod(Conflict):
    codigo = "no_payment_method"
    mensagem = "Nenhum método de pagamento cadastrado. Adicione um cartão para pagar esta fatura."


class CardExpired(Conflict):
    codigo = "expired_card"
    mensagem = "Cartão vencido. Atualize ou use outro."


class CardAlreadySaved(Conflict):
    codigo = "card_already_saved"
    mensagem = "Este cartão já está cadastrado."


class CardNotReady(Conflict):
    """The customer has not finished at the provider's page."""

    codigo = "card_not_ready"
    mensagem = "O cadastro do cartão ainda não foi concluído."


class CardInUse(Conflict):
    codigo = "card_in_use"

    def __init__(self, contract_id: int) -> None:
        super().__init__(
            f"Este cartão paga o contrato nº {contract_id} automaticamente. "
            "Escolha outro cartão antes de remover."
        )


class AmountChanged(Stale):
    """P10: it costs another amount today than the page said."""

    codigo = "amount_changed"
    mensagem = (
        "O valor desta fatura mudou enquanto você estava aqui. Confira o novo valor antes de "
        "pagar. Nada foi cobrado."
    )


class CardNotRetried(Conflict):
    """DUN-6: nothing that asking again could change."""

    codigo = "card_not_retried"
    mensagem = "O cartão não será cobrado de novo."


class RefundRefused(Conflict):
    """B05: the provider said no, and nothing changed."""

    codigo = "refund_refused"

    def __init__(self, reason: str) -> None:
        text = reason.strip().rstrip(".") or "sem motivo informado"
        super().__init__(f"O Stripe recusou o reembolso: {text}. A fatura continua paga.")


# --- bank files --------------------------------------------------------------------------------


class RegistersOnline(Conflict):
    mensagem = "Este convênio não registra boletos por arquivo."


class NothingToSend(Conflict):
    """Nothing waits; or what waits cannot be written, and `erros` says why."""

    mensagem = "Não há boletos aguardando envio neste convênio."

    def __init__(self, faults: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(erros=[FieldError(str(one["charge"]), one["text"]) for one in faults])


class CannotSendFile(Conflict):
    mensagem = "Só uma remessa gerada pode ser enviada ou descartada."


class FileNotRead(InvalidInput):
    """What was uploaded is no retorno that can be read; `mensagem` says why."""

    codigo = "arquivo_invalido"


class FileProcessed(Conflict):
    """The very same file was applied before."""

    codigo = "arquivo_processado"

    def __init__(self, day: str) -> None:
        super().__init__(f"Este arquivo já foi processado em {day}.")


class FileHasFaults(Conflict):
    """A question, not a refusal: look at the faults and repeat with the confirmation."""

    codigo = "arquivo_com_avisos"
    mensagem = "O arquivo tem avisos. Confira antes de aplicar."


class CannotApplyFile(Conflict):
    mensagem = "Este arquivo não pode mais ser aplicado."


class CannotResolveLine(Conflict):
    mensagem = "Esta linha não espera mais uma decisão."


class ProviderRefused(Conflict):
    """The provider did not take what staff asked of it."""

    codigo = "provider_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"O provedor não aceitou o pedido: {reason.strip().rstrip('.')}.")
