"""What a body may leave out: the issuer's record, fixed values of NFC-e, and what follows from the
rest of the body (fiscal-api §2.2, §3.2, §21.3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from fiscal.documents.nfe.levels import level
from fiscal.documents.nfe.values import Refused, TooLong
from fiscal.documents.types import Data, Issuer
from fiscal.tables import places
from fiscal.taxes.issqn import is_service

WITHOUT_GTIN = "SEM GTIN"
CARDS = ("03", "04")
CARD_FIELDS = frozenset(("cnpj_credenciadora", "numero_autorizacao", "bandeira_operadora"))
# presenca_comprador with which the intermediary is stated at all (cStat 434, 435).
REMOTE = ("2", "3", "4", "9")
_NO_PAYMENT = "90"
_MUNICIPAL = "inscricao_municipal_emitente"
_INDICATOR = "indicador_inscricao_estadual_destinatario"
_INTERMEDIARY = "indicador_intermediario"

_ISSUER = MappingProxyType(
    {
        "nome_emitente": "nome",
        "nome_fantasia_emitente": "nome_fantasia",
        "inscricao_estadual_emitente": "inscricao_estadual",
        "inscricao_municipal_emitente": "inscricao_municipal",
        "regime_tributario_emitente": "regime_tributario",
        "telefone_emitente": "telefone",
        "logradouro_emitente": "logradouro",
        "numero_emitente": "numero",
        "complemento_emitente": "complemento",
        "bairro_emitente": "bairro",
        "cep_emitente": "cep",
        "municipio_emitente": "municipio",
        "codigo_municipio_emitente": "codigo_municipio",
        "uf_emitente": "uf",
    }
)
# Of the record only when the other was not sent: a number and a complement belong to their street.
_UNLESS = MappingProxyType(
    {
        "numero_emitente": "logradouro_emitente",
        "complemento_emitente": "logradouro_emitente",
        "codigo_municipio_emitente": "municipio_emitente",
        "municipio_emitente": "codigo_municipio_emitente",
    }
)
_COPIED = MappingProxyType(
    {
        "unidade_tributavel": "unidade_comercial",
        "quantidade_tributavel": "quantidade_comercial",
        "valor_unitario_tributavel": "valor_unitario_comercial",
        # An item sold by its GTIN is taxed under it, or the authority asks for the second (888).
        "codigo_barras_tributavel": "codigo_barras_comercial",
    }
)


def fill(data: Data, *, modelo: int, issuer: Issuer) -> None:
    """Put in `data` what it leaves out; what was sent is never changed."""
    top = level(modelo)
    _issuer(data, _record(issuer, modelo))
    for name, value in top.defaults.items():
        data.setdefault(name, value)
    _header(data, modelo)
    for group in ("emitente", "destinatario", "retirada", "entrega"):
        _address(data, group)
    if "codigo_municipio_emitente" in data:
        data.setdefault("municipio", data["codigo_municipio_emitente"])
    _payments(data, modelo)
    for position, item in enumerate(data.get("items", ()), 1):
        _item(item, position)


def is_abroad(data: Data, group: str) -> bool:
    """Whether the address of `group` is outside of Brazil; an issuer never is."""
    if group == "emitente":
        return False
    country = data.get(f"codigo_pais_{group}")
    if country is not None:
        return bool(country.lstrip("0") != places.BRAZIL)
    uf = data.get(f"uf_{group}")
    if uf is None and group == "destinatario":
        return data.get("local_destino") == "3" or "id_estrangeiro_destinatario" in data
    return bool(uf == "EX")


# --- issuer ------------------------------------------------------------------------------------


def _issuer(data: Data, record: Mapping[str, str]) -> None:
    sent = {name for name in _UNLESS.values() if name in data}
    unwanted = set() if _has_municipal_use(data) else {_MUNICIPAL}
    if "cnpj_emitente" in data or "cpf_emitente" in data:
        unwanted |= {"cnpj_emitente", "cpf_emitente"}
    for name, value in record.items():
        if name not in data and name not in unwanted and _UNLESS.get(name) not in sent:
            data[name] = value


def _has_municipal_use(data: Data) -> bool:
    """IM goes with ISSQN items, and with CNAE, which the layout only admits beside it."""
    return "cnae_fiscal_emitente" in data or any(map(is_service, data.get("items", ())))


@lru_cache(maxsize=512)
def _record(issuer: Issuer, modelo: int) -> Mapping[str, str]:
    """The issuer's record under the names of the request; what the layout refuses is left out."""
    readers = level(modelo).readers
    sent = {name: getattr(issuer, attribute) for name, attribute in _ISSUER.items()}
    sent["cnpj_emitente" if issuer.cnpj else "cpf_emitente"] = issuer.document
    found: dict[str, str] = {}
    for name, value in sent.items():
        if value in ("", None):
            continue
        try:
            found[name] = readers[name](value)
        except TooLong as error:
            found[name] = error.cut
        except Refused:
            continue  # then it is missing, and the caller is told its name
    return MappingProxyType(found)


