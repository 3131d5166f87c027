"""Requests of events → values of detEvento (fiscal-api §2.6 to §2.9, §2.14, §2.15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fiscal import xml
from fiscal.documents.nfe import event_fields as fields
from fiscal.documents.nfe import values
from fiscal.documents.nfe.catalogue import catalogue
from fiscal.documents.nfe.event_fields import Input
from fiscal.documents.nfe.events import ACTOR_TERMS, CCE_TERMS
from fiscal.documents.nfe.values import Refused
from fiscal.errors import InvalidRequest, JustificationMissing, SchemaInvalid
from lib.errors import FieldError

Body = Mapping[str, Any]

MAX_CORRECTION = 1000
MAX_PAYMENTS = 100
MAX_ITEMS = 990
_OTHER = "4"
_JOIN = " | "


def statement(body: Body, name: str, *, least: int, most: int, modelo: int = 55) -> str:
    """A text of the issuer, cleaned. Raises InvalidRequest with the documented messages (§1.8).

    NFC-e has a code of its own for a justificativa that is absent.
    """
    value = body.get(name)
    if fields.is_absent(value):
        if modelo == 65 and name == "justificativa":
            raise JustificationMissing()
        raise InvalidRequest(fields.missing(name))
    try:
        found = xml.text(values.plain(value))
    except Refused as error:
        raise InvalidRequest(f'Parâmetro "{name}" inválido: deve ser um texto.') from error
    if not least <= len(found) <= most:
        raise InvalidRequest(f'Parâmetro "{name}" deve ter entre {least} e {most} caracteres.')
    return found


def justificativa(body: Body, *, modelo: int) -> str:
    return statement(body, "justificativa", least=15, most=255, modelo=modelo)


# --- carta de correção -------------------------------------------------------------------------


def correction(body: Body) -> str:
    return statement(body, "correcao", least=15, most=MAX_CORRECTION)


def carta_correcao(text: str, *, before: str, alone: bool) -> dict[str, str]:
    """EVT-4: each letter replaces the former ones, so their text goes in front of the new one.

    Not when the new text has it already, or the client says that its text stands `alone`. Raises
    InvalidRequest when both together are too long.
    """
    if before and not alone and before.casefold() not in text.casefold():
        text = before + _JOIN + text
    if len(text) > MAX_CORRECTION:
        raise InvalidRequest(
            f"Com as correções anteriores, que a nova carta substitui, o texto passa de "
            f"{MAX_CORRECTION} caracteres: envie um só texto com tudo o que ainda vale e "
            f'"substitui_anteriores": true.'
        )
    return {"xCorrecao": text, "xCondUso": CCE_TERMS}


def stands_alone(body: Body) -> bool:
    return _flag(body, "substitui_anteriores")


def event_moment(body: Body, *, now: datetime) -> datetime | None:
    """`data_evento`, None when it is left out. Raises InvalidRequest."""
    value = body.get("data_evento")
    if fields.is_absent(value):
        return None
    try:
        return fields.moment_of(value, now)
    except Refused as error:
        raise InvalidRequest(f'Parâmetro "data_evento" inválido. {error}') from error


def _flag(body: Body, name: str) -> bool:
    value = body.get(name)
    if fields.is_absent(value):
        return False
    try:
        return values.read_boolean(value) == "S"
    except Refused as error:
        raise SchemaInvalid(erros=[FieldError(name, str(error))]) from error


# --- ator interessado --------------------------------------------------------------------------

_ACTOR = (Input("cnpj", "CNPJ", fields.cnpj), Input("cpf", "CPF", fields.cpf))


def ator_interessado(body: Body, *, now: datetime) -> dict[str, Any]:
    """autXML, tpAutorizacao and, where it allows, xCondUso."""
    if all(fields.is_absent(body.get(one.name)) for one in _ACTOR):
        raise InvalidRequest("Por favor, informe o CNPJ ou CPF do ator interessado.")
    actor, faults = fields.collect(body, _ACTOR, now=now)
    if len(actor) > 1:
        faults.append(FieldError("cpf", "Informe só um: cnpj ou cpf."))
    if faults:
        raise SchemaInvalid(erros=faults)
    if _flag(body, "permite_autorizacao_terceiros"):
        return {"autXML": actor, "tpAutorizacao": "1", "xCondUso": ACTOR_TERMS}
    return {"autXML": actor, "tpAutorizacao": "0"}


# --- insucesso na entrega ----------------------------------------------------------------------

_FAILURE = (
    Input("data_tentativa_entrega", "dhTentativaEntrega", fields.moment, required=True,
          absent="Por favor, informe a data da tentativa de entrega."),
    Input("numero_tentativas", "nTentativa", fields.pattern("[0-9]{1,3}", "Use de 1 a 3 dígitos.")),
    Input("motivo_insucesso", "tpMotivo", fields.choice("1", "2", "3", _OTHER), required=True),
    Input("justificativa_insucesso", "xJustMotivo", fields.text(25, 250)),
    Input("latitude_entrega", "latGPS", fields.coordinate(90)),
    Input("longitude_entrega", "longGPS", fields.coordinate(180)),
    Input("hash_tentativa_entrega", "hashTentativaEntrega", fields.sha1, required=True),
    Input("data_hash_tentativa", "dhHashTentativaEntrega", fields.moment),
)  # fmt: skip


def insucesso_entrega(body: Body, *, now: datetime) -> dict[str, Any]:
    found = fields.read(body, _FAILURE, now=now)
    is_other, has_reason = found["tpMotivo"] == _OTHER, "xJustMotivo" in found
    name = "justificativa_insucesso"
    if is_other and not has_reason:
        raise InvalidRequest(fields.missing(name))
    if has_reason and not is_other:
        fault = FieldError(name, "Informe somente com motivo_insucesso 4.")
        raise SchemaInvalid(erros=[fault])
    return found


# --- ECONF -------------------------------------------------------------------------------------

_LIST = "detalhes_pagamento"
_PLACE = ("cnpj_transacional", "uf_transacional")
_RECEIVER = ("cnpj_beneficiario", "uf_beneficiario")
# NT 2024.002: the schema has these only behind CNPJPag and UFPag.
_AFTER_PLACE = ("cnpj_instituicao_financeira", "bandeira_operadora", "numero_autorizacao")


def _payment_inputs() -> tuple[Input, ...]:
    """In the schema's order; the tables of payments and brands are those of the document."""
    known = catalogue(55).level("formas_pagamento")
    means, brands = known["forma_pagamento"].enum, known["bandeira_operadora"].enum
    return (
        Input("indicador_pagamento", "indPag", fields.choice("0", "1")),
        Input("forma_pagamento", "tPag", fields.choice(*means), required=True),
        Input("descricao_pagamento", "xPag", fields.text(2, 60)),
        Input("valor_pagamento", "vPag", fields.number(13, 2, is_fixed=True), required=True),
        Input("data_pagamento", "dPag", fields.date, required=True),
        Input("cnpj_transacional", "CNPJPag", fields.cnpj),
        Input("uf_transacional", "UFPag", fields.uf),
        Input("cnpj_instituicao_financeira", "CNPJIF", fields.cnpj),
        Input("bandeira_operadora", "tBand", fields.choice(*brands)),
        Input("numero_autorizacao", "cAut", fields.text(1, 128)),
        Input("cnpj_beneficiario", "CNPJReceb", fields.cnpj),
        Input("uf_beneficiario", "UFReceb", fields.uf),
    )


