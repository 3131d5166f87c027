"""Cards that a customer keeps: saved, made the default one, removed (ST-1, P11)."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.errors import CardAlreadySaved, CardInUse, CardNotReady, PaymentInProgress
from billing.gateways.cards import Card, CardRefused, Setup
from billing.models import (
    Contract,
    GatewayAccount,
    InvoiceRule,
    Party,
    Payment,
    PaymentMethod,
    SavedMethod,
)
from billing.services.payments.card_gateway import (
    card_gateway,
    customer_of,
    for_customer,
    provider_of,
)
from lib import clock
from lib.errors import NotFound
from lib.queue import enqueue

ACTIVE = SavedMethod.State.ACTIVE


def saved_cards(
    customer: Party, *, account: Account, organization_id: int | None = None
) -> list[SavedMethod]:
    """The customer's cards for bills of this organization, the default one first."""
    gateway = card_gateway(account, organization_id=organization_id)
    mine = SavedMethod.objects.of(account).filter(gateway=gateway, customer=customer, state=ACTIVE)
    return list(mine.order_by("-is_default", "id"))


def customer_cards(customer: Party, *, account: Account) -> list[SavedMethod]:
    """All cards of the customer, whoever bills; the default ones first."""
    mine = SavedMethod.objects.of(account).filter(customer=customer, state=ACTIVE)
    return list(mine.filter(gateway__is_active=True).order_by("-is_default", "id"))


def active_card(method_id: int, *, account: Account, customer: Party) -> SavedMethod:
    """One of the customer's cards. Raises NotFound."""
    method: SavedMethod = SavedMethod.objects.get_of(account, pk=method_id)
    if method.customer_id != customer.pk or method.state != ACTIVE:
        raise NotFound()
    return method


def start_saving(customer: Party, *, account: Account, organization_id: int | None = None) -> Setup:
    """Begin to save a card by the provider's fields in the browser; `secret` opens them.

    Raises NoCardGateway, GatewayUnavailable, CardRefused. Asks the provider.
    """
    gateway = card_gateway(account, organization_id=organization_id)
    provider, labels = provider_of(gateway), _labels(gateway, customer)
    return for_customer(
        gateway, customer, lambda reference: provider.start_setup(reference, labels=labels)
    )


def hosted_saving(
    customer: Party,
    *,
    account: Account,
    return_url: str,
    cancel_url: str,
    organization_id: int | None = None,
) -> str:
    """Address of the provider's page that saves a card and comes back to `return_url`.

    Raises as `start_saving`.
    """
    gateway = card_gateway(account, organization_id=organization_id)
    provider, labels = provider_of(gateway), _labels(gateway, customer)

    def ask(reference: str) -> str:
        page = provider.hosted_setup(
            reference, return_url=return_url, cancel_url=cancel_url, labels=labels
        )
        return page.url

    return for_customer(gateway, customer, ask)


def finish_saving(
    setup_id: str, *, gateway: GatewayAccount, actor: Actor, customer: Party | None = None
) -> SavedMethod:
    """Keep the card of a finished setup, told by a notice or by the customer's return.

    Told again, it answers the same card. Raises CardNotReady before the setup ended,
    CardAlreadySaved, NotFound for a setup that is not this customer's, GatewayUnavailable.
    """
    provider = provider_of(gateway)
    setup = provider.setup(setup_id)
    owner = customer_of(gateway, setup.customer)
    if owner is None or (customer is not None and owner.pk != customer.pk):
        raise NotFound()
    if not setup.is_done:
        raise CardNotReady()
    card = provider.card(setup.method)
    if not card.customer:
        if _has(card, gateway=gateway, owner=owner):  # told before, and given back to the provider
            raise CardAlreadySaved()
        card = provider.attach(setup.method, customer=setup.customer)
    saved, dropped = _keep(card, gateway=gateway, owner=owner, actor=actor)
    if dropped:
        provider.detach(dropped)
    if saved is None:
        raise CardAlreadySaved()
    return saved


