"""What NFC-e narrows (XML-11, fiscal-api §3.2): the values, the buyer, delivery, the moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache

from fiscal.documents.nfe import moments
from fiscal.documents.nfe.catalogue import Field, catalogue
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data

DELIVERY = "4"
# Ajuste SINIEF 11/2025: from then on a buyer with CNPJ gets an NF-e. By date of issue.
CNPJ_REFUSED_FROM = "2026-05-04"
# Ajuste SINIEF 19/2016: from this total on the buyer is identified; a UF may ask for it earlier.
IDENTIFIED_FROM = Decimal("10000.00")
_NO_FREIGHT = "9"
_CARRIER = (
    "nome_transportador",
    "inscricao_estadual_transportador",
    "endereco_transportador",
    "municipio_transportador",
    "uf_transportador",
)
_CARRIER_DOCUMENTS = ("cnpj_transportador", "cpf_transportador")
_BUYER_DOCUMENTS = ("cpf_destinatario", "cnpj_destinatario", "id_estrangeiro_destinatario")
_BUYER_ADDRESS = tuple(
    f"{name}_destinatario" for name in ("logradouro", "numero", "bairro", "municipio", "uf")
)
_CST_REFUSED = {"51": 740, "50": 766}


def check(data: Data, faults: Faults, *, now: datetime, offline: bool, bare: bool) -> None:
    for field, path, value in _narrowed(data):
        if value not in field.allowed:
            _not_allowed(field, path, faults)
    _moment(data, faults, now=now, offline=offline, bare=bare)
    _buyer(data, faults)
    _delivery(data, faults)
    _numbers(data, faults)
    _items(data, faults)


def check_total(data: Data, faults: Faults) -> None:
    """750: a large sale names its buyer."""
    total = data.get("valor_total")
    is_named = any(name in data for name in _BUYER_DOCUMENTS)
    if total is not None and total >= IDENTIFIED_FROM and not is_named:
        faults.reject(
            750, "cpf_destinatario", f"identifique o comprador a partir de {IDENTIFIED_FROM}."
        )


# --- values --------------------------------------------------------------------------------------


@cache
def _narrow() -> tuple[Field, ...]:
    return tuple(field for field in catalogue(65).fields if field.allowed)


def _narrowed(data: Data) -> Iterator[tuple[Field, str, str]]:
    for field in _narrow():
        if not field.parents and field.name in data:
            yield field, field.name, data[field.name]
        elif field.parents == ("items",):
            for n, item in enumerate(data.get("items", ())):
                if field.name in item:
                    yield field, f"items[{n}].{field.name}", item[field.name]


def _not_allowed(field: Field, path: str, faults: Faults) -> None:
    text = f"em NFC-e só é aceito {' ou '.join(field.allowed)}."
    if field.reject:
        faults.reject(int(field.reject), path, text)
    else:
        faults.add(path, text[0].upper() + text[1:])


def _moment(data: Data, faults: Faults, *, now: datetime, offline: bool, bare: bool) -> None:
    if bare:
        faults.add("data_emissao", "Em NFC-e informe data e hora com fuso.")
    sent = data.get("data_emissao")
    if sent is None or offline:
        return
    if datetime.fromisoformat(sent) < now - moments.TOLERANCE:
        faults.reject(704, "data_emissao", "está mais de 5 minutos no passado.")


def _numbers(data: Data, faults: Faults) -> None:
    """Who numbers a document brings its series, and with its own key all three (§3.5)."""
    if "codigo_unico" in data:
        faults.need(data, ("serie", "numero"), "com codigo_unico")
    elif "numero" in data:
        faults.need(data, ("serie",), "com numero")


# --- buyer and delivery --------------------------------------------------------------------------


def _buyer(data: Data, faults: Faults) -> None:
    issued = data.get("data_emissao", "")[:10]
    if "cnpj_destinatario" in data and issued >= CNPJ_REFUSED_FROM:
        faults.add(
            "cnpj_destinatario",
            "Comprador com CNPJ recebe NF-e (Ajuste SINIEF 11/2025): emita pelo modelo 55.",
        )
    documents = [name for name in _BUYER_DOCUMENTS if name in data]
    for name in documents[1:]:
        faults.add(name, "Informe um só documento do destinatário.")
    sent = {name for name in data if name.endswith("_destinatario")}
    if sent and not documents and not any(name in faults for name in _BUYER_DOCUMENTS):
        faults.add("cpf_destinatario", "Preencha cpf_destinatario para identificar o comprador.")
    in_address = {"complemento_destinatario", "cep_destinatario", "telefone_destinatario"}
    if data.get("presenca_comprador") == DELIVERY:
        faults.need(data, ("nome_destinatario", *_BUYER_ADDRESS), "para entrega em domicílio")
        if not sent:
            faults.add("cpf_destinatario", "Preencha cpf_destinatario para entrega em domicílio.")
    elif not sent.isdisjoint({*in_address, *_BUYER_ADDRESS}):
        faults.need(data, _BUYER_ADDRESS, "com o endereço do destinatário")


def _delivery(data: Data, faults: Faults) -> None:
    if data.get("presenca_comprador") == DELIVERY:
        faults.need(data, _CARRIER, "para entrega em domicílio (rejeição 786)")
        if not any(name in data or name in faults for name in _CARRIER_DOCUMENTS):
            text = "preencha cnpj_transportador ou cpf_transportador."
            faults.reject(786, "cnpj_transportador", text)
        return
    for name in (*_CARRIER_DOCUMENTS, *_CARRIER):
        if name in data:
            faults.reject(754, name, "só na entrega em domicílio (presenca_comprador 4).")
    if data.get("modalidade_frete", _NO_FREIGHT) != _NO_FREIGHT:
        faults.reject(753, "modalidade_frete", "só 9, sem frete, fora da entrega em domicílio.")
    if data.get("valor_frete"):
        faults.reject(753, "valor_frete", "só na entrega em domicílio (presenca_comprador 4).")


def _items(data: Data, faults: Faults) -> None:
    is_delivery = data.get("presenca_comprador") == DELIVERY
    for n, item in enumerate(data.get("items", ())):
        where = f"items[{n}]."
        if len(item.get("codigo_ncm", "00000000")) != 8:
            faults.reject(777, where + "codigo_ncm", "em NFC-e o NCM tem sempre 8 dígitos.")
        if not item.get("cfop", "5").startswith("5"):
            faults.reject(725, where + "cfop", "em NFC-e o CFOP começa com 5.")
        if item.get("valor_frete") and not is_delivery:
            faults.reject(753, where + "valor_frete", "só na entrega em domicílio.")
        cst = item.get("icms_situacao_tributaria", "")
        if cst in _CST_REFUSED:
            path = where + "icms_situacao_tributaria"
            faults.reject(_CST_REFUSED[cst], path, f"CST {cst} não é aceita em NFC-e.")
