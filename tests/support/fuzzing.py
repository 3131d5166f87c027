"""Requests that the OpenAPI document allows and does not allow, thrown at every operation.

Whatever is sent, the answer must be one that the document tells of, and never a 500.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.tenants import World

from config.wsgi import application

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PREFIX = "/api/v1/"

# Attributes and segments that name an object → the object of the world.
_IDS = {
    "organization_id": "organization",
    "supplier_id": "organization",
    "customer_id": "company",
    "contract_id": "contract",
    "receivable_id": "receivable",
    "token": "subscription_token",
    "plan_id": "plan",
    "new_plan_id": "plan",
    "service_item_id": "service_item",
    "invoice_template_id": "invoice_template",
}
_OF_PATH = {
    "organizations": "organization",
    "companies": "company",
    "people": "person",
    "service_items": "service_item",
    "contracts": "contract",
    "invoice_rules": "rule",
    "invoices": "invoice",
    "plans": "plan",
    "webhooks": "webhook",
    "charge_templates": "charge_template",
    "financial_accounts": "financial_account",
    "invoice_templates": "invoice_template",
}


def operations() -> dict[str, Any]:
    """`GET /api/v1/companies` → the operation."""
    document = Client().get("/api/schema").json()
    for item in document["paths"].values():
        for operation in item.values():
            del operation["security"]  # else half of the bad requests just lack the token
    schema = schemathesis.openapi.from_dict(document)
    schema.app = application
    found = [result.ok() for result in schema.get_all_operations()]
    return {f"{one.method.upper()} {one.path}": one for one in found}


def attack(
    operation: Any,
    world: World,
    *,
    examples: int,
    number: int,
    seen: Counter[int] | None = None,
) -> None:
    """Call the operation `examples` times with what the document allows, and as often with what it
    does not; half of them name objects that exist. Fails with the request that brought a fault.

    Nothing stays in the database. `number` is the seed; `seen` counts the answers by status.
    """
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        cases = operation.as_strategy(generation_mode=mode)

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
            print_blob=False,
        )
        @given(case=cases, own=st.booleans())
        def one(case: Any, own: bool) -> None:
            if own:
                _name_own_objects(case, world)
            with _undone():
                response = case.call(headers={"Authorization": f"Token token={world['api'].token}"})
            if seen is not None:
                seen[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        # What takes nothing, or any text, cannot be asked wrongly.
        with suppress(*[Unsatisfiable] if mode == GenerationMode.NEGATIVE else []):
            one()


def _name_own_objects(case: Any, world: World) -> None:
    last = re.findall(r"/(\w+)/\{id\}", case.path)
    known = _IDS | ({"id": _OF_PATH[last[0]]} if last and last[0] in _OF_PATH else {})
    for name in case.path_parameters or {}:
        if name in known:
            case.path_parameters[name] = world[known[name]]
    if isinstance(case.body, dict):
        _fill(case.body, world)


def _fill(node: Any, world: World) -> None:
    for name, value in node.items() if isinstance(node, dict) else ():
        if name in _IDS:
            node[name] = world[_IDS[name]]
        else:
            _fill(value, world)
    for value in node if isinstance(node, list) else ():
        _fill(value, world)


@contextmanager
def _undone() -> Iterator[None]:
    with _connected(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def _connected() -> Iterator[None]:
    """Django ends requests by closing connections that are inside a transaction, as ours is."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    try:
        yield
    finally:
        request_started.connect(close_old_connections)
        request_finished.connect(close_old_connections)


def told(error: BaseException) -> str:
    """The fault and the request that shows it, for whoever repairs it."""
    inner = getattr(error, "exceptions", (error,))
    return "\n".join(dict.fromkeys(str(one)[:4000] for one in (error, *inner)))
