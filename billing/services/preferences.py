"""Which notices a customer wants, and by which channel (P18). The senders ask `wants`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.urls import reverse

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.models import NotificationPreference, Party
from lib.errors import NotFound

Event = NotificationPreference.Event
Channel = NotificationPreference.Channel
LOCKED = NotificationPreference.LOCKED
LOCKED_WHY = "Aviso obrigatório do contrato"
# WhatsApp has no sender yet; with one it is offered, and off until the customer turns it on.
CHANNELS: tuple[Channel, ...] = (Channel.EMAIL,)
_OFF_AT_FIRST = {(Event.MONTHLY, Channel.EMAIL)}

_SALT = "billing.preferences"
_LONGEST_TOKEN = 500


@dataclass(frozen=True)
class Cell:
    """One box of the grid. `name` is its field in forms."""

    event: Event
    channel: Channel
    is_on: bool
    is_locked: bool

    @property
    def name(self) -> str:
        return name_of(self.event, self.channel)


@dataclass(frozen=True)
class Row:
    """An event and its boxes, one for each channel."""

    event: Event
    cells: tuple[Cell, ...]


def wants(customer_id: int, event: str, channel: str = Channel.EMAIL) -> bool:
    """Is a customer told of this event by this channel? What the contract owes them always is."""
    event, channel = Event(event), Channel(channel)
    if _is_locked(event, channel):
        return True
    rows = NotificationPreference.objects.filter(customer=customer_id, event=event, channel=channel)
    chosen = rows.values_list("is_on", flat=True).first()
    return _shipped(event, channel) if chosen is None else chosen


def unwilling(customer_ids: Collection[int], event: Event) -> set[int]:
    """Those of many customers who turned an event's e-mails off; one query."""
    rows = NotificationPreference.objects.filter(
        customer__in=customer_ids, event=event, channel=Channel.EMAIL, is_on=False
    )
    return set(rows.values_list("customer_id", flat=True))


def grid_of(customer: Party) -> list[Row]:
    """Every event with how it stands now; one query."""
    chosen = _chosen(customer)
    return [
        Row(event, tuple(_cell(event, channel, chosen) for channel in CHANNELS)) for event in Event
    ]


@transaction.atomic
def save_preferences(
    account: Account, customer: Party, *, on: Collection[str], actor: Actor
) -> bool:
    """Turn on exactly the boxes named in `on`; locked ones stay as they are (P18-1).

    Answers whether anything changed; only then the trail tells of it.
    """
    Party.objects.select_for_update(no_key=True).get_of(account, pk=customer.pk)
    before, after = {}, {}
    for row in grid_of(customer):
        for cell in row.cells:
            wanted = cell.name in on
            if cell.is_locked or wanted == cell.is_on:
                continue
            NotificationPreference.objects.update_or_create(
                customer=customer, event=cell.event, channel=cell.channel,
                defaults={"account": account, "is_on": wanted},
            )  # fmt: skip
            before[cell.name], after[cell.name] = cell.is_on, wanted
    if after:
        record(
            account, actor=actor, action="preferencias.alteradas", target=customer,
            before=before, after=after,
        )  # fmt: skip
    return bool(after)


def name_of(event: str, channel: str) -> str:
    """The box's field: `lembrete.email`."""
    return f"{event}.{channel}"


def _chosen(customer: Party) -> dict[tuple[str, str], bool]:
    rows = NotificationPreference.objects.filter(customer=customer)
    return {(event, channel): is_on
            for event, channel, is_on in rows.values_list("event", "channel", "is_on")}  # fmt: skip


def _cell(event: Event, channel: Channel, chosen: dict[tuple[str, str], bool]) -> Cell:
    is_locked = _is_locked(event, channel)
    is_on = is_locked or chosen.get((event, channel), _shipped(event, channel))
    return Cell(event, channel, is_on, is_locked)


def _is_locked(event: Event, channel: Channel) -> bool:
    return channel == Channel.EMAIL and event in LOCKED


def _shipped(event: Event, channel: Channel) -> bool:
    return channel == Channel.EMAIL and (event, channel) not in _OFF_AT_FIRST


# --- the page without login -----------------------------------------------------------------------


def preferences_path(customer: Party, address: str) -> str:
    """Where whoever got a notice at `address` chooses what comes; good for nothing else."""
    return reverse("public-preferences", args=[_signer().sign_object([customer.pk, address])])


def open_token(token: str) -> tuple[Party, str]:
    """The customer and the address that a token was made for. Raises NotFound. Writes nothing."""
    try:
        pk, address = _signer().unsign_object(token[:_LONGEST_TOKEN])
    except (BadSignature, ValueError, TypeError) as error:
        raise NotFound() from error
    rows = Party.objects.filter(pk=pk, account__is_active=True).select_related("account")
    customer = rows.first()
    if customer is None:
        raise NotFound()
    return customer, str(address)


def _signer() -> Signer:
    # A colon in an address is where some readers of mail end the link.
    return Signer(salt=_SALT, sep=".")