def econf(body: Body, *, now: datetime) -> dict[str, Any]:
    """detPag, 1 to 100 times. Raises SchemaInvalid naming the fields of each entry."""
    entries = _entries(body, _LIST, MAX_PAYMENTS)
    faults: list[FieldError] = []
    groups = []
    for n, entry in enumerate(entries):
        prefix = f"{_LIST}[{n}]."
        group, found = fields.collect(entry, _payment_inputs(), now=now, prefix=prefix)
        groups.append(group)
        faults += found or list(_incomplete(entry, prefix))
    if faults:
        raise SchemaInvalid(erros=faults)
    return {"detPag": groups}


def _incomplete(entry: Body, prefix: str) -> list[FieldError]:
    """What the schema takes only together."""
    sent = {name for name in entry if not fields.is_absent(entry[name])}
    faults = []
    for pair in (_PLACE, _RECEIVER):
        if sent & {*pair} and not sent >= {*pair}:
            name = next(one for one in pair if one not in sent)
            faults.append(FieldError(prefix + name, f"Informe {pair[0]} e {pair[1]} juntos."))
    if not sent & {*_PLACE}:
        why = f"O leiaute só aceita este campo junto com {_PLACE[0]} e {_PLACE[1]}."
        faults += [FieldError(prefix + name, why) for name in _AFTER_PLACE if name in sent]
    return faults


