"""Card payments whose processes are killed -9 at every step, then recovered as the product does.

After each death the sweeps, the notices (repeated, in any order) and an impatient customer come in
random order. Then: charged once, on the books once, the invariants hold, and the provider's books
say the same as ours.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from django.test import Client
from factories import AccountFactory, CompanyFactory, OrganizationFactory
from soak.payment_deaths import DEATHS, Death, die_during
from support.invoices import emitted_invoice, line

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.errors import CardNotReady, NoOpenAmount, PaymentInProgress
from billing.models import GatewayAccount, InboundEvent, Party, Payment, Receivable, SavedMethod
from billing.selectors import invariants
from billing.services import inbound
from billing.services.payments import card_checks, card_refunds, card_saving
from billing.services.payments.card_charging import charge_card
from billing.services.payments.card_gateway import provider_of
from lib import clock

ROOT = Path(__file__).resolve().parents[2]
HOOK = "http://produto.test/hooks/"
CARDS = {
    "good": "pm_card_visa",
    "refused": "pm_card_chargeDeclined",
    "bank": "pm_card_authenticationRequired",
}


def browser(**headers: str) -> Client:
    """A client of a host that the settings of every installation allow."""
    return Client(headers={"Host": "localhost"}, **headers)


class Wrong(Exception):
    """What should not be; the text says where."""


@dataclass
class World:
    """A tenant and its account with the stand-in at `url`."""

    url: str
    key: str
    account: Account
    organization: Party
    customer: Party
    gateway: GatewayAccount
    cards: dict[str, SavedMethod]
    rng: random.Random

    def control(self, place: str, verb: str = "POST", /, **given: Any) -> Any:
        """What /control/`place` answers."""
        answer = requests.request(verb, f"{self.url}/control/{place}", json=given, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def books(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("books/stripe", "GET")["accounts"][self.key]
        return found

    def post(self, notice: dict[str, Any]) -> int:
        at = str(int(time.time()))
        signed = f"{at}.{notice['body']}".encode()
        v1 = hmac.new(notice["secret"].encode(), signed, hashlib.sha256).hexdigest()
        answer = browser(HTTP_STRIPE_SIGNATURE=f"t={at},v1={v1}").post(
            f"/hooks/{self.gateway.hook}", notice["body"].encode(), "application/json"
        )
        return answer.status_code

    def charge(self, receivable: Receivable, card: str = "good") -> Payment:
        return charge_card(
            receivable.pk,
            account=self.account,
            actor=SYSTEM,
            on_session=True,
            saved_method_id=self.cards[card].pk,
        ).payment


@contextmanager
def stand_in() -> Iterator[str]:
    """The providers' stand-in as a process of its own; its address."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "billing.sandbox", "--port", "0", "--data", folder]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout
            [address] = re.findall(r"http://\S+", child.stdout.readline())
            yield address
        finally:
            child.terminate()
            child.communicate(timeout=30)


def make_world(url: str, seed: int) -> World:
    """An account of its own for each seed."""
    slug = f"mortes-{seed}-{Account.objects.count()}"
    account, key = AccountFactory(slug=slug), f"sk_test_{slug}"
    gateway = GatewayAccount(
        account=account, provider="stripe", name="Stripe", base_url=f"{url}/stripe",
        hook=uuid.uuid4(),
    )  # fmt: skip
    gateway.secrets = {"api_key": key}
    secret = provider_of(gateway).register_hook(f"{HOOK}{gateway.hook}")
    gateway.secrets = {"api_key": key, "webhook_secrets": [secret]}
    gateway.save()
    customer = CompanyFactory(account=account)
    world = World(
        url, key, account, OrganizationFactory(account=account), customer, gateway, {},
        random.Random(seed),
    )  # fmt: skip
    world.control("deliveries", mode="off")
    for name, card in CARDS.items():
        setup = card_saving.start_saving(customer, account=account)
        requests.post(
            f"{gateway.base_url}/v1/setup_intents/{setup.external_id}/confirm",
            data={"payment_method": card},
            headers={"Authorization": f"Bearer {key}"},
            timeout=10,
        ).raise_for_status()
        world.cards[name] = card_saving.finish_saving(
            setup.external_id, gateway=gateway, actor=SYSTEM
        )
    return world