def finish_hosted(
    page_id: str, *, gateway: GatewayAccount, actor: Actor, customer: Party
) -> SavedMethod:
    """Keep the card that the customer gave on the provider's page. Raises as `finish_saving`."""
    try:
        page = provider_of(gateway).hosted(page_id)
    except CardRefused:
        raise NotFound() from None
    if page.is_open or not page.setup_id:
        raise CardNotReady()
    return finish_saving(page.setup_id, gateway=gateway, actor=actor, customer=customer)


@transaction.atomic
def make_default(method_id: int, *, account: Account, actor: Actor, customer: Party) -> SavedMethod:
    """Charged from now on unless another one is chosen. Raises NotFound."""
    method = _held(method_id, account=account, customer=customer)
    _set_default(method)
    record(account, actor=actor, action="cartao.padrao", target=method, after=_shown(method))
    return method


@transaction.atomic
def remove_card(method_id: int, *, account: Account, actor: Actor, customer: Party) -> None:
    """Charge a card no more; another one becomes the default one.

    Raises NotFound, CardInUse for the only card of an automatic rule, PaymentInProgress.
    """
    method = _held(method_id, account=account, customer=customer)
    contract = _paid_by_card(customer, method.gateway)
    if contract is not None and not _others(method).exists():
        raise CardInUse(contract.pk)
    if method.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise PaymentInProgress()
    _remove(method, actor=actor)
    enqueue("billing.tasks.detach_card", method.pk)


def detach_removed(method_id: int) -> bool:
    """Tell the provider of a removed card; safe to repeat. Raises GatewayUnavailable."""
    method = SavedMethod.objects.select_related("gateway").get(pk=method_id)
    if method.state == ACTIVE:
        return False
    provider_of(method.gateway).detach(method.reference)
    return True


def forget_method(reference: str, *, gateway: GatewayAccount) -> bool:
    """The provider has it no more (ST-7); whether we still had it."""
    active = SavedMethod.objects.filter(gateway=gateway, reference=reference, state=ACTIVE)
    with transaction.atomic():
        found = active.first()
        if found is None:
            return False
        Party.objects.select_for_update().get(pk=found.customer_id)
        method = active.select_related("account").first()
        if method is None:
            return False
        _remove(method, actor=SYSTEM)
    return True


def refresh_method(reference: str, *, gateway: GatewayAccount) -> bool:
    """A card was renewed at the provider; whether it is one of ours."""
    if not SavedMethod.objects.filter(gateway=gateway, reference=reference).exists():
        return False
    card = provider_of(gateway).card(reference)
    SavedMethod.objects.filter(gateway=gateway, reference=reference).update(
        exp_month=card.exp_month, exp_year=card.exp_year, brand=card.brand, last4=card.last4
    )
    return True


# --- details -----------------------------------------------------------------------------------


def _keep(
    card: Card, *, gateway: GatewayAccount, owner: Party, actor: Actor
) -> tuple[SavedMethod | None, str]:
    """The row of the card, and the provider's id of what is to be detached.

    None when the customer has this card already. The same number with another validity is a
    renewed card: it takes the place of the old one.
    """
    with transaction.atomic():
        Party.objects.select_for_update().get(pk=owner.pk)
        known = SavedMethod.objects.filter(gateway=gateway, reference=card.reference).first()
        if known is not None and known.customer_id != owner.pk:
            raise NotFound()
        if known is not None:
            return known, ""
        mine = SavedMethod.objects.filter(gateway=gateway, customer=owner, state=ACTIVE)
        twin = mine.filter(fingerprint=card.fingerprint).exclude(fingerprint="").first()
        if twin is not None and (twin.exp_year, twin.exp_month) == (card.exp_year, card.exp_month):
            return None, card.reference
        try:
            saved = _new(card, gateway=gateway, owner=owner, is_default=not mine.exists())
        except IntegrityError:
            raise NotFound() from None  # a method of another customer of ours
        dropped = ""
        if twin is not None:
            was_default, dropped = twin.is_default, twin.reference
            _retire(twin)
            if was_default:
                _set_default(saved)
        account = gateway.account
        record(account, actor=actor, action="cartao.adicionado", target=saved, after=_shown(saved))
        # DUN-6: a new card is worth one more attempt.
        enqueue("billing.tasks.charge_with_new_card", saved.pk)
    return saved, dropped


