"""A company that can issue, and its tokens."""

from __future__ import annotations

from typing import Any

import pytest
from support.certificates import certify
from support.sandbox_authority import running_sandbox, sandbox  # noqa: F401  fixtures
from support.v2 import V2, fiscal_token, master_token, v2

from fiscal.models import Company

CNPJ = "11222333000181"  # always the same, so that its certificate is made once


@pytest.fixture
def company(account: Any) -> Company:
    """An issuer in São Paulo, regular regime, with everything that NF-e and NFC-e need."""
    from factories import FiscalCompanyFactory

    made: Company = FiscalCompanyFactory(account=account, cnpj=CNPJ)
    certify(made)
    return made


@pytest.fixture
def nfe_token(company: Company) -> str:
    """The company's token in homologação."""
    return fiscal_token(company)


@pytest.fixture
def nfe_token_producao(company: Company) -> str:
    """The company's token in produção."""
    return fiscal_token(company, "producao")


@pytest.fixture
def nfe(nfe_token: str) -> V2:
    """A client of /v2 for the company in homologação."""
    return v2(nfe_token)


@pytest.fixture
def master(account: Any) -> V2:
    """A client of /v2 with the account's own token."""
    return v2(master_token(account))


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Every authority at once, saying what the test wants (support.issuing.Scripted)."""
    from support.issuing import Scripted

    from fiscal.authorities import registry

    made = Scripted()
    monkeypatch.setattr(registry, "at", made.at)
    return made


@pytest.fixture
def at_moment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Move the product's clock: at_moment(some moment)."""
    from lib import clock

    def move(moment: Any) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return move
