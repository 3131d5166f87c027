"""No address lets an account see, change or refer to what is another's.

TABLE says of every address of the router which objects stand in it, what a good body is and which
objects that body refers to. An address without a line here fails. From each line come the tests:
who may not ask, the other account's ids in each segment and in each reference, and a malformed
body; and after each of them every row of the database is as before.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import URLResolver, get_resolver
from factories import cnpj
from support.emptying import with_rows
from support.tenants import (
    DAY,
    World,
    build,
    company,
    contract,
    invoice,
    invoice_changes,
    nothing,
    organization,
    person,
    plan,
    rule,
    service_item,
    subscription,
    webhook,
)
from support.wire import Api

from accounts.models import Account, ApiToken
from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token, revoke_token

SECRET = "Alheio"  # in every text of the other account

Body = Callable[[World], dict[str, Any]]


@dataclass(frozen=True)
class Reference:
    """An attribute of a body that names an object: where it stands, which object, what follows.

    `path` is dotted, numbers are positions; `status` is what naming another's object is told.
    """

    path: str
    names: str
    status: int = 404


@dataclass(frozen=True)
class Line:
    """An address. `segments` tells the object of each; `leaks` are queries that name another's."""

    segments: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Body] = field(default_factory=dict)
    references: dict[str, tuple[Reference, ...]] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()


# --- the table ---------------------------------------------------------------------------------

OF_ORGANIZATION = {"organization_id": "organization"}
OF_CONTRACT = {"contract_id": "contract"}
AN_INVOICE = OF_CONTRACT | {"id": "invoice"}
A_RECEIVABLE = OF_CONTRACT | {"receivable_id": "receivable"}
ALL_DAYS = "issue_date_from=2020-01-01&issue_date_to=2030-01-01"
ALL_DUE = "due_date_from=2020-01-01&due_date_to=2030-01-01"

PARTIES = (
    Reference("customer_id", "company"),
    Reference("supplier_id", "organization"),
)
ITEM = Reference("services.0.service_item_id", "service_item")


def action(segments: dict[str, str]) -> Line:
    return Line(segments, {"patch": nothing})