# --- header ------------------------------------------------------------------------------------


def _header(data: Data, modelo: int) -> None:
    if data.get("presenca_comprador") in REMOTE:
        data.setdefault(_INTERMEDIARY, "0")
    if modelo == 65:
        _consumer(data)
    elif is_abroad(data, "destinatario"):
        data.setdefault(_INDICATOR, "9")


def _consumer(data: Data) -> None:
    """NFC-e: an indicator alone makes no recipient, and a document brings its only indicator."""
    sent = [name for name in data if name.endswith("_destinatario") and name != _INDICATOR]
    if sent:
        data.setdefault(_INDICATOR, "9")
    else:
        data.pop(_INDICATOR, None)


def _address(data: Data, group: str) -> None:
    """Code and name of city and country from each other; an address abroad as the MOC wants it."""
    _country(data, group)
    city, code, uf = f"municipio_{group}", f"codigo_municipio_{group}", f"uf_{group}"
    if is_abroad(data, group):
        data[uf], data[code], data[city] = "EX", places.ABROAD, "EXTERIOR"
    elif code in data:
        place = places.municipality(data[code])
        if place is not None:
            data.setdefault(city, place.name)
            data.setdefault(uf, place.uf)
    elif city in data and uf in data:
        found = places.municipality_code(data[city], data[uf])
        if found:
            data[code] = found


def _country(data: Data, group: str) -> None:
    name, code = data.get(f"pais_{group}"), data.get(f"codigo_pais_{group}")
    if name is not None and name.isdecimal():  # the catalogue's own samples put the code here
        code = code or name
        name = None
        del data[f"pais_{group}"]
    code = code or (places.country_code(name) if name else "")
    name = name or (places.country_name(code) if code else "")
    if code:
        data[f"codigo_pais_{group}"] = code
    if name:
        data[f"pais_{group}"] = name


def _payments(data: Data, modelo: int) -> None:
    if modelo == 55 and "formas_pagamento" not in data:
        nothing = {"forma_pagamento": _NO_PAYMENT, "valor_pagamento": Decimal("0.00")}
        data["formas_pagamento"] = [nothing]
    for payment in data.get("formas_pagamento", ()):
        if payment.get("forma_pagamento") in CARDS or not CARD_FIELDS.isdisjoint(payment):
            payment.setdefault("tipo_integracao", "2")
        change = [payment.pop(old) for old in ("valor_troco", "troco") if old in payment]
        if change:
            data.setdefault("valor_troco", change[0])


def _item(item: Data, position: int) -> None:
    if "numero_item" not in item:
        item["numero_item"] = str(position)
    for name, source in _COPIED.items():
        if name not in item and source in item:
            item[name] = item[source]
    if is_service(item):
        item.setdefault("issqn_indicador_exigibilidade", "1")
