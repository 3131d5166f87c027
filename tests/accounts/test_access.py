"""Roles and permissions: the table in the code is the table of the specification (ux §5)."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import AccountFactory, MembershipFactory, UserFactory

from accounts.access import (
    PERMISSIONS,
    Capability,
    Level,
    Role,
    accounts_of,
    can,
    grant,
    may_use_model,
    role_in,
)
from accounts.models import User

TABLE = Path(__file__).parent.parent / "fixtures" / "permissions.md"

# What the specification says beside a mark, and how the product says it.
LIMITS = {
    "": "",
    "one invoice": "uma fatura",
    "current boleto": "boleto atual",
    "scope pagar": "escopo pagar",
    "scope baixar": "escopo baixar",
    "own": "próprias",
    "own company": "própria empresa",
    "own area": "própria área",
    "emit only": "só emitir",
    "replay": "reenviar",
    "on request, audited": "a pedido, auditado",
}


def specified() -> list[list[str]]:
    """The rows of the specification's table, header and rule left out."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def parsed(cell: str) -> tuple[Level, str]:
    """`L (current boleto)` → READ and its limit; a cell of words alone is a limited ✓."""
    if cell[:1] in list(Level):
        level, note = Level(cell[0]), cell[1:]
    else:
        level, note = Level.FULL, cell
    return level, LIMITS[note.strip().strip("()")]


ROWS = list(zip(Capability, specified(), strict=True))


@pytest.mark.parametrize(
    ("capability", "row"), ROWS, ids=[row[0].split(":")[0][:40] for _, row in ROWS]
)
def test_each_cell_of_the_table_is_the_specification_s(capability, row):
    found = {role: (given.level, given.limit) for role, given in PERMISSIONS[capability].items()}

    assert found == dict(zip(Role, map(parsed, row[1:]), strict=True))


def test_an_unknown_role_may_nothing():
    for capability in Capability:
        assert grant("diretoria", capability).level is Level.NONE
        assert not can("", capability)


def test_reading_is_not_writing():
    assert can("suporte", Capability.INVOICES)
    assert not can("suporte", Capability.INVOICES, write=True)


@pytest.mark.django_db
def test_a_role_counts_only_in_its_account(account, other_account):
    user = MembershipFactory(account=account, role="fiscal").user

    assert role_in(user, account) == "fiscal"
    assert role_in(user, other_account) == ""
    assert accounts_of(user, Capability.CUSTOMERS, write=True) == [account.pk]
    assert accounts_of(user, Capability.APPROVE) == []


@pytest.mark.django_db
def test_the_operator_acts_as_administrator_everywhere(account):
    operator = UserFactory(is_superuser=True)

    assert role_in(operator, account) == Role.ADMIN
    assert may_use_model(operator, "accounts.view_heartbeat")
    assert operator.is_staff


@pytest.mark.django_db
def test_a_deactivated_account_gives_its_staff_nothing():
    closed = AccountFactory(slug="fechada", is_active=False)
    user = MembershipFactory(account=closed, role="admin").user

    assert role_in(user, closed) == ""
    assert not user.is_staff
    assert not may_use_model(user, "billing.view_invoice")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("perm", "allowed"),
    [
        ("billing.view_invoice", True),
        ("billing.change_party", True),
        ("billing.change_contract", False),
        ("billing.view_contract", True),
        ("accounts.view_apitoken", False),
        ("accounts.view_heartbeat", False),
        ("billing.view_unknown", False),
        ("nonsense", False),
    ],
)
def test_django_s_questions_are_answered_from_the_table(account, perm, allowed):
    user = MembershipFactory(account=account, role="fiscal").user

    assert user.has_perm(perm) is allowed
    assert user.has_perms([perm]) is allowed


@pytest.mark.django_db
def test_an_inactive_person_may_nothing(account):
    member = MembershipFactory(account=account, role="admin").user
    User.objects.filter(pk=member.pk).update(is_active=False)

    user = User.objects.get(pk=member.pk)

    assert not user.has_perm("billing.view_invoice")
    assert not user.has_module_perms("billing")