TABLE: dict[str, Line] = {
    "organizations": Line(bodies={"post": organization}),
    "organizations/search": Line(leaks=("cnpj={organization_cnpj}", "cnpj={company_cnpj}")),
    "organizations/<id>": Line({"id": "organization"}, {"patch": organization}),
    "companies": Line(bodies={"post": company}),
    "companies/search": Line(leaks=("cnpj={company_cnpj}", "cnpj={organization_cnpj}")),
    "companies/<id>": Line({"id": "company"}, {"patch": company}),
    "people": Line(bodies={"post": person}),
    "people/search": Line(leaks=("cpf={person_cpf}",)),
    "people/<id>": Line({"id": "person"}, {"patch": person}),
    "service_items": Line(bodies={"post": service_item}),
    "service_items/search": Line(leaks=("name={service_item_name}",)),
    "service_items/<id>": Line({"id": "service_item"}, {"patch": service_item}),
    "contracts": Line(bodies={"post": contract}, references={"post": PARTIES}),
    "contracts/search": Line(leaks=("name=Alheio", "customer_id={company}")),
    "contracts/<id>": Line({"id": "contract"}, {"patch": contract}, {"patch": PARTIES}),
    "organizations/<organization_id>/contracts": Line(OF_ORGANIZATION),
    "organizations/<organization_id>/contracts/<id>": Line(OF_ORGANIZATION | {"id": "contract"}),
    "organizations/<organization_id>/email_templates": Line(OF_ORGANIZATION),
    "organizations/<organization_id>/nfses/search": Line(
        OF_ORGANIZATION, leaks=("q[id_eq]={nfse}", "q[invoice_id_in][]={invoice}", "")
    ),
    "organizations/<organization_id>/nfse_templates": Line(OF_ORGANIZATION),
    "organizations/<organization_id>/charge_templates": Line(OF_ORGANIZATION),
    "organizations/<organization_id>/charge_templates/<id>": Line(
        OF_ORGANIZATION | {"id": "charge_template"}
    ),
    "organizations/<organization_id>/financial_accounts": Line(OF_ORGANIZATION),
    "organizations/<organization_id>/financial_accounts/<id>": Line(
        OF_ORGANIZATION | {"id": "financial_account"}
    ),
    "organizations/<organization_id>/plans": Line(
        OF_ORGANIZATION,
        {"post": plan},
        {"post": (Reference("products.0.service_item_id", "service_item"),)},
    ),
    "organizations/<organization_id>/plans/<id>": Line(
        OF_ORGANIZATION | {"id": "plan"},
        {"patch": plan},
        {
            "patch": (
                Reference("products.0.service_item_id", "service_item"),
                Reference("products.0.id", "plan_product"),
            )
        },
    ),
    "webhooks": Line(bodies={"post": webhook}),
    "webhooks/<id>": Line({"id": "webhook"}, {"patch": webhook}),
    "subscriptions": Line(
        bodies={"post": subscription}, references={"post": (Reference("plan_id", "plan"),)}
    ),
    "subscriptions/token/<token>": Line({"token": "subscription_token"}),
    "subscriptions/<token>/change_plan": Line(
        {"token": "subscription_token"},
        {"patch": lambda world: {"new_plan_id": world["plan"]}},
        {"patch": (Reference("new_plan_id", "plan"),)},
    ),
    "subscriptions/<token>/cancel": action({"token": "subscription_token"}),
    "contracts/<contract_id>/invoice_rules": Line(
        OF_CONTRACT,
        {"post": rule},
        # An unknown template has a message of its own (billing-api §6.10).
        {"post": (ITEM, Reference("invoice_template_id", "invoice_template", 422))},
    ),
    "contracts/<contract_id>/invoice_rules/<id>": Line(
        OF_CONTRACT | {"id": "rule"},
        {"patch": rule},
        {"patch": (ITEM, Reference("services.0.id", "rule_service"))},
    ),
    "organizations/<organization_id>/invoice_templates": Line(OF_ORGANIZATION),
    "organizations/<organization_id>/invoice_templates/search": Line(
        OF_ORGANIZATION, leaks=("type=invoice_rule", "type=invoice")
    ),
    "organizations/<organization_id>/invoice_templates/<id>": Line(
        OF_ORGANIZATION | {"id": "invoice_template"}
    ),
    "organizations/<organization_id>/invoices/search": Line(
        OF_ORGANIZATION, leaks=("", "q[contract_id_eq]={contract}", "q[customer_id_eq]={company}")
    ),
    "contracts/<contract_id>/invoices": Line(
        OF_CONTRACT,
        {"post": invoice},
        {"post": (ITEM, Reference("invoice_template_id", "invoice_template", 422))},
    ),
    "contracts/<contract_id>/invoices/search": Line(OF_CONTRACT, leaks=(ALL_DAYS,)),
    "contracts/<contract_id>/invoices/late": Line(OF_CONTRACT),
    "contracts/<contract_id>/invoices/<id>": Line(
        AN_INVOICE,
        {"patch": invoice_changes},
        {
            "patch": (
                ITEM,
                Reference("services.0.id", "invoice_line"),
                Reference("receivables.0.id", "receivable"),
                Reference("attachments.0.id", "attachment"),
            )
        },
    ),
    "contracts/<contract_id>/invoices/<id>/block": action(AN_INVOICE),
    "contracts/<contract_id>/invoices/<id>/approve": action(AN_INVOICE),
    "contracts/<contract_id>/invoices/<id>/emit": action(AN_INVOICE),
    "contracts/<contract_id>/invoices/<id>/undo_emission": action(AN_INVOICE),
    "contracts/<contract_id>/invoices/<id>/cancel": action(AN_INVOICE),
    "contracts/<contract_id>/invoices/<id>/undo_cancellation": action(AN_INVOICE),
    "contracts/<contract_id>/receivables/search": Line(OF_CONTRACT, leaks=(ALL_DUE,)),
    "contracts/<contract_id>/receivables/<receivable_id>/receive": action(A_RECEIVABLE),
    "contracts/<contract_id>/receivables/<receivable_id>/undo_receipt": action(A_RECEIVABLE),
}
TABLE = {f"api/v1/{route}": line for route, line in TABLE.items()}
TABLE["crm/invoice/<str:invoice_id>/pdf"] = Line({"invoice_id": "invoice"})

