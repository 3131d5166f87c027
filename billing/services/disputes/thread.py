"""What is written in an open dispute, by its customer and by staff (P09, B12)."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from accounts.models import Account, AuditEvent, User
from accounts.services.audit import Actor, record
from billing.models import Dispute, DisputeMessage, Party
from billing.services.disputes import collecting, files, letters, terms, words
from billing.services.disputes.faults import DisputeClosed
from billing.services.disputes.uploads import Upload, check_uploads
from billing.services.invoices import lock_invoice
from lib import clock
from lib.errors import NotFound

Author = DisputeMessage.Author
ENDED = "Contestação encerrada pelo cliente."


# --- by the customer ----------------------------------------------------------------------------


@transaction.atomic
def write(
    dispute_id: int,
    text: str,
    *,
    account: Account,
    customer: Party,
    user: User,
    actor: Actor,
    uploads: Sequence[Upload] = (),
) -> DisputeMessage:
    """A message of the customer; what staff had asked is answered by it.

    Raises NotFound, InvalidInput (`texto`, `anexos`), DisputeClosed.
    """
    dispute = _own(dispute_id, account, customer)
    said, checked = words.message(text), check_uploads(uploads)
    _check_live(dispute)
    if dispute.state == Dispute.State.WAITING:
        dispute.review()
        today = clock.today(account.time_zone)  # the clock of staff begins again
        dispute.answer_by = max(dispute.answer_by, terms.answer_by(dispute.invoice, today=today))
        dispute.save(update_fields=["state", "answer_by"])
    message = _add(
        dispute, said, author=Author.CUSTOMER, user_id=user.pk, name=user.name or user.email
    )
    files.keep(message, checked)
    letters.tell_written(message)
    after = {"mensagem": message.pk, "anexos": len(checked)}
    record(account, actor=actor, action="contestacao.mensagem", target=dispute, after=after)
    return message


@transaction.atomic
def withdraw(
    dispute_id: int, *, account: Account, customer: Party, user: User, actor: Actor
) -> Dispute:
    """The customer takes it back: collecting goes on. Raises NotFound, DisputeClosed."""
    dispute = _own(dispute_id, account, customer)
    _check_live(dispute)
    dispute.withdraw(at=clock.now())
    dispute.save(update_fields=["state", "closed_at"])
    collecting.go_on(dispute, actor=actor)
    message = _add(
        dispute, ENDED, author=Author.SYSTEM, user_id=user.pk, name=user.name or user.email
    )
    letters.tell_written(message)
    after = {"situacao": dispute.state}
    record(account, actor=actor, action="contestacao.encerrada", target=dispute, after=after)
    return dispute


# --- by staff -----------------------------------------------------------------------------------


@transaction.atomic
def take(dispute_id: int, *, account: Account, actor: Actor) -> Dispute:
    """Somebody of the team sees to it. Raises NotFound, DisputeClosed."""
    dispute = held(dispute_id, account)
    if dispute.state == Dispute.State.OPEN:
        dispute.review()
    dispute.assignee_id = _user_id(actor)
    dispute.save(update_fields=["state", "assignee"])
    after = {"responsavel": actor.label}
    record(account, actor=actor, action="contestacao.assumida", target=dispute, after=after)
    return dispute


def reply(dispute_id: int, text: str, *, account: Account, actor: Actor) -> DisputeMessage:
    """Write to the customer, in the portal and by e-mail.

    Raises NotFound, InvalidInput, DisputeClosed.
    """
    return _answer(dispute_id, text, account=account, actor=actor, asks=False)


def ask(dispute_id: int, text: str, *, account: Account, actor: Actor) -> DisputeMessage:
    """Ask the customer something: the clock of staff stands still until it is answered.

    Raises NotFound, InvalidInput, DisputeClosed.
    """
    return _answer(dispute_id, text, account=account, actor=actor, asks=True)


@transaction.atomic
def note(dispute_id: int, text: str, *, account: Account, actor: Actor) -> DisputeMessage:
    """A note for staff only, also in a dispute that is over. Raises NotFound, InvalidInput."""
    dispute = held(dispute_id, account, is_live=False)
    said = words.message(text, missing="Escreva a nota.")
    message = add_of_staff(dispute, said, actor=actor, is_internal=True)
    after = {"mensagem": message.pk}
    record(account, actor=actor, action="contestacao.nota_interna", target=dispute, after=after)
    return message


@transaction.atomic
def _answer(
    dispute_id: int, text: str, *, account: Account, actor: Actor, asks: bool
) -> DisputeMessage:
    dispute = held(dispute_id, account)
    said = words.message(text, missing=words.NO_ANSWER)
    if asks:
        dispute.wait()
    elif dispute.state == Dispute.State.OPEN:
        dispute.review()
    if dispute.answered_at is None:
        dispute.answered_at = clock.now()
        dispute.answer_by = terms.resolve_by(dispute, today=clock.today(account.time_zone))
    dispute.assignee_id = dispute.assignee_id or _user_id(actor)
    dispute.save(update_fields=["state", "answered_at", "answer_by", "assignee"])
    message = add_of_staff(dispute, said, actor=actor)
    letters.tell_answer(message)
    after = {"mensagem": message.pk, "situacao": dispute.state}
    record(account, actor=actor, action="contestacao.mensagem", target=dispute, after=after)
    return message


# --- shared -------------------------------------------------------------------------------------


def held(dispute_id: int, account: Account, *, is_live: bool = True) -> Dispute:
    """The account's dispute with its invoice, both locked. Raises NotFound, DisputeClosed."""
    known: Dispute = Dispute.objects.get_of(account, pk=dispute_id)
    invoice = lock_invoice(known.invoice_id, account=account)
    rows = Dispute.objects.select_for_update(of=("self",)).select_related("account", "customer")
    dispute = rows.get(pk=dispute_id)
    dispute.invoice = invoice
    if is_live:
        _check_live(dispute)
    return dispute


def add_of_staff(
    dispute: Dispute, text: str, *, actor: Actor, is_internal: bool = False
) -> DisputeMessage:
    """What staff write, under their name."""
    user_id = _user_id(actor)
    user = User.objects.filter(pk=user_id).first() if user_id is not None else None
    name = name_of(user) if user is not None else actor.label
    return _add(
        dispute, text, author=Author.STAFF, user_id=user_id, name=name, is_internal=is_internal
    )


def name_of(user: User) -> str:
    """How the thread calls a person."""
    return user.name or user.email


def _own(dispute_id: int, account: Account, customer: Party) -> Dispute:
    dispute = held(dispute_id, account, is_live=False)
    if dispute.customer_id != customer.pk:
        raise NotFound()
    return dispute


def _check_live(dispute: Dispute) -> None:
    if not dispute.is_live:
        raise DisputeClosed()


def _user_id(actor: Actor) -> int | None:
    return actor.id if actor.kind == AuditEvent.Actor.USER else None


def _add(
    dispute: Dispute,
    text: str,
    *,
    author: str,
    user_id: int | None,
    name: str,
    is_internal: bool = False,
) -> DisputeMessage:
    return DisputeMessage.objects.create(
        dispute=dispute,
        author=author,
        user_id=user_id,
        author_name=name[:200],
        text=text,
        is_internal=is_internal,
        at=clock.now(),
    )
