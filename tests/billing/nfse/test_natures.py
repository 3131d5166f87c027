"""Exempt, immune and suspended services: nothing is withheld, and the note says why."""

from __future__ import annotations

from decimal import Decimal

import pytest
from factories import CompanyFactory
from support.invoice_notes import issue_all, make_template, noted, the_note

from billing.services.note_municipal import municipal
from billing.services.note_sources import sources_of
from fiscal.services.nfse.files import note_xml
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
PROCESS = "123456789012345678901234567890"
# natureza → fields of the template, what the DPS says, why nothing is withheld.
NATURES = [
    (
        "4",
        {"tipo_imunidade": "3"},
        "<tribISSQN>2</tribISSQN><tpImunidade>3</tpImunidade>",
        "imunidade",
    ),
    (
        "5",
        {"numero_processo_suspensao": PROCESS},
        f"<exigSusp><tpSusp>1</tpSusp><nProcesso>{PROCESS}</nProcesso></exigSusp>",
        "decisão judicial",
    ),
    (
        "6",
        {"numero_processo_suspensao": PROCESS},
        f"<exigSusp><tpSusp>2</tpSusp><nProcesso>{PROCESS}</nProcesso></exigSusp>",
        "processo",
    ),
    ("3", {"numero_beneficio_municipal": "35503080100001"}, "<nBM>35503080100001</nBM>", "isenção"),
]


@pytest.mark.usefixtures("issuer", "sandbox")
def test_each_nature_reaches_the_note(organization):
    customer = CompanyFactory(account=organization.account)
    usual = {"iss_retido_fonte": True, "numero_processo_suspensao": PROCESS, "tipo_imunidade": "1"}
    invoices = {
        nature: noted(
            organization,
            customer,
            make_template(organization, natureza_operacao=nature, **(usual | fields)),
        )
        for nature, fields, _, _ in NATURES
    }
    taxed = noted(organization, customer, make_template(organization, **usual))
    issue_all()

    for nature, _, said, why in NATURES:
        note = the_note(invoices[nature])
        assert note.state == "issued", note.error
        xml = note_xml(note.service_note).decode()
        assert said in xml
        assert "<tpRetISSQN>1</tpRetISSQN>" in xml
        held = next(line for line in note.memory if line["tributo"] == "ISS retido")
        assert Decimal(held["resultado"]) == 0
        assert why in held["explicacao"]
    xml = note_xml(the_note(taxed).service_note).decode()
    assert "<tpRetISSQN>2</tpRetISSQN>" in xml
    assert "exigSusp" not in xml
    assert "tpImunidade" not in xml


@pytest.mark.usefixtures("issuer")
def test_a_city_is_told_the_same(organization):
    customer = CompanyFactory(account=organization.account)
    for nature, fields, _, _ in NATURES:
        template = make_template(
            organization,
            tipo_nota="nfse",
            natureza_operacao=nature,
            iss_retido_fonte=True,
            **fields,
        )
        note = the_note(noted(organization, customer, template))
        body = municipal(sources_of([note])[note.pk], clock.now())
        assert body["natureza_operacao"] == nature
        assert fields.items() <= body.items()
        assert body["servico"]["iss_retido"] is False
        assert bool(body["servico"]["valor_iss"]) is (nature in "56")
