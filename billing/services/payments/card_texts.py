"""What a refusal of a card means, and what the customer is told (ux P10, billing-engine §12)."""

from __future__ import annotations

from billing.models import Payment

PAID = "Pagamento confirmado."
UNKNOWN = "Estamos confirmando com a operadora. Não pague de novo; avisaremos por e-mail."
NEEDS_ACTION = "O banco exige autenticação. Enviamos um link para concluir o pagamento."
ON_ITS_WAY = "Seu banco pede uma confirmação para concluir o pagamento."
ABANDONED = "O pagamento não foi concluído. Nada foi cobrado."
NOT_AUTHENTICATED = "Seu banco pediu confirmação. Tente de novo e confirme no app do banco."
# Lost and stolen included: whoever holds the card is not told.
REFUSED = "O banco não autorizou este pagamento. Fale com o banco ou use outra forma."
OUT_OF_ORDER = (
    "O serviço de pagamento está indisponível. Nada foi cobrado; tente de novo mais tarde."
)
EXPIRED = "Cartão vencido. Atualize ou use outro."
_TEXTS = {
    "insufficient_funds": "Saldo ou limite insuficiente. Tente outro cartão.",
    "expired_card": EXPIRED,
    "incorrect_cvc": "Código de segurança incorreto.",
    "invalid_cvc": "Código de segurança incorreto.",
    "authentication_required": NOT_AUTHENTICATED,
    "payment_intent_authentication_failure": NOT_AUTHENTICATED,
    "authentication": OUT_OF_ORDER,
}
# DUN-6: asking again is useless, or forbidden by the card schemes.
HARD = frozenset(
    {
        "lost_card", "stolen_card", "pickup_card", "invalid_account", "fraudulent",
        "merchant_blacklist", "revocation_of_authorization", "revocation_of_all_authorizations",
        "stop_payment_order", "incorrect_number", "invalid_number",
        # Of the request itself: a card or a customer that is gone, a value that is not taken.
        "resource_missing", "amount_too_small", "amount_too_large",
    }
)  # fmt: skip


# The provider did not take the order: no card was asked.
OF_THE_REQUEST = (
    "authentication", "resource_missing", "amount_too_small", "amount_too_large",
    "parameter_invalid_integer",
)  # fmt: skip


def refusal_text(failure_code: str, decline_code: str) -> str:
    """For the customer; nothing is told of lost or stolen cards."""
    return _TEXTS.get(decline_code) or _TEXTS.get(failure_code) or REFUSED


def is_hard(payment: Payment) -> bool:
    """A refusal after which the same card is not asked again."""
    return payment.decline_code in HARD or payment.failure_code in HARD


def outcome_text(payment: Payment) -> str:
    """How an attempt stands, for the customer."""
    state = Payment.State(payment.state)
    if state in Payment.SETTLED:
        return PAID
    if state == Payment.State.FAILED:
        return refusal_text(payment.failure_code, payment.decline_code)
    if state == Payment.State.CANCELED:
        return ABANDONED
    if state == Payment.State.REQUIRES_ACTION:
        return ON_ITS_WAY if payment.is_on_session else NEEDS_ACTION
    return UNKNOWN
