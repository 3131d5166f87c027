"""Test cards: by their published number, or by a token."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TestCard:
    """How a made-up card behaves. `decline` is (code, decline_code)."""

    token: str
    number: str
    brand: str = "visa"
    decline: tuple[str, str] | None = None
    asks: bool = False  # 3-D Secure when the customer is there, authentication_required otherwise
    cuts: bool = False  # the charge is made and the answer never comes
    disputes: bool = False
    refund: str = "succeeded"  # or pending
    processes: bool = False  # stays in processing until it is told to end

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(decline_code: str) -> tuple[str, str]:
    return "card_declined", decline_code


CARDS = (
    TestCard("pm_card_visa", "4242424242424242"),
    TestCard("pm_card_mastercard", "5555555555554444", brand="mastercard"),
    TestCard("pm_card_elo", "5067310000000010", brand="elo"),
    TestCard("pm_card_chargeDeclined", "4000000000000002", decline=_declined("generic_decline")),
    TestCard(
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "4000000000009995",
        decline=_declined("insufficient_funds"),
    ),
    TestCard(
        "pm_card_visa_chargeDeclinedLostCard", "4000000000009987", decline=_declined("lost_card")
    ),
    TestCard(
        "pm_card_visa_chargeDeclinedStolenCard",
        "4000000000009979",
        decline=_declined("stolen_card"),
    ),
    TestCard(
        "pm_card_chargeDeclinedExpiredCard",
        "4000000000000069",
        decline=("expired_card", "expired_card"),
    ),
    TestCard(
        "pm_card_chargeDeclinedIncorrectCvc",
        "4000000000000127",
        decline=("incorrect_cvc", "incorrect_cvc"),
    ),
    TestCard(
        "pm_card_chargeDeclinedProcessingError",
        "4000000000000119",
        decline=("processing_error", "processing_error"),
    ),
    TestCard("pm_card_authenticationRequired", "4000002500003155", asks=True),
    TestCard(
        "pm_card_threeDSecureInsufficientFunds",
        "4000008260003178",
        asks=True,
        decline=_declined("insufficient_funds"),
    ),
    TestCard("pm_card_createDispute", "4000000000000259", disputes=True),
    TestCard("pm_card_pendingRefund", "4000000000005126", refund="pending"),
    # Not of Stripe's: what a test of ours needs.
    TestCard("pm_card_answerCut", "4000000000000911", cuts=True),
    TestCard("pm_card_processing", "4000000000000952", processes=True),
)
BY_TOKEN = {card.token: card for card in CARDS}
BY_NUMBER = {card.number: card for card in CARDS}

MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def passes_luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    if not 12 <= len(number) <= 19 or any(c not in "0123456789" for c in number):
        return False
    digits = [int(c) for c in reversed(number)]
    doubled = (2 * d - 9 if d > 4 else 2 * d for d in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
