"""An organization whose company issues service notes, to an authority that says what tests want."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factories import FiscalCompanyFactory
from support.certificates import certify
from support.invoice_notes import make_template
from support.sandbox_authority import running_sandbox, sandbox  # noqa: F401  fixtures
from support.service_notes import Scripted

from billing.models import NfseTemplate, Party
from fiscal.authorities import providers
from fiscal.models import Company
from fiscal.services import nfse_parameters


@pytest.fixture
def city(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """Every city and the national system at once; no city adopted the national emitter."""
    monkeypatch.setattr(
        nfse_parameters, "adopts_national_emitter", lambda *_, **__: None, raising=False
    )
    made = Scripted()
    slugs = ("", "scripted", providers.NATIONAL)
    undo = [providers.register(slug, made.provider) for slug in slugs]
    yield made
    for one in undo:
        one()


@pytest.fixture
def issuer(organization: Party) -> Company:
    """The company of the organization's CNPJ, enabled for everything, with a certificate."""
    made: Company = FiscalCompanyFactory(
        account=organization.account,
        cnpj=organization.document,
        habilita_nfse=True,
        habilita_nfsen_homologacao=True,
    )
    certify(made)
    return made


@pytest.fixture
def template(organization: Party) -> NfseTemplate:
    """Consultancy: ISS of 5 %, IR, PIS, COFINS and CSLL withheld."""
    made: NfseTemplate = make_template(organization)
    return made