def _entries(body: Body, name: str, most: int) -> list[Body]:
    """A list of 1 to `most` objects. Raises InvalidRequest when absent, SchemaInvalid otherwise."""
    value = body.get(name)
    if value is None or fields.is_absent(value):
        raise InvalidRequest(fields.missing(name))
    is_list = isinstance(value, list) and all(isinstance(one, Mapping) for one in value)
    if not is_list or not 1 <= len(value) <= most:
        fault = FieldError(name, f"Informe uma lista de 1 a {most} objetos.")
        raise SchemaInvalid(erros=[fault])
    return list(value)


# --- generic events ----------------------------------------------------------------------------

_ITEMS = ("itens_pedido", "itens_prorrogacao_suspensao_icms")
_ITEM = (
    Input("numero_item", "@numItem", fields.pattern("[1-9][0-9]{0,2}", "Use de 1 a 990."),
          required=True),
    Input("quantidade_item", "qtdeItem", fields.number(11, 4, is_fixed=False), required=True),
)  # fmt: skip


def prorrogacao_items(
    body: Body, *, items: Mapping[str, str], now: datetime
) -> list[dict[str, str]]:
    """itemPedido: those asked for, or all; `items` is number → quantity of the document."""
    name = next((one for one in _ITEMS if not fields.is_absent(body.get(one))), "")
    if not name:
        return [{"@numItem": number, "qtdeItem": many} for number, many in items.items()]
    groups, faults, seen = [], [], set()
    for n, entry in enumerate(_entries(body, name, MAX_ITEMS)):
        group, found = fields.collect(entry, _ITEM, now=now, prefix=f"{name}[{n}].")
        number = group.get("@numItem", "")
        if number and (number not in items or number in seen):
            why = "Item repetido." if number in seen else "A nota não tem este item."
            found.append(FieldError(f"{name}[{n}].numero_item", why))
        seen.add(number)
        groups.append(group)
        faults += found
    if faults:
        raise SchemaInvalid(erros=faults)
    return groups


_DELIVERY = (Input("data_previsao_entrega", "dPrevEntrega", fields.date, required=True),)


def previsao_entrega(body: Body, *, now: datetime) -> dict[str, Any]:
    return fields.read(body, _DELIVERY, now=now)


# --- generic events of the recipient (NT 2025.002, 8.5 and 8.6) ----------------------------------

_ACCEPTANCE = (Input("aceite", "indAceitacao", fields.yes_no, required=True),)
_FIXED_ITEMS = "itens_imobilizacao"
_FIXED_ITEM = (
    Input("numero_item", "@nItem",
          fields.pattern("[1-9][0-9]?|[1-8][0-9]{2}|9[0-8][0-9]|990", "Use de 1 a 990."),
          required=True),
    Input("valor_ibs", "vIBS", fields.number(13, 2, is_fixed=True, may_be_zero=True),
          required=True),
    Input("valor_cbs", "vCBS", fields.number(13, 2, is_fixed=True, may_be_zero=True),
          required=True),
    Input("quantidade", "qImobilizado", fields.number(11, 4, is_fixed=False), required=True),
    Input("unidade", "uImobilizado", fields.text(1, 6), required=True),
)  # fmt: skip
_STOCK = ("qImobilizado", "uImobilizado")


def aceite_debito(body: Body, *, now: datetime) -> dict[str, Any]:
    """indAceitacao: does the recipient accept the debit of a nota de crédito?"""
    return fields.read(body, _ACCEPTANCE, now=now)


def imobilizacao(body: Body, *, now: datetime) -> dict[str, Any]:
    """gImobilizacao, 1 to 990 times. Raises SchemaInvalid naming the fields of each entry."""
    groups, faults, seen = [], [], set()
    for n, entry in enumerate(_entries(body, _FIXED_ITEMS, MAX_ITEMS)):
        prefix = f"{_FIXED_ITEMS}[{n}]."
        group, found = fields.collect(entry, _FIXED_ITEM, now=now, prefix=prefix)
        number = group.get("@nItem", "")
        if number and number in seen:
            found.append(FieldError(f"{prefix}numero_item", "Item repetido."))
        seen.add(number)
        stock = {tag: text for tag, text in group.items() if tag in _STOCK}
        own: dict[str, Any] = {tag: text for tag, text in group.items() if tag not in _STOCK}
        groups.append({**own, "gControleEstoque": stock})
        faults += found
    if faults:
        raise SchemaInvalid(erros=faults)
    return {"gImobilizacao": groups}
