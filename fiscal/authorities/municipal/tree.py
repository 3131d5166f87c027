"""Messages written from the trees of abrasf.yaml and paulistana.yaml, and their faults told back.

A tree maps element → name of a value or a tree below it. Values are text; empty ones are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fiscal.errors import SchemaInvalid
from fiscal.xml import RawFault, escape, faults
from lib.errors import FieldError

Tree = Mapping[str, Any]
_POSITION = re.compile(r"\[[0-9]+\]")


def written(tree: Tree, values: Mapping[str, str]) -> str:
    """The elements of `tree` in its order, in canonical form (SIG-3)."""
    return "".join(_element(tag, node, values) for tag, node in tree.items())


def _element(tag: str, node: Any, values: Mapping[str, str]) -> str:
    content = escape(values.get(node, "")) if isinstance(node, str) else written(node, values)
    return f"<{tag}>{content}</{tag}>" if content else ""


def checked(xml: bytes, schema: str, tree: Tree, *, below: str) -> bytes:
    """`xml`, valid by `schema`. Raises SchemaInvalid, which names fields of the request.

    `tree` is what stands below the element `below` of the message.
    """
    found = faults(xml, schema)
    if found:
        raise SchemaInvalid(erros=[_told(fault, tree, below) for fault in found])
    return xml


def _told(fault: RawFault, tree: Tree, below: str) -> FieldError:
    """A fault in terms of the request; where the element is none of its fields, by the element."""
    steps = [_POSITION.sub("", step) for step in fault.path.split("/")]
    inside = steps[steps.index(below) + 1 :] if below in steps else []
    missing = _missing(fault, tree, inside)
    if missing:
        return FieldError(missing, "Campo obrigatório para este município.")
    fields = _fields(tree, inside)
    if not fields or fault.kind != "value":
        return FieldError("", f"{fault.tag}: {fault.detail}")
    return FieldError(fields[0], f"{fault.detail} (valor: {fault.value[:60]!r}).")


def _missing(fault: RawFault, tree: Tree, inside: list[str]) -> str:
    """The field whose element should have come: of those expected, the last is mandatory."""
    if fault.kind not in ("missing", "unexpected") or not fault.expected:
        return ""
    parent = inside if fault.kind == "missing" else inside[:-1]
    known = (_fields(tree, [*parent, tag]) for tag in reversed(fault.expected))
    return next((names[0] for names in known if names), "")


def _fields(tree: Tree, steps: list[str]) -> list[str]:
    """Names of the values at, or below, that element."""
    node: Any = tree
    for step in steps:
        if isinstance(node, str) or step not in node:
            return []
        node = node[step]
    return list(leaves(node))


def leaves(node: Any) -> list[str]:
    """The names of the values of a tree."""
    if isinstance(node, str):
        return [node]
    return [name for below in node.values() for name in leaves(below)]
