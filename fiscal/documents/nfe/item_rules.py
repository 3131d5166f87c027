"""What must hold inside an item (XML-9; tax groups of the catalogue by CST)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from fiscal.documents.nfe import class_rules
from fiscal.documents.nfe.catalogue import catalogue
from fiscal.documents.nfe.defaults import WITHOUT_GTIN
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data
from fiscal.taxes.issqn import is_service
from fiscal.taxes.sheet import Note

_GTINS = (("codigo_barras_comercial", 611), ("codigo_barras_tributavel", 612))
_CONTRIBUTIONS = ("pis_situacao_tributaria", "cofins_situacao_tributaria")
_SIMPLES = ("1", "4")
# CST that an issuer of Simples Nacional may use: fuels taxed once (NT 2023.001).
_FUELS = ("02", "15", "53", "61")
_CFOPS = {"1": ("1", "5"), "2": ("2", "6"), "3": ("3", "7")}  # local_destino → first digits
_ENTRY, _EXIT = "123", "567"


def check(data: Data, faults: Faults, *, modelo: int) -> None:
    numbers: set[str] = set()
    for n, item in enumerate(data.get("items", ())):
        where = f"items[{n}]."
        if where[:-1] in faults:  # no object at all
            continue
        _number(item, numbers, faults, where)
        _gtins(item, faults, where)
        _taxes(item, faults, where, modelo)
        class_rules.check(item, faults, where)
        _goods(item, faults, where)


def is_gtin(code: str) -> bool:
    """Whether the last digit of a GTIN-8, 12, 13 or 14 is its check digit (GS1)."""
    total = sum(int(digit) * (3 if n % 2 == 0 else 1) for n, digit in enumerate(code[-2::-1]))
    return (total + int(code[-1])) % 10 == 0


def warnings(data: Data, *, modelo: int) -> Iterator[Note]:
    """CST against regime (590, 591), CFOP against destination and direction (XML-9), and the
    classification of IBS and CBS against model and date."""
    crt = data.get("regime_tributario_emitente")
    firsts = _CFOPS.get(data.get("local_destino", ""), ())
    direction = _ENTRY if data.get("tipo_documento") == "0" else _EXIT
    for n, item in enumerate(data.get("items", ())):
        where = f"items[{n}]."
        cst = item.get("icms_situacao_tributaria", "")
        if crt in _SIMPLES and len(cst) == 2 and cst not in _FUELS:
            yield Note(where + "icms_situacao_tributaria", "CST de emitente do Simples (590).")
        if crt not in _SIMPLES and len(cst) == 3 and cst.isdecimal():
            yield Note(where + "icms_situacao_tributaria", "CSOSN fora do Simples (591).")
        first = item["cfop"][0]
        if first not in direction or (firsts and first not in firsts):
            yield Note(where + "cfop", "CFOP não combina com tipo_documento e local_destino.")
        yield from class_rules.warnings(item, where, modelo=modelo, day=data["data_emissao"][:10])


def _number(item: Data, numbers: set[str], faults: Faults, where: str) -> None:
    number = item["numero_item"] if where + "numero_item" not in faults else ""
    if number and not 1 <= int(number) <= 990:
        faults.add(where + "numero_item", "Informe um número de 1 a 990.")
    elif number in numbers:
        faults.add(where + "numero_item", f"O item {number} está repetido.")
    numbers.add(number)
    numbers.discard("")


def _gtins(item: Data, faults: Faults, where: str) -> None:
    told = WITHOUT_GTIN
    for name, code in _GTINS:
        gtin = item.get(name, WITHOUT_GTIN)
        if gtin not in (WITHOUT_GTIN, told) and not is_gtin(gtin):
            faults.reject(code, where + name, "dígito verificador do GTIN inválido.")
            told = gtin  # the taxable one may be a copy


# --- taxes ---------------------------------------------------------------------------------------


def _taxes(item: Data, faults: Faults, where: str, modelo: int) -> None:
    """What each CST needs beyond bases and values, which are computed later when absent."""
    needed = _needed(modelo)
    for selector, by_cst in needed.items():
        names = by_cst.get(item.get(selector, ""))
        if names:
            why = f"com {selector} {item[selector]}"
            faults.need(item, names, why, where=where)
    if modelo == 55:
        faults.need(item, _CONTRIBUTIONS, "", where=where)
        if "ipi_situacao_tributaria" in item:
            faults.need(item, ("ipi_codigo_enquadramento_legal",), "do IPI", where=where)
    if is_service(item):
        names = ("issqn_codigo_municipio", "issqn_item_lista_servico", "issqn_aliquota")
        faults.need(item, (*names, "issqn_indicador_incentivo"), "do serviço", where=where)


@cache
def _needed(modelo: int) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """selector → CST → required fields of its group that no arithmetic can supply."""
    source = catalogue(modelo)
    known = source.level("items")
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for tax in source.tax_groups.values():
        by_cst = found.setdefault(tax["selector"], {})
        for rows in tax["groups"].values():
            values = next((row["values"] for row in rows if "values" in row), ())
            owed = [row["json"] for row in rows if row["required"] == "yes"]
            names = tuple(n for n in owed if n in known and not _is_computed(n, tax["selector"]))
            by_cst.update(dict.fromkeys(_sent_forms(tax, rows, values), names))
    return found


def _sent_forms(
    tax: Mapping[str, object], rows: object, values: tuple[str, ...]
) -> tuple[str, ...]:
    """The CST as the request writes them: the special forms are in the catalogue's own list."""
    groups, listed = tax["groups"], tax["cst"]
    assert isinstance(groups, Mapping)
    assert isinstance(listed, Mapping)
    name = next(key for key, group in groups.items() if group is rows)
    forms = listed.get(name, ())
    return forms if isinstance(forms, tuple) else values


def _is_computed(name: str, selector: str) -> bool:
    if name in (selector, "icms_origem"):  # required of every item already
        return True
    if "modalidade" in name or "reducao" in name or "aliquota" in name or "percentual" in name:
        return False
    return "valor" in name or "base_calculo" in name


# --- goods ---------------------------------------------------------------------------------------


def _goods(item: Data, faults: Faults, where: str) -> None:
    if "escala_relevante" in item or "cnpj_fabricante" in item:
        faults.need(item, ("cest",), "com escala_relevante", where=where)
    if item.get("escala_relevante") == "N":
        faults.need(item, ("cnpj_fabricante",), "quando escala_relevante é false", where=where)
    if item.get("medicamento_codigo_anvisa") == "ISENTO":
        faults.need(item, ("medicamento_motivo_isencao",), "do medicamento isento", where=where)
    for n, entry in enumerate(item.get("documentos_importacao", ())):
        _import(entry, faults, f"{where}documentos_importacao[{n}].")


def _import(entry: Data, faults: Faults, where: str) -> None:
    if entry.get("via_transporte") == "1":
        faults.need(entry, ("valor_afrmm",), "no transporte marítimo", where=where)
    if entry.get("forma_intermedio") in ("2", "3"):
        faults.need(entry, ("uf_terceiro",), "do adquirente ou encomendante", where=where)
        if "cnpj" not in entry and "cpf" not in entry and where + "cpf" not in faults:
            faults.add(where + "cnpj", "Preencha cnpj ou cpf do adquirente ou encomendante.")
    faults.need(entry, ("adicoes",), "da declaração de importação", where=where)
