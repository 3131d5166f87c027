"""The municipal body: every field read, and nothing but refusals for what cannot be (§4.2)."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from support.service_notes import nfse_body

from fiscal.documents.nfse import reading
from fiscal.documents.nfse.catalogue import catalogue
from fiscal.documents.service import ServiceIssuer
from fiscal.errors import InvalidRequest, SchemaInvalid

NOW = datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=-3)))
ISSUER = ServiceIssuer(
    cnpj="11222333000181", cpf="", nome="Prestador", nome_fantasia="", inscricao_municipal="1",
    regime_tributario=3, email="", telefone="", logradouro="", numero="", complemento="",
    bairro="", cep="", municipio="", codigo_municipio="4301602", uf="RS",
)  # fmt: skip
SAMPLES = {
    "string": "Texto", "decimal": "12.5", "date": "2026-11-20", "boolean": True,
    "datetime": "2026-11-22T09:00:00-03:00", "object": {"logradouro": "Rua A"},
}  # fmt: skip
nested: dict = {}
for _ in range(800):
    nested = {"x": nested, "y": 1}
HOSTILE = [
    [], {}, [[]], {"x": {"y": {"z": {"w": {"v": 1}}}}}, True, 1e300, -1, 10**60, "9" * 5000,
    "\u202e", "💥" * 300, ["a", {"b": None}], {"0": "<x>&amp;"}, float("nan"), Decimal("1E+50"),
    nested, None, "", "  ", "-0", "1,50", "2026-02-30", "S", [1] * 500,
]  # fmt: skip


def read(body):
    return reading.read(body, issuer=ISSUER, ambiente="homologacao", now=NOW)


def own_body(**fields):
    return nfse_body(**{"data_emissao": "2026-11-22T09:00:00-03:00", **fields})


def put(body, path, value):
    """The body with a value at a path of the catalogue."""
    changed = deepcopy(body)
    *parents, name = path.split(".")
    node = changed
    for parent in parents:
        node = node.setdefault(parent, {})
    node[name] = value
    return changed


def sample(field):
    name = field.path.rpartition(".")[2]
    if name in ("cnpj", "cpf"):
        return {"cnpj": "12.ABC.345/01DE-35", "cpf": "111.444.777-35"}[name]
    if field.enum:
        return field.enum[-1]
    if field.kind == "digits":
        return "1" * (field.exact_length or 6)
    if field.kind == "array":
        return [{"chave_nfse": "1" * 50}]
    if field.exact_length:
        return "SP"[: field.exact_length]
    return SAMPLES[field.kind][: field.max_length] if field.max_length else SAMPLES[field.kind]


def test_every_field_of_the_catalogue_is_read():
    own = own_body(serie_rps_substituido="1")
    del own["tomador"]["cnpj"]
    for path, field in catalogue().items():
        if "[]" in path:
            continue
        found = read(put(own, path, sample(field)))
        assert path in found.data, path
        assert not any(one["campo"] == path for one in found.notes)


def test_what_is_declared_is_completed_and_explained():
    found = read(own_body(servico={"valor_deducoes": "10", "iss_retido": "true"}))
    assert found.data["natureza_operacao"] == "1"
    assert found.data["incentivador_cultural"] == "N"
    assert found.data["servico.codigo_municipio"] == "4301602"
    assert found.competence == date(2026, 11, 22)
    results = {line["valor"]: line["resultado"] for line in found.memory}
    assert results == {"base": "90.00", "iss": "1.80", "retencoes": "1.80", "liquido": "98.20"}
    odd = read(own_body(nada=1, servico={"outro": "x", "valor_servicos": 100.10000000000001}))
    assert {one["campo"] for one in odd.notes} == {"servico.outro", "nada"}
    assert odd.data["servico.valor_servicos"] == Decimal("100.10")


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_is_read_or_refused(value):
    for path in [*catalogue(), "prestador", "tomador", "servico", "tomador.endereco", "x"]:
        with suppress(InvalidRequest, SchemaInvalid):
            found = read(put(own_body(), path.replace("[]", ""), value))
            assert found.data["servico.valor_servicos"] > 0
