"""What is another customer's does not exist, in any address of the portal (P-17, ux §1.5)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import models
from django.urls import URLResolver, get_resolver
from support.dispute_rows import dispute_rows

from accounts.models import Account, Job, User, UserSession
from billing.models import (
    Contract,
    CustomerAccess,
    Dispute,
    DisputeFile,
    Invitation,
    Invoice,
    Party,
    Payment,
    SavedMethod,
)
from lib import clock

OTHER = "titular@boavista.test"
A_NUMBER, A_KEY = 987_654_321, str(uuid.UUID(int=7))
# Addresses whose token is the right itself; each has tests of forged and revoked ones.
BY_TOKEN = {
    "convite/<str:token>/": "test_invitations",
    "convite/<str:token>/reenviar/": "test_invitations",
    "senha/redefinir/<str:token>/": "test_passwords",
    "preferencias/link/<str:token>/": "test_preferences",
    "preferencias/confirmar/<str:token>/": "test_preferences",
}
# Of nobody: the same for every customer.
OF_ALL = {"ajuda/<slug:slug>/": "test_help", "cep/<str:cep>/": "test_company"}


def routes(resolver: URLResolver | None = None, prefix: str = "") -> list[str]:
    """Every address under /central/ that names something."""
    found = []
    for one in (resolver or get_resolver()).url_patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            found += routes(one, route)
        elif route.startswith("central/") and "<" in route:
            found.append(route.removeprefix("central/"))
    return found


def copy_of(row: models.Model, **changes: Any) -> Any:
    """The row again, as somebody else's."""
    row.pk, row._state.adding = None, True
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    return row


@pytest.fixture
def theirs(demo: Account) -> dict[str, Any]:
    """What each part of an address is called for the other customer: name of the part → value."""
    customer = Party.objects.of(demo).get(external_code="demo-b")
    user = User.objects.get(email=OTHER)
    invoice = Invoice.objects.of(demo).filter(customer=customer).order_by("number").first()
    access = CustomerAccess.objects.get(user=user)
    payment = copy_of(
        Payment.objects.of(demo).filter(state="succeeded").first(),
        customer=customer, invoice=invoice, key=uuid.uuid4(), external_id="de outro",
        receivable=invoice.receivables.get(), saved_method=None, charge=None,
    )  # fmt: skip
    rows = dispute_rows({Account: demo, Invoice: invoice, User: user}, "OUTRO")
    session = UserSession.objects.create(
        user=user, digest="de outro", created_at=clock.now(), seen_at=clock.now()
    )
    invitation = Invitation.objects.create(
        account=demo, customer=customer, email="c@boavista.test", role="titular",
        digest="de outro", created_at=clock.now(), expires_at=clock.now(),
    )  # fmt: skip
    return {
        "number": invoice.series.label(invoice.number),
        "contract_id": copy_of(
            Contract.objects.of(demo).filter(kind="sale", status="established").first(),
            party=customer, name="De outro", token="0" * 32, external_code="",
        ).pk,
        "protocol": rows[Dispute].protocol,
        "file_id": rows[DisputeFile].pk,
        "payment_id": payment.pk,
        "key": payment.key,
        "method_id": copy_of(
            SavedMethod.objects.of(demo).filter(state="active").first(),
            customer=customer, reference="pm_de_outro", is_default=False,
        ).pk,
        "job_id": Job.objects.create(account=demo, kind="portal.export", started_by=user).pk,
        "access_id": access.pk,
        "session_id": session.pk,
        "invitation_id": invitation.pk,
    }  # fmt: skip


def filled(route: str, values: dict[str, Any]) -> str:
    """The address; a part that names no row of its own is 1, or pdf."""

    def value(part: re.Match[str]) -> str:
        name = part[1]
        return str(values.get(name, {"note_id": 1, "kind": "pdf"}.get(name, "")))

    return "/central/" + re.sub(r"<(?:\w+:)?(\w+)>", value, route)


def test_every_address_that_names_something_is_walked(theirs: dict[str, Any]) -> None:
    names = {name for route in walked() for name in re.findall(r"<(?:\w+:)?(\w+)>", route)}

    assert names - set(theirs) == {"note_id", "kind"}
    assert len(walked()) > 25
    assert set(BY_TOKEN) | set(OF_ALL) <= set(routes())


def led_to(answer: Any, values: dict[str, Any]) -> str:
    """Where a redirect goes, without what was in the address already."""
    where = str(answer["Location"])
    for value in values.values():
        where = where.replace(str(value), "…") if len(str(value)) > 3 else where
    return where


def walked() -> list[str]:
    return [route for route in routes() if route not in {**BY_TOKEN, **OF_ALL}]


def test_what_is_anothers_answers_like_what_is_not_there(
    central: Callable[..., Any], theirs: dict[str, Any], subtests: Any
) -> None:
    mine, owner = central(), central(OTHER)
    missing = {
        name: A_KEY if name == "key" else "CTS-2026-999999" if name == "protocol" else A_NUMBER
        for name in theirs
    }
    seen = 0

    for route in walked():
        with subtests.test(route=route):
            for method in ("get", "post"):
                foreign = getattr(mine, method)(filled(route, theirs))
                nothing = getattr(mine, method)(filled(route, missing))
                assert foreign.status_code == nothing.status_code, method
                assert foreign.content == nothing.content
                if method == "get" and foreign.status_code == 302:  # where a form leads back to
                    assert led_to(foreign, theirs) == led_to(nothing, missing)
                    continue
                assert foreign.status_code in (404, 405), method
            # It is there for whom it belongs to, or this would show nothing.
            seen += owner.get(filled(route, theirs)).status_code == 200
    assert seen > 10