# What is not seen through a token, and the test that guards it.
OPEN = {
    "api/schema": "test_openapi",
    "api/docs": "test_openapi",
    "files/<str:signed>": "test_attachments",
    "documents/invoices/<str:signed>": "test_invoice_links",
    "documents/boletos/<str:signed>.pdf": "test_receivables",
    "documents/notes/<str:signed>.pdf": "test_batches",
    "documents/notes/<str:signed>.xml": "test_batches",
    **dict.fromkeys(
        (
            "p/f/<str:token>/",
            "p/f/<str:token>/pdf/",
            "p/f/<str:token>/novo-link/",
            "p/f/<str:token>/boleto/<int:position>.pdf",
            "p/f/<str:token>/2via/<int:position>/",
            "p/f/<str:token>/pix/<int:position>/",
            "p/f/<str:token>/pagar/<int:position>/",
            "p/f/<str:token>/desistir/<int:position>/",
            "p/f/<str:token>/atualizar/",
        ),
        "test_public_invoice",
    ),
    "cartao/<uuid:key>/": "test_charging",
    "cartao/<uuid:key>/confirmar/": "test_charging",
    "hooks/<uuid:hook>": "test_notices",
    "hooks/<uuid:hook>/<path:rest>": "test_notices",
    "health_check": "test_health",
    "health/worker": "test_health",
    "": "test_admin",
}

VERBS = ("get", "post", "put", "patch", "delete")


ELSEWHERE = ("admin/", "v2/", "central/", "__teste__/")


def endpoints(resolver: URLResolver | None = None, prefix: str = "") -> dict[str, Any]:
    """Route → view of every address but those that have a matrix of their own.

    Fiscal's is tests/fiscal/test_v2_tenancy.py: /v2 and the published files. The customers' portal
    is tests/portal/test_tenancy.py, the back-office tests/billing/test_admin.py.
    """
    found: dict[str, Any] = {}
    for one in (resolver or get_resolver()).url_patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            found |= {} if route in ELSEWHERE else endpoints(one, route)
        elif not _is_fiscal(one.callback):
            found[route] = one.callback
    return found


def _is_fiscal(view: Any) -> bool:
    return getattr(view, "view_class", view).__module__.startswith("fiscal.")


def cases() -> list[tuple[str, str]]:
    """(route, method) of what is seen through a token."""
    return [
        (route, method)
        for route, view in endpoints().items()
        for method in VERBS
        if route in TABLE and hasattr(view.view_class, method)
    ]


CASES = cases()


# --- two accounts with one of everything -------------------------------------------------------


@pytest.fixture
def worlds(account, other_account, today) -> tuple[World, World]:
    today(DAY)
    mine = build(account, "Meu", 1000)
    theirs = build(other_account, SECRET, 2000)
    return mine, theirs


def fingerprint() -> dict[str, str]:
    """Table with rows → SHA-256 of them all; without what each request touches on its own."""
    found = {}
    filled = with_rows(connection)
    for model in apps.get_models():
        if model._meta.app_label not in ("accounts", "billing"):
            continue
        if model._meta.db_table not in filled:
            continue
        names = [f.attname for f in model._meta.concrete_fields if f.attname != "last_used_at"]
        rows = model._base_manager.order_by("pk").values_list(*names)
        found[model.__name__] = hashlib.sha256(repr(list(rows)).encode()).hexdigest()
    return found