def deaths(world: World, rounds: int, *, chosen: list[Death] | None = None) -> None:
    """So many deaths, each place in turn. Raises Wrong."""
    places = chosen or DEATHS
    for number in range(rounds):
        death = places[number % len(places)]
        try:
            one_death(world, death)
        except Wrong as wrong:
            raise Wrong(f"{death.name} (rodada {number + 1}): {wrong}") from wrong
    prove_all(world)


def one_death(world: World, death: Death) -> None:
    """A payment, a death on its way, the recovery, and the proof."""
    world.control("faults", "DELETE")
    value = Decimal(world.rng.randrange(1_000, 90_000)).scaleb(-2)
    invoice = emitted_invoice(world.organization, world.customer, lines=[line(str(value))])
    receivable: Receivable = invoice.receivables.get()
    work = _JOBS[death.job](world, receivable)
    if death.fault:
        world.control("faults", provider="stripe", **death.fault)
    die_during(work, death)
    recover(world, receivable)
    prove(world, receivable, death.job)


# --- what dies ---------------------------------------------------------------------------------


def _clicked(card: str) -> Callable[[World, Receivable], Callable[[], Any]]:
    return lambda world, receivable: lambda: world.charge(receivable, card)


def _unanswered(world: World, receivable: Receivable, kind: str) -> Payment:
    """A charge whose answer was lost; the library asks twice."""
    world.control("faults", provider="stripe", kind=kind, path="/v1/payment_intents", times=2)
    return world.charge(receivable)


def _noticed(world: World, receivable: Receivable) -> Callable[[], Any]:
    payment = _unanswered(world, receivable, "cut")
    [told] = [n for n in _notices(world, receivable) if n["kind"] == "payment_intent.succeeded"]

    def work() -> None:
        world.post(told)
        for pk in _waiting(world):
            inbound.apply_notice(pk)

    assert payment.state == Payment.State.PROCESSING
    return work


def _polled(kind: str) -> Callable[[World, Receivable], Callable[[], Any]]:
    def job(world: World, receivable: Receivable) -> Callable[[], Any]:
        _unanswered(world, receivable, kind)
        return lambda: _later(timedelta(minutes=2), card_checks.check_due)

    return job


def _returned(world: World, receivable: Receivable) -> Callable[[], Any]:
    payment = world.charge(receivable, "bank")
    world.control("stripe/authenticate", key=world.key, id=payment.external_id)
    return lambda: browser().get(f"/cartao/{payment.key}/")


def _refunded(world: World, receivable: Receivable) -> Callable[[], Any]:
    payment = world.charge(receivable)
    return lambda: _refund(world, payment)


def _refund(world: World, payment: Payment) -> Any:
    half = (payment.amount / 2).quantize(Decimal("0.01"))
    return card_refunds.refund_payment(
        payment.pk, account=world.account, actor=SYSTEM, reason="Teste", amount=half
    )


_JOBS: dict[str, Callable[[World, Receivable], Callable[[], Any]]] = {
    "charge": _clicked("good"),
    "refused": _clicked("refused"),
    "bank": _clicked("bank"),
    "return": _returned,
    "notice": _noticed,
    "poll": _polled("cut"),
    "again": _polled("down"),
    "refund": _refunded,
}


# --- the recovery ------------------------------------------------------------------------------


def recover(world: World, receivable: Receivable) -> None:
    """Everything that comes by itself, in random order, twice; the second time all is quiet."""
    steps: list[Callable[[], Any]] = [
        lambda: _later(timedelta(minutes=7), card_checks.check_due),
        lambda: _later(timedelta(minutes=7), card_refunds.check_due),
        lambda: _hear(world, receivable),
        lambda: _click_again(world, receivable),
        lambda: _come_back(receivable),
    ]
    for hours in (0, 2):
        world.rng.shuffle(steps)
        for step in steps:
            step()
        _later(timedelta(hours=hours, minutes=10), card_checks.check_due)
        _later(timedelta(hours=hours, minutes=10), card_refunds.check_due)
        _later(timedelta(hours=hours, minutes=10), lambda: [
            inbound.apply_notice(pk) for pk in _waiting(world)
        ])  # fmt: skip


def _later(by: timedelta, act: Callable[[], Any]) -> Any:
    real = clock.now
    clock.now = lambda: real() + by  # type: ignore[assignment]
    try:
        return act()
    finally:
        clock.now = real


