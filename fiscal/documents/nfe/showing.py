"""From an XML back to the fields of the API, by the catalogue read the other way (§2.4).

All values are text, as the layout writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from lxml import etree

from fiscal.documents.nfe.catalogue import Catalogue, Field, catalogue
from fiscal.xml import NFE, child_text, local_name, parse

# CST alone does not tell these groups from the plain ones.
_SPECIAL = {"ICMSPart": "partilha", "ICMSST": "st"}
_PROTOCOL = {
    "ambiente": "tpAmb",
    "versao_aplicativo": "verAplic",
    "chave_nfe": "chNFe",
    "data_recebimento": "dhRecbto",
    "numero_protocolo": "nProt",
    "digest_value": "digVal",
    "status": "cStat",
    "motivo": "xMotivo",
}
_EVENT = {
    "codigo_orgao": "cOrgao",
    "ambiente": "tpAmb",
    "cnpj": "CNPJ",
    "cpf": "CPF",
    "chave_nfe": "chNFe",
    "data_evento": "dhEvento",
    "tipo_evento": "tpEvento",
    "numero_sequencial_evento": "nSeqEvento",
    "versao_evento": "verEvento",
}
_DETAIL = {
    "descricao_evento": "descEvento",
    "protocolo": "nProt",
    "justificativa": "xJust",
    "chave_nfe_substituta": "chNFeRef",
    "correcao": "xCorrecao",
    "condicoes_uso": "xCondUso",
}
_EVENT_PROTOCOL = {
    "ambiente": "tpAmb",
    "versao_aplicativo": "verAplic",
    "codigo_orgao": "cOrgao",
    "status": "cStat",
    "motivo": "xMotivo",
    "chave_nfe": "chNFe",
    "tipo_evento": "tpEvento",
    "descricao_evento": "xEvento",
    "data_evento": "dhRegEvento",
    "numero_protocolo": "nProt",
}


def requisicao_nota_fiscal(xml: bytes) -> dict[str, Any]:
    """The document of an NFe or nfeProc under the request's names, lists in lists."""
    inf = _inside(parse(xml), "infNFe")
    modelo = int(child_text(inf, "ide", "mod"))
    known = catalogue(modelo)
    shown = _level(inf, known, (), "")
    own = {name: _value(inf, path) for name, path in known.response_only.items()}
    return {name: value for name, value in own.items() if value} | shown


def protocolo_nota_fiscal(xml: bytes) -> dict[str, str] | None:
    """infProt of an nfeProc; None for a document without protocol."""
    root = parse(xml)
    found = next(root.iter(f"{{{NFE}}}infProt"), None)
    if found is None:
        return None
    outer = found.getparent()
    versao = outer.get("versao", "") if outer is not None else ""
    return _told(found, _PROTOCOL, versao=versao, id_tag=found.get("Id", ""))


def event_objects(xml: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """(request, protocol) of a procEventoNFe."""
    evento, answer = list(parse(xml).iter(f"{{{NFE}}}infEvento"))[:2]
    detail = next(child for child in evento if local_name(child) == "detEvento")
    versao = detail.get("versao", "")
    asked = _told(evento, _EVENT, versao=versao, id_tag=evento.get("Id", ""))
    return asked | _told(detail, _DETAIL), _told(answer, _EVENT_PROTOCOL, versao=versao)


def _told(element: etree._Element, names: dict[str, str], **own: str) -> dict[str, str]:
    found = own | {name: child_text(element, tag) for name, tag in names.items()}
    return {name: value for name, value in found.items() if value}


def _inside(root: etree._Element, tag: str) -> etree._Element:
    found = next(root.iter(f"{{{NFE}}}{tag}"), None)
    if found is None:
        raise ValueError(f"no {tag} in the document")
    return found


# --- the catalogue backwards -------------------------------------------------------------------


def _level(
    element: etree._Element, known: Catalogue, parents: tuple[str, ...], base: str
) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in known.level(*parents).values():
        if field.kind == "array":
            entries = _entries(element, known, field, base)
            if entries:
                shown[field.name] = entries
        elif value := _field(element, field, base):
            shown[field.name] = value
    return shown


def _entries(
    element: etree._Element, known: Catalogue, field: Field, base: str
) -> list[dict[str, Any]]:
    """One entry for each element of a list; its fields are sought below it."""
    parents = (*field.parents, field.name)
    return [
        _level(found, known, parents, path)
        for path in field.xml
        for found in _found(element, _below(path, base))
    ]


def _field(element: etree._Element, field: Field, base: str) -> str:
    for path in field.xml:
        below = _below(path, base)
        if below is None:
            continue
        if value := _value(element, below):
            return _named(element, field, value)
    return ""


def _named(element: etree._Element, field: Field, value: str) -> str:
    if field.name != "icms_situacao_tributaria":
        return value
    group = next(iter(_found(element, "imposto/ICMS/*")), None)
    special = _SPECIAL.get(local_name(group)) if group is not None else None
    return f"{value}_{special}" if special else value


def _below(path: str, base: str) -> str | None:
    """`path` as seen from the element at `base`; None when it lies elsewhere."""
    if not base:
        return path
    if path == base:
        return ""
    return path[len(base) + 1 :] if path.startswith(base + "/") else None


def _value(element: etree._Element, path: str) -> str:
    place, _, attribute = path.rpartition("@")
    if attribute and "@" in path:
        for found in _found(element, place.rstrip("/")):
            return found.get(attribute, "")
        return ""
    return next((found.text or "" for found in _found(element, path)), "")


def _found(element: etree._Element, path: str | None) -> Iterator[etree._Element]:
    if path is None:
        return
    if path == "":
        yield element
        return
    yield from element.iterfind(_steps(path))


@cache
def _steps(path: str) -> str:
    return "/".join(step if step == "*" else f"{{{NFE}}}{step}" for step in path.split("/"))
