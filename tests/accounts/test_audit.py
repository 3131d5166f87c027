"""The audit trail."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM, record


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    ["UPDATE accounts_auditevent SET action = 'outra'", "DELETE FROM accounts_auditevent"],
)
def test_the_database_refuses_to_change_the_trail(account, statement):
    record(account, actor=SYSTEM, action="teste.feito", after={"valor": "1.00"})

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert list(AuditEvent.objects.values_list("action", flat=True)) == ["teste.feito"]


@pytest.mark.django_db(transaction=True)
def test_the_guard_stands_again_after_a_database_was_emptied(account):
    record(account, actor=SYSTEM, action="teste.feito")

    with pytest.raises(DatabaseError):
        AuditEvent.objects.all().delete()