def _notices(world: World, receivable: Receivable) -> list[dict[str, Any]]:
    """Those of this parcel and of what was done to its charges."""
    intents = [
        i["id"]
        for i in world.books()["payment_intents"].values()
        if i["metadata"].get("receivable") == str(receivable.pk)
    ]
    return [
        notice
        for notice in world.control("notices", "GET")
        if notice["url"].endswith(str(world.gateway.hook))
        and any(intent in notice["body"] for intent in intents)
    ]


def _hear(world: World, receivable: Receivable) -> None:
    told = _notices(world, receivable)
    world.rng.shuffle(told)
    for notice in told + told[:2]:
        if world.post(notice) != 200:
            raise Wrong("um aviso verdadeiro foi recusado")
    for pk in _waiting(world):
        inbound.apply_notice(pk)


def _waiting(world: World) -> list[int]:
    rows = InboundEvent.objects.filter(gateway=world.gateway, state=InboundEvent.State.WAITING)
    return list(rows.order_by("id").values_list("pk", flat=True))


def _click_again(world: World, receivable: Receivable) -> None:
    """While it is not known, nobody pays twice; afterwards there is nothing left to pay."""
    unknown = receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists()
    paid = Receivable.objects.get(pk=receivable.pk).state == Receivable.State.RECEIVED
    if not (unknown or paid):
        return  # refused: another try is the customer's right
    try:
        world.charge(receivable)
    except (PaymentInProgress, NoOpenAmount):
        return
    raise Wrong("um segundo pagamento foi aceito")


def _come_back(receivable: Receivable) -> None:
    """The customer authorizes at the bank what waits there, and returns."""
    for payment in receivable.payments.filter(state=Payment.State.REQUIRES_ACTION):
        if "/pages/" in payment.action_url:
            with suppress(CardNotReady):
                requests.post(
                    payment.action_url, data={"answer": "ok"}, allow_redirects=False, timeout=10
                )
                browser().get(f"/cartao/{payment.key}/")


# --- the proof ---------------------------------------------------------------------------------


def prove(world: World, receivable: Receivable, job: str) -> None:
    """Charged once, or refused; the same in both books. Raises Wrong."""
    books = world.books()
    charges = [
        c for c in books["charges"].values()
        if c["metadata"].get("receivable") == str(receivable.pk)
    ]  # fmt: skip
    settled = list(receivable.payments.filter(state__in=Payment.SETTLED))
    expected = 0 if job == "refused" else 1
    if len(charges) != expected or len(settled) != expected:
        raise Wrong(f"{len(charges)} cobranças na operadora, {len(settled)} pagamentos aqui")
    if receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise Wrong("um pagamento ficou sem desfecho")
    state = Receivable.objects.get(pk=receivable.pk).state
    received = Receivable.State.RECEIVED if expected else Receivable.State.TO_RECEIVE
    if state != received:
        raise Wrong(f"a parcela ficou {state}")
    for payment, charge in zip(settled, charges, strict=True):
        _prove_amounts(payment, charge)


def _prove_amounts(payment: Payment, charge: dict[str, Any]) -> None:
    if charge["payment_intent"] != payment.external_id:
        raise Wrong("o pagamento é de outra cobrança")
    there = (Decimal(charge["amount"]).scaleb(-2), Decimal(charge["amount_refunded"]).scaleb(-2))
    if there != (payment.amount, payment.refunded_total):
        raise Wrong(f"na operadora {there}, aqui {payment.amount} e {payment.refunded_total}")
    n_refunds = payment.refunds.exclude(state="succeeded").count()
    if n_refunds:
        raise Wrong(f"{n_refunds} reembolsos sem desfecho")


def prove_all(world: World) -> None:
    """The whole account. Raises Wrong."""
    if found := list(invariants.violations(world.account)):
        raise Wrong(f"invariantes: {found[:5]}")
    there = {
        c["payment_intent"]: Decimal(c["amount"] - c["amount_refunded"]).scaleb(-2)
        for c in world.books()["charges"].values()
    }
    ours = {
        p.external_id: p.amount - p.refunded_total
        for p in Payment.objects.of(world.account).filter(state__in=Payment.SETTLED)
    }
    if there != ours:
        raise Wrong("os livros da operadora e os nossos diferem")


def payments(options: Any) -> None:
    """The soak of this name: see soak/run.py."""
    with stand_in() as url:
        world = make_world(url, options.seed)
        done = 0
        while done < options.deaths:
            step = min(len(DEATHS), options.deaths - done)
            deaths(world, step)
            done += step
            print(f"{done} de {options.deaths} mortes: nada perdido, nada em dobro", flush=True)
