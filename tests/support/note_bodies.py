"""Smallest bodies of NF-e and NFC-e that are accepted, and a company that sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fiscal.documents.nfe.reading import Read, read
from fiscal.documents.types import Issuer
from fiscal.errors import SchemaInvalid

NOW = datetime(2026, 11, 21, 13, 2, tzinfo=UTC)  # 10:02 in São Paulo

ISSUER = Issuer(
    cnpj="11222333000181",
    cpf="",
    nome="Loja Exemplo Ltda",
    nome_fantasia="Loja Exemplo",
    inscricao_estadual="123456789012",
    inscricao_municipal="55",
    regime_tributario=3,
    telefone="(11) 3333-4444",
    logradouro="Rua A",
    numero="10",
    complemento="Sala 1",
    bairro="Centro",
    cep="01310-100",
    municipio="São Paulo",
    codigo_municipio="3550308",
    uf="SP",
)


def item(**changed: Any) -> dict[str, Any]:
    """One pen, sold inside the state by a company of the regular regime."""
    return {
        "numero_item": 1,
        "codigo_produto": "1",
        "descricao": "Caneta",
        "cfop": "5102",
        "unidade_comercial": "UN",
        "quantidade_comercial": "10",
        "valor_unitario_comercial": "1.50",
        "codigo_ncm": "96081000",
        "icms_origem": "0",
        "icms_situacao_tributaria": "00",
        "icms_modalidade_base_calculo": "3",
        "icms_aliquota": "18.00",
        "pis_situacao_tributaria": "07",
        "cofins_situacao_tributaria": "07",
        "ibs_cbs_situacao_tributaria": "000",
        "ibs_cbs_classificacao_tributaria": "000001",
        **changed,
    }


def nfe_body(**changed: Any) -> dict[str, Any]:
    """A sale to a person in the same city."""
    return {
        "natureza_operacao": "Venda de mercadoria",
        "data_emissao": "2026-11-21T10:00:00-03:00",
        "tipo_documento": "1",
        "local_destino": "1",
        "finalidade_emissao": "1",
        "consumidor_final": "1",
        "presenca_comprador": "1",
        "cpf_destinatario": "52998224725",
        "nome_destinatario": "Fulano de Tal",
        "logradouro_destinatario": "Rua B",
        "numero_destinatario": "1",
        "bairro_destinatario": "Centro",
        "municipio_destinatario": "São Paulo",
        "uf_destinatario": "SP",
        "indicador_inscricao_estadual_destinatario": "9",
        "modalidade_frete": "9",
        "items": [item()],
        **changed,
    }


def nfce_body(**changed: Any) -> dict[str, Any]:
    """A sale at the till, paid in cash, to nobody in particular."""
    return {
        "data_emissao": "2026-11-21T10:00:00-03:00",
        "presenca_comprador": "1",
        "local_destino": "1",
        "modalidade_frete": "9",
        "items": [item()],
        "formas_pagamento": [{"forma_pagamento": "01", "valor_pagamento": "15.00"}],
        **changed,
    }


def read_note(body: Any, modelo: int = 55, **changed: Any) -> Read:
    """`read` of a body as the company of this module, at NOW, in homologação."""
    given = {"ambiente": "homologacao", "issuer": ISSUER, "now": NOW, **changed}
    return read(body, modelo=modelo, **given)


def faults_of(body: Any, modelo: int = 55, **changed: Any) -> dict[str, str]:
    """The faults of a body, message by field; empty when it is accepted."""
    try:
        read_note(body, modelo, **changed)
    except SchemaInvalid as refusal:
        return {fault.campo: fault.mensagem for fault in refusal.erros}
    return {}
