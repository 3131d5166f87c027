"""A company that issues service notes, in a city that says what the test wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.service_notes import Scripted

from fiscal.authorities import providers
from fiscal.models import Company
from fiscal.services import nfse_parameters


@pytest.fixture
def city(parameters: dict[str, Any]) -> Iterator[Scripted]:
    """Every city and the national system at once."""
    made = Scripted()
    undo = [
        providers.register(slug, made.provider) for slug in ("", "scripted", providers.NATIONAL)
    ]
    yield made
    for one in undo:
        one()


@pytest.fixture
def issuer(company: Company) -> Company:
    """Enabled for NFS-e."""
    company.habilita_nfse = True
    company.save()
    return company


@pytest.fixture
def parameters(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is known of cities: none adopted the national emitter unless the test says so."""
    known: dict[str, Any] = {}
    monkeypatch.setattr(
        nfse_parameters,
        "adopts_national_emitter",
        lambda city, *, ambiente, now: known.get(city),
    )
    return known
