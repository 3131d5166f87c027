"""The people of a customer's company: who is in, with which role (ux P20)."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from accounts.models import SecondFactor
from accounts.services import sessions
from accounts.services.audit import Actor, record
from accounts.services.sign_in import is_customer
from billing.models import CustomerAccess, Party
from billing.services.invitations import open_invitations
from lib import clock
from lib.errors import Conflict

Role = CustomerAccess.Role


class LastTitular(Conflict):
    codigo = "ultimo_titular"
    mensagem = "Mantenha pelo menos um titular."


def users_of(customer: Party) -> QuerySet[CustomerAccess]:
    """Each access with its user, `has_second_factor` and `last_seen_at`, by name."""
    factor = SecondFactor.objects.filter(user=OuterRef("user"), confirmed_at__isnull=False)
    rows: QuerySet[CustomerAccess] = (
        CustomerAccess.objects.of(customer.account)
        .filter(customer=customer)
        .select_related("user")
        .annotate(
            has_second_factor=Exists(factor), last_seen_at=Max("user__user_sessions__seen_at")
        )
        .order_by("user__name", "user__email")
    )
    return rows


def get_access(customer: Party, access_id: int) -> CustomerAccess:
    """Raises NotFound for what is no access to this customer."""
    found: CustomerAccess = (
        CustomerAccess.objects.select_related("user", "customer__account")
        .get_of(customer.account, pk=access_id, customer=customer)
    )  # fmt: skip
    return found


@transaction.atomic
def change_role(access_id: int, *, customer: Party, role: str, actor: Actor) -> CustomerAccess:
    """Audited as usuario.papel. Raises NotFound, LastTitular."""
    row = _held(customer, access_id)
    if row.role == role:
        return row
    if row.role == Role.TITULAR:
        _keep_one(customer, without=row)
    before, row.role = row.role, role
    row.save(update_fields=["role"])
    told = {"email": row.user.email, "empresa": customer.name}
    record(
        customer.account, actor=actor, action="usuario.papel", target=row,
        before={**told, "papel": before}, after={**told, "papel": role},
    )  # fmt: skip
    return row


@transaction.atomic
def remove(access_id: int, *, customer: Party, actor: Actor) -> None:
    """Take the access away; who has no other is signed out everywhere.

    Open invitations of the address go too. Audited as usuario.removido. Raises NotFound,
    LastTitular.
    """
    row = _held(customer, access_id)
    if row.role == Role.TITULAR:
        _keep_one(customer, without=row)
    told = {"email": row.user.email, "papel": row.role, "empresa": customer.name}
    record(customer.account, actor=actor, action="usuario.removido", target=row, before=told)
    open_invitations(customer).filter(email=row.user.email).update(revoked_at=clock.now())
    row.delete()
    if not is_customer(row.user):
        sessions.end_all(row.user)


def _held(customer: Party, access_id: int) -> CustomerAccess:
    """The access, the customer locked: two who take the last titulars away wait for each other."""
    Party.objects.select_for_update().get(pk=customer.pk)
    return get_access(customer, access_id)


def _keep_one(customer: Party, *, without: CustomerAccess) -> None:
    others = CustomerAccess.objects.filter(
        customer=customer, role=Role.TITULAR, user__is_active=True
    )
    if not others.exclude(pk=without.pk).exists():
        raise LastTitular()
