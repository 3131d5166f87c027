"""Declarations of the national services invoice for tests: bodies, and samples of its layout."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from support.layout_samples import Sample, sample

from fiscal import access_key
from fiscal.documents.nfe.catalogue import Field
from fiscal.documents.nfe.layout import Node
from fiscal.documents.nfsen import reading
from fiscal.documents.nfsen.catalogue import layout, nodes, places
from fiscal.documents.service import NFSEN, Declared, RpsIdentity, ServiceIssuer

CITY = "4204608"
CNPJ, LETTERS = "11222333000181", "12ABC34501DE35"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
IDENTITY = RpsIdentity("homologacao", "1", 7)
ISSUER = ServiceIssuer(
    cnpj=CNPJ,
    cpf="",
    nome="Prestador Ltda",
    nome_fantasia="",
    inscricao_municipal="123",
    regime_tributario=3,
    email="",
    telefone="",
    logradouro="Rua A",
    numero="1",
    complemento="",
    bairro="Centro",
    cep="88801000",
    municipio="Criciúma",
    codigo_municipio=CITY,
    uf="SC",
)

# The minimum of fiscal-api §5.2, with a taker.
BODY: dict[str, Any] = {
    "data_emissao": "2026-11-20T10:00:00-03:00",
    "data_competencia": "2026-11-20",
    "codigo_municipio_emissora": CITY,
    "cnpj_prestador": CNPJ,
    "codigo_opcao_simples_nacional": 1,
    "regime_especial_tributacao": 0,
    "cnpj_tomador": "11.444.777/0001-61",
    "razao_social_tomador": "Tomador Ltda",
    "codigo_municipio_prestacao": 4204608,
    "codigo_tributacao_nacional_iss": "010101",
    "descricao_servico": "Análise\nde sistemas",
    "valor_servico": "1000.00",
    "tributacao_iss": "1",
    "tipo_retencao_iss": 1,
}
# E0235: wanted of a taker with CNPJ.
ADDRESS = {
    "codigo_municipio_tomador": "3550308",
    "cep_tomador": "01001000",
    "logradouro_tomador": "Praça da Sé",
    "numero_tomador": "1",
    "bairro_tomador": "Sé",
}
FEDERAL = {
    "situacao_tributaria_pis_cofins": "01",
    "base_calculo_pis_cofins": "1000",
    "aliquota_pis": "0.65",
    "aliquota_cofins": "3.00",
}
REFORM = {
    "codigo_nbs": "115022000",
    "codigo_indicador_operacao": "100301",
    "ibs_cbs_situacao_tributaria": "000",
    "ibs_cbs_classificacao_tributaria": "000001",
}

# The XSD gives these a form only; readers want more of them.
_BY_TYPE: dict[str, Any] = {
    "TSDateTimeUTC": "2026-11-20T10:00:00-03:00",
    "TSData": "2026-11-20",
    "xs:date": "2026-11-20",
    "TSCNPJ": LETTERS,
    "TSCPF": "52998224725",
    "TSCodCIB": "A1B2C3D4",
    "TSDec1V2": Decimal("2.35"),  # one digit before the point
    "TSChaveNFe": access_key.compose(
        cuf="35",
        aamm="2611",
        document=LETTERS,
        modelo=55,
        serie=1,
        numero=42,
        tp_emis=1,
        cnf="18094756",
    ),
}


def read(**changes: Any) -> Declared:
    """The declaration of BODY with other values; None takes a field out."""
    body = {key: value for key, value in {**BODY, **changes}.items() if value is not None}
    return reading.read(body, issuer=ISSUER, ambiente="homologacao", now=NOW)


def declared(data: dict[str, Any]) -> Declared:
    """Data as it is, as a declaration."""
    return Declared(NFSEN, ISSUER, data, NOW, date(2026, 11, 20))


class NationalSample(Sample):
    """A declaration being filled so that it holds a place of infDPS."""

    def __init__(self, base: dict[str, Any]) -> None:
        self.known = places()
        self.root = layout()
        self.nodes = nodes()
        self.data = copy.deepcopy(base)

    def _sample(self, node: Node, field: Field) -> Any:
        assert node.type is not None
        known = _BY_TYPE.get(node.type.name)
        return sample(node.type, field) if known is None else known
