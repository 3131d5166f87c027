"""detEvento of an EPEC, from the signed NF-e that it announces (CON-5; NT 2014.001)."""

from __future__ import annotations

from typing import Any

from lxml import etree

from fiscal.xml import NFE, child_text, parse

_PERSON = ("CNPJ", "CPF", "idEstrangeiro")
_TOTALS = ("vNF", "vICMS", "vST")


def details(nfe: bytes) -> dict[str, Any]:
    """dhEmi, tpNF, IE of the issuer and dest, as the bytes of a signed NFe have them.

    Copied, never computed: the authority compares them when the NF-e itself comes (467).
    """
    inf = next(parse(nfe).iter(f"{{{NFE}}}infNFe"))
    return {
        "dhEmi": child_text(inf, "ide", "dhEmi"),
        "tpNF": child_text(inf, "ide", "tpNF"),
        "IE": child_text(inf, "emit", "IE"),
        "dest": _recipient(inf),
    }


def _recipient(inf: etree._Element) -> dict[str, str]:
    """UF, who it is, its IE if it has one, and the three totals, in the order of the schema."""
    found = inf.find(f"{{{NFE}}}dest")
    person = next((tag for tag in _PERSON if _has(found, tag)), "idEstrangeiro")
    told = {"UF": child_text(inf, "dest", "enderDest", "UF"), person: _text(found, person)}
    if _text(found, "IE"):
        told["IE"] = _text(found, "IE")
    return told | {tag: child_text(inf, "total", "ICMSTot", tag) for tag in _TOTALS}


def _has(dest: etree._Element | None, tag: str) -> bool:
    return dest is not None and dest.find(f"{{{NFE}}}{tag}") is not None


def _text(dest: etree._Element | None, tag: str) -> str:
    return child_text(dest, tag) if dest is not None else ""
