"""What a third party reads in a document: the bindings of nfelib, by tag."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any

from nfelib.nfe.bindings.v4_0.nfe_v4_00 import Nfe
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser


@cache
def _parser() -> XmlParser:
    return XmlParser(context=XmlContext())


def read(raw: bytes) -> Any:
    """infNFe of the document, as nfelib understands it."""
    return _parser().from_bytes(raw, Nfe).infNFe


def value_at(root: Any, path: str) -> str | None:
    """Text at `det/prod/cProd` or `det/@nItem`, of the first of what repeats; None when absent."""
    node = root
    for step in path.split("/"):
        node = _child(node, step.removeprefix("@"))
        if isinstance(node, list):
            node = node[0] if node else None
        if node is None:
            return None
    text = node.value if isinstance(node, Enum) else node
    return b64encode(text).decode("ascii") if isinstance(text, bytes) else str(text)


def _child(node: Any, tag: str) -> Any:
    name = _names(type(node)).get(tag)
    assert name is not None, f"nfelib has no {tag} in {type(node).__qualname__}"
    return getattr(node, name)


@cache
def _names(kind: type) -> dict[str, str]:
    """Attribute names by tag."""
    return {field.metadata.get("name") or field.name: field.name for field in fields(kind)}