def _has(card: Card, *, gateway: GatewayAccount, owner: Party) -> bool:
    """Does the customer have the same card, valid as long, under another reference?"""
    twins = SavedMethod.objects.filter(
        gateway=gateway, customer=owner, state=ACTIVE, fingerprint=card.fingerprint,
        exp_month=card.exp_month, exp_year=card.exp_year,
    )  # fmt: skip
    return bool(card.fingerprint) and twins.exclude(reference=card.reference).exists()


def _new(card: Card, *, gateway: GatewayAccount, owner: Party, is_default: bool) -> SavedMethod:
    with transaction.atomic():
        saved: SavedMethod = SavedMethod.objects.create(
            account_id=gateway.account_id,
            gateway=gateway,
            customer=owner,
            reference=card.reference,
            fingerprint=card.fingerprint,
            brand=card.brand[:30],
            last4=card.last4[:4],
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            holder=card.holder[:200],
            is_default=is_default,
        )
    return saved


def _held(method_id: int, *, account: Account, customer: Party) -> SavedMethod:
    """An active card of this customer; its customer is locked. Raises NotFound."""
    Party.objects.of(account).select_for_update().get_of(account, pk=customer.pk)
    active_card(method_id, account=account, customer=customer)
    return SavedMethod.objects.select_related("gateway").get(pk=method_id)


def _set_default(method: SavedMethod) -> None:
    SavedMethod.objects.filter(
        gateway=method.gateway_id, customer=method.customer_id, is_default=True
    ).update(is_default=False)
    method.is_default = True
    method.save(update_fields=["is_default"])


def _remove(method: SavedMethod, *, actor: Actor) -> None:
    """A card that is here no more; the newest of the others is the default one. Told to the trail.

    Its customer is locked.
    """
    _retire(method)
    others = _others(method)
    if (heir := others.order_by("-id").first()) and not others.filter(is_default=True).exists():
        _set_default(heir)
    before = _shown(method)
    record(method.account, actor=actor, action="cartao.removido", target=method, before=before)


def _others(method: SavedMethod) -> QuerySet[SavedMethod]:
    """The customer's other cards with this provider."""
    mine = SavedMethod.objects.filter(
        gateway=method.gateway_id, customer=method.customer_id, state=ACTIVE
    )
    return mine.exclude(pk=method.pk)


def _retire(method: SavedMethod) -> None:
    method.state, method.is_default = SavedMethod.State.REMOVED, False
    method.removed_at = clock.now()
    method.save(update_fields=["state", "is_default", "removed_at"])


def _paid_by_card(customer: Party, gateway: GatewayAccount) -> Contract | None:
    """A contract in force whose rule is charged to the customer's card by this gateway."""
    rules = InvoiceRule.objects.filter(
        contract__party=customer,
        payment_method=PaymentMethod.PAYMENT_GATEWAY,
        status=InvoiceRule.Status.ACTIVE,
    ).exclude(contract__status=Contract.Status.CANCELLED)
    if gateway.organization_id:
        rules = rules.filter(contract__organization=gateway.organization_id)
    rule = rules.select_related("contract").order_by("contract_id").first()
    return rule.contract if rule is not None else None


def _labels(gateway: GatewayAccount, customer: Party) -> dict[str, str]:
    return {"account": str(gateway.account_id), "customer": str(customer.pk)}


def _shown(method: SavedMethod) -> dict[str, str]:
    """Brand and last four digits, never more (P11)."""
    return {"bandeira": method.brand, "final": method.last4}
