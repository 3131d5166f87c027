"""A company that receives what another one issues."""

from __future__ import annotations

from typing import Any

import pytest
from support.certificates import certify
from support.v2 import V2, fiscal_token, v2

from fiscal.models import Company, Source
from fiscal.services.received import cursors
from fiscal.tasks import fetch_received
from lib import clock

BUYER = "11444777000161"  # of support.issuing.nfe_body


@pytest.fixture
def buyer(account: Any) -> Company:
    """It wants what is issued against it."""
    from factories import FiscalCompanyFactory

    made: Company = FiscalCompanyFactory(
        account=account, cnpj=BUYER, options={"habilita_manifestacao": True}
    )
    certify(made)
    return made


@pytest.fixture
def inbox(buyer: Company) -> V2:
    """A client of /v2 for the buyer in homologação."""
    return v2(fiscal_token(buyer))


@pytest.fixture
def fetch(buyer: Company, sandbox: Any) -> Any:
    """What the schedule does when the buyer's turn has come; the authority's hour is over."""

    def now(*, later: bool = False) -> Any:
        cursor = cursors.cursor_of(
            buyer, source=Source.NFE, ambiente="homologacao", now=clock.now()
        )
        if later:
            forget_the_hour(sandbox, cursor)
        fetch_received(cursor.pk)
        cursor.refresh_from_db()
        return cursor

    return now


def forget_the_hour(sandbox: Any, cursor: Any) -> None:
    """More than an hour goes by, for the authority and for us."""
    from fiscal.models import Consumption

    sandbox.clock(avancar=3700)
    type(cursor).objects.filter(pk=cursor.pk).update(blocked_until=None, next_at=clock.now())
    Consumption.objects.filter(service="distribuicao").delete()