@contextmanager
def unchanged(before: dict[str, str]) -> Iterator[None]:
    """What happens inside is undone; fails when a row was other than `before` by its end."""
    with transaction.atomic():
        yield
        after = fingerprint()
        transaction.set_rollback(True)
    names = before.keys() | after.keys()
    assert [name for name in names if after.get(name) != before.get(name)] == []


# --- calling -----------------------------------------------------------------------------------


def address(route: str, named: dict[str, Any]) -> str:
    """The route with values in its segments."""
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(named[m[1]]), route)


def segments(route: str, world: World) -> dict[str, Any]:
    return {name: world[key] for name, key in TABLE[route].segments.items()}


def call(api: Api, method: str, path: str, body: Any = None) -> Any:
    cache.clear()  # one test makes more requests than a minute allows
    headers = {"Authorization": f"Token token={api.token}"} if api.token else {}
    if method in ("get", "delete"):
        return api.client.generic(method.upper(), path, headers=headers)
    data = body if isinstance(body, bytes) else _dumped(body)
    return api.client.generic(
        method.upper(), path, data, content_type="application/json", headers=headers
    )


def _dumped(body: Any) -> bytes:
    return json.dumps(body).encode()


def good_body(route: str, method: str, world: World) -> Any:
    bodies = TABLE[route].bodies
    make = bodies.get(method) or bodies.get("patch" if method == "put" else method, nothing)
    return make(world)


def references(route: str, method: str) -> tuple[Reference, ...]:
    return TABLE[route].references.get("patch" if method == "put" else method, ())


def put_at(body: Any, path: str, value: Any) -> Any:
    """A copy of the body with `value` at the dotted path."""
    changed = copy.deepcopy(body)
    *steps, last = path.split(".")
    node = changed
    for step in steps:
        node = node[int(step)] if step.isdigit() else node[step]
    node[int(last) if last.isdigit() else last] = value
    return changed


def is_empty(answer: Any, status: int) -> None:
    assert (answer.status_code, answer.content) == (status, b"")


# --- the tests ---------------------------------------------------------------------------------


def test_every_address_has_a_line_and_every_line_an_address():
    known = set(TABLE) | set(OPEN)

    assert set(endpoints()) - known == set(), "add them to TABLE"
    assert known - set(endpoints()) == set()


def test_every_segment_and_every_write_is_told():
    for route, method in CASES:
        names = re.findall(r"<(?:\w+:)?(\w+)>", route)
        assert list(TABLE[route].segments) == names, route
        if method in ("post", "patch"):
            assert method in TABLE[route].bodies, route
    for line in TABLE.values():
        assert set(line.references) <= set(line.bodies)


# A token is looked up before anything else: no database can make a difference to who has none.
@pytest.mark.either_engine
@pytest.mark.django_db
def test_whoever_has_no_good_token_is_told_nothing(worlds, subtests):
    mine, _ = worlds
    account = mine["account"]
    revoked, secret = create_token(account, name="Revogado", scope=ApiToken.Scope.BILLING)
    revoke_token(revoked.pk, account=account, actor=SYSTEM)
    seals = {"company_cnpj": cnpj(1), "ambiente": "homologacao"}
    _, fiscal = create_token(account, name="Fiscal", scope=ApiToken.Scope.FISCAL, **seals)
    before = fingerprint()

    for route, method in CASES:
        path, body = address(route, segments(route, mine)), good_body(route, method, mine)
        with subtests.test(route=route, method=method), unchanged(before):
            for token in ("", "0" * 32, secret, fiscal):
                nobody = Api(token, mine["api"].client)
                is_empty(call(nobody, method, path, body), 401)
                is_empty(call(nobody, method, path, b"{"), 401)


