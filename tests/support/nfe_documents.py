"""Complete documents as the writer takes them, and the identity and signature to make them with."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from support.a1 import signer

from fiscal.documents.nfe.make import make
from fiscal.documents.types import Csc, Identity, Issuer, SignedXml

CNPJ = "11222333000181"
CSC = Csc("1", "A1B2C3D4E5F6")
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=timezone(timedelta(hours=-3)))

ISSUER = Issuer(
    cnpj=CNPJ,
    cpf="",
    nome="Empresa de Teste Ltda",
    nome_fantasia="",
    inscricao_estadual="123456789012",
    inscricao_municipal="",
    regime_tributario=3,
    telefone="1133334444",
    logradouro="Rua Direita",
    numero="10",
    complemento="",
    bairro="Centro",
    cep="01001000",
    municipio="São Paulo",
    codigo_municipio="3550308",
    uf="SP",
)


def identity(modelo: int = 55, **changes: Any) -> Identity:
    values: dict[str, Any] = {
        "modelo": modelo,
        "ambiente": "producao",
        "serie": 1,
        "numero": 123,
        "cnf": "12345671",
    }
    return Identity(**{**values, **changes})


def signed(data: dict[str, Any], **changes: Any) -> SignedXml:
    """`data` made under a throw-away certificate; `changes` are of the identity."""
    who = identity(**changes)
    return make(data, who, signer=signer(), csc=CSC, qr_version=2)


def item(number: int = 1, **fields: Any) -> dict[str, Any]:
    """An item of 20.00 with ICMS, PIS, COFINS and the tax-reform groups."""
    return {
        "numero_item": str(number),
        "codigo_produto": "A1",
        "codigo_barras_comercial": "SEM GTIN",
        "descricao": "Caneta azul",
        "codigo_ncm": "96081000",
        "cfop": "5102",
        "unidade_comercial": "UN",
        "quantidade_comercial": Decimal("2"),
        "valor_unitario_comercial": Decimal("10.00"),
        "valor_bruto": Decimal("20.00"),
        "codigo_barras_tributavel": "SEM GTIN",
        "unidade_tributavel": "UN",
        "quantidade_tributavel": Decimal("2"),
        "valor_unitario_tributavel": Decimal("10.00"),
        "inclui_no_total": "1",
        "icms_origem": "0",
        "icms_situacao_tributaria": "00",
        "icms_modalidade_base_calculo": "3",
        "icms_base_calculo": Decimal("20.00"),
        "icms_aliquota": Decimal("18"),
        "icms_valor": Decimal("3.60"),
        "pis_situacao_tributaria": "01",
        "pis_base_calculo": Decimal("16.40"),
        "pis_aliquota_porcentual": Decimal("1.65"),
        "pis_valor": Decimal("0.27"),
        "cofins_situacao_tributaria": "01",
        "cofins_base_calculo": Decimal("16.40"),
        "cofins_aliquota_porcentual": Decimal("7.6"),
        "cofins_valor": Decimal("1.25"),
        "ibs_cbs_situacao_tributaria": "000",
        "ibs_cbs_classificacao_tributaria": "000001",
        "ibs_cbs_base_calculo": Decimal("14.88"),
        "ibs_uf_aliquota": Decimal("0.1"),
        "ibs_uf_valor": Decimal("0.01"),
        "ibs_mun_aliquota": Decimal("0"),
        "ibs_mun_valor": Decimal("0.00"),
        "ibs_valor_total": Decimal("0.01"),
        "cbs_aliquota": Decimal("0.9"),
        "cbs_valor": Decimal("0.13"),
        "valor_total_item": Decimal("20.00"),
        **fields,
    }


def document(*items: dict[str, Any], modelo: int = 55, **fields: Any) -> dict[str, Any]:
    """Data of a sale in São Paulo; without items given, of one."""
    data: dict[str, Any] = {
        "natureza_operacao": "VENDA DE MERCADORIA",
        "data_emissao": "2026-11-21T10:00:00-03:00",
        "tipo_documento": "1",
        "local_destino": "1",
        "finalidade_emissao": "1",
        "consumidor_final": "1",
        "presenca_comprador": "1",
        "cnpj_emitente": CNPJ,
        "nome_emitente": "Empresa de Teste Ltda",
        "logradouro_emitente": "Rua Direita",
        "numero_emitente": "10",
        "bairro_emitente": "Centro",
        "codigo_municipio_emitente": "3550308",
        "municipio_emitente": "São Paulo",
        "uf_emitente": "SP",
        "cep_emitente": "01001000",
        "inscricao_estadual_emitente": "123456789012",
        "regime_tributario_emitente": "3",
        "items": list(items) or [item()],
        "icms_base_calculo": Decimal("20.00"),
        "icms_valor_total": Decimal("3.60"),
        "valor_produtos": Decimal("20.00"),
        "valor_pis": Decimal("0.27"),
        "valor_cofins": Decimal("1.25"),
        "valor_total": Decimal("20.00"),
        "ibs_cbs_base_calculo": Decimal("14.88"),
        "ibs_uf_valor_total": Decimal("0.01"),
        "ibs_mun_valor_total": Decimal("0.00"),
        "ibs_valor_total": Decimal("0.01"),
        "cbs_valor_total": Decimal("0.13"),
        "ibs_cbs_is_valor_total": Decimal("20.00"),
        "modalidade_frete": "9",
        "formas_pagamento": [{"forma_pagamento": "01", "valor_pagamento": Decimal("20.00")}],
    }
    return {**data, **(_recipient() if modelo == 55 else {}), **fields}


def _recipient() -> dict[str, Any]:
    return {
        "cnpj_destinatario": "11444777000161",
        "nome_destinatario": "Cliente & Filhos",
        "logradouro_destinatario": "Rua Torta",
        "numero_destinatario": "1",
        "bairro_destinatario": "Centro",
        "codigo_municipio_destinatario": "3550308",
        "municipio_destinatario": "São Paulo",
        "uf_destinatario": "SP",
        "indicador_inscricao_estadual_destinatario": "9",
    }


def body(*items: dict[str, Any], modelo: int = 55, **fields: Any) -> dict[str, Any]:
    """What a client sends for `document`: no computed value, numbers as text, no issuer."""
    computed = ("icms_valor", "icms_base", "valor_", "pis_v", "pis_b", "cofins_v", "cofins_b")
    reform = ("ibs_valor", "ibs_uf", "ibs_mun", "cbs_v", "ibs_cbs_b", "ibs_cbs_is")
    kept = ("valor_unitario_comercial", "valor_pagamento")

    def sent(level: dict[str, Any]) -> dict[str, Any]:
        return {
            name: [sent(entry) for entry in value] if isinstance(value, list) else str(value)
            for name, value in level.items()
            if name in kept or not name.startswith((*computed, *reform))
        }

    data = sent(document(*items, modelo=modelo))
    issuer = {name for name in data if name.endswith("_emitente") and name != "cnpj_emitente"}
    return {**{name: value for name, value in data.items() if name not in issuer}, **fields}
