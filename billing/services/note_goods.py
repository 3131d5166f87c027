"""From an invoice of goods to the body of /v2/nfe: the simple sale (fiscal-api §2.2)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.models import InvoiceLine, Party
from billing.services.note_source import Body, Source, competence, filled, local_moment
from billing.services.note_taxes import city_of, is_legal
from fiscal.tables.places import municipality
from lib.br import only_digits
from lib.money import half_up

OPERATION = "Venda de mercadoria"
_UNIT = "UN"
_INSIDE, _OUTSIDE = "1", "2"  # idDest


def goods_body(source: Source, *, now: datetime) -> Body:
    """A sale of the invoice's lines, paid as the invoice says; taxes by the template's fields.

    `campos_nfe` of the template gives every item what an invoice does not know (NCM, CFOP, CSTs);
    `cfop_interestadual` replaces `cfop` outside of the issuer's state.
    """
    outside = _state(source.customer) not in ("", source.company.uf)
    body = {
        "natureza_operacao": OPERATION,
        "data_emissao": local_moment(source, now).isoformat(),
        "tipo_documento": "1",
        "finalidade_emissao": "1",
        "local_destino": _OUTSIDE if outside else _INSIDE,
        "consumidor_final": "0" if _is_taxpayer(source.customer) else "1",
        "presenca_comprador": "9",
        "modalidade_frete": "9",
        "informacoes_adicionais_contribuinte": _told(source),
    }
    return filled(body | _buyer(source)) | {
        "items": [_item(source, n, row, outside) for n, row in enumerate(source.lines, start=1)],
        "formas_pagamento": [{"forma_pagamento": "99", "descricao_pagamento": "Fatura",
                              "valor_pagamento": f"{source.invoice.gross_value:.2f}"}],
    }  # fmt: skip


def _told(source: Source) -> str:
    month = competence(source.invoice, source.invoice.issue_date)
    text = source.invoice.nfe_body.strip()
    return text or f"Fatura {source.invoice.label}, competência {month:%m/%Y}"


def _state(customer: Party) -> str:
    found = municipality(city_of(customer))
    return customer.state or (found.uf if found else "")


def _is_taxpayer(customer: Party) -> bool:
    """Of ICMS: a company with a state registration."""
    return is_legal(customer) and bool(only_digits(customer.state_inscription))


def _buyer(source: Source) -> Body:
    customer = source.customer
    document = "cpf_destinatario" if len(customer.document) == 11 else "cnpj_destinatario"
    return {
        document: customer.document,
        "nome_destinatario": (customer.company_name or customer.name)[:60],
        "indicador_inscricao_estadual_destinatario": "1" if _is_taxpayer(customer) else "9",
        "inscricao_estadual_destinatario": (
            only_digits(customer.state_inscription) if _is_taxpayer(customer) else ""
        ),
        "logradouro_destinatario": customer.address[:60],
        "numero_destinatario": customer.number or "S/N",
        "complemento_destinatario": customer.complement[:60],
        "bairro_destinatario": customer.district[:60],
        "codigo_municipio_destinatario": city_of(customer),
        "municipio_destinatario": customer.city,
        "uf_destinatario": customer.state,
        "cep_destinatario": customer.zipcode,
        "email_destinatario": (customer.nfse_email or customer.email) if source.is_told else "",
    }


def _item(source: Source, n: int, row: InvoiceLine, outside: bool) -> dict[str, Any]:
    given = dict(source.template.campos_nfe)
    other = given.pop("cfop_interestadual", None)
    if outside and other:
        given["cfop"] = other
    return {
        "numero_item": n,
        "codigo_produto": str(row.service_item_id or n),
        "descricao": (row.title or row.description)[:120],
        "unidade_comercial": _UNIT,
        "quantidade_comercial": _number(row.units),
        "valor_unitario_comercial": _number(row.unit_value),
        "valor_bruto": f"{half_up(row.value):.2f}",
        **given,
    }


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"