@pytest.mark.django_db
def test_the_other_accounts_ids_in_the_address_are_unknown(worlds, subtests):
    mine, theirs = worlds
    before = fingerprint()

    for route, method in CASES:
        own, foreign = segments(route, mine), segments(route, theirs)
        paths = {address(route, own | {name: foreign[name]}) for name in own}
        paths |= {address(route, foreign)} if own else set()
        queries = TABLE[route].leaks or ("",)
        bodies = ({}, good_body(route, method, mine), good_body(route, method, theirs))
        with subtests.test(route=route, method=method), unchanged(before):
            for path in sorted(paths):
                for query in queries:
                    full = f"{path}?{query.format(**theirs)}"
                    for body in bodies if method != "get" else ({},):
                        is_empty(call(mine["api"], method, full, body), 404)


@pytest.mark.django_db
def test_the_other_accounts_ids_in_the_body_are_unknown(worlds, subtests):
    mine, theirs = worlds
    before = fingerprint()

    for route, method in CASES:
        path, body = address(route, segments(route, mine)), good_body(route, method, mine)
        for one in references(route, method):
            with subtests.test(route=route, method=method, body=one.path), unchanged(before):
                for value in (theirs[one.names], str(theirs[one.names])):
                    answer = call(mine["api"], method, path, put_at(body, one.path, value))
                    assert answer.status_code == one.status, answer.content
                    assert SECRET.encode() not in answer.content


# What own objects are told where it is no success: an address that cannot be proved, steps that
# the invoice's state does not allow, and objects that others still refer to.
REFUSED = {
    *((f"api/v1/{name}/<id>", "delete") for name in ("organizations", "companies", "contracts")),
    ("api/v1/service_items/<id>", "delete"),
    ("api/v1/organizations/<organization_id>/plans/<id>", "delete"),
    ("api/v1/contracts/<contract_id>/invoices/<id>", "delete"),
    ("api/v1/webhooks", "post"),
    *(
        (f"api/v1/contracts/<contract_id>/invoices/<id>/{step}", "patch")
        for step in ("approve", "undo_emission", "undo_cancellation")
    ),
    *(
        (f"api/v1/contracts/<contract_id>/receivables/<receivable_id>/{step}", "patch")
        for step in ("receive", "undo_receipt")
    ),
}
GOOD = {"get": 200, "post": 201, "put": 200, "patch": 200, "delete": 204}


@pytest.mark.django_db
def test_with_its_own_objects_everything_works_and_shows_nothing_of_another(worlds, subtests):
    """So the tests above refuse for the right reason."""
    mine, theirs = worlds
    others = rows_of(theirs["account"])

    for route, method in CASES:
        if route.startswith("crm/"):
            continue  # a drawn page, tested with its own rows in test_crm_pdf
        path, body = address(route, segments(route, mine)), good_body(route, method, mine)
        queries = TABLE[route].leaks or ("",)
        is_refused = (route, "patch" if method == "put" else method) in REFUSED
        expected = 422 if is_refused else GOOD[method]
        with subtests.test(route=route, method=method), transaction.atomic():
            for query in queries:
                answer = call(mine["api"], method, f"{path}?{query.format(**theirs)}", body)
                assert SECRET.encode() not in answer.content
                leak = method == "get" and "{" in query
                assert answer.status_code in ((200, 404) if leak else (expected,)), answer.content
            assert rows_of(theirs["account"]) == others
            transaction.set_rollback(True)


def rows_of(account: Account) -> dict[str, list[Any]]:
    """Every row that names the account, of every table."""
    found = {}
    for model in apps.get_models():
        if any(f.attname == "account_id" for f in model._meta.concrete_fields):
            names = [f.attname for f in model._meta.concrete_fields if f.attname != "last_used_at"]
            rows = model._base_manager.filter(account_id=account.pk).order_by("pk")
            found[model.__name__] = list(rows.values_list(*names))
    return found


@pytest.mark.django_db
def test_a_malformed_body_changes_nothing(worlds, subtests):
    mine, _ = worlds
    before = fingerprint()

    for route, method in CASES:
        if method not in ("post", "put", "patch"):
            continue
        path = address(route, segments(route, mine))
        with subtests.test(route=route, method=method), unchanged(before):
            for data in (b"{", b"[]", b'{"a": NaN}', b"\xff"):
                is_empty(call(mine["api"], method, path, data), 400)
