"""Official schemas: found, widened where the packaged ones lag, compiled once, faults explained.

The files are those of the nfelib package (XSD-1), read where it is installed and never copied.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lxml import etree

from fiscal.schemas.catalogue import EVENT_WRAPPER, FILES
from fiscal.schemas.overlays import overlaid

_XS = "http://www.w3.org/2001/XMLSchema"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_ERRORS = etree.ErrorTypes
_MOST_LISTED = 40  # of an enumeration that a message spells out


# --- files -----------------------------------------------------------------------------------


@cache
def package_folder() -> Path:
    """Where nfelib is installed. Found without importing it: its bindings cost half a second."""
    spec = find_spec("nfelib")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nfelib, which carries the schemas, is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def family_folder(family: str) -> Path:
    """Folder of a family of schemas: of the package, or a release of our own beside it."""
    if family.startswith("fiscal/"):
        return Path(__file__).parent / "schemas" / family.removeprefix("fiscal/")
    return package_folder() / family


def has_schema(name: str) -> bool:
    """Whether `schema(name)` exists: of an event type, whether its details can be validated."""
    return name in FILES


@cache
def source(name: str) -> bytes:
    """The schema `name` as one text: includes put in place, overlays applied.

    One text because neither validator would send the included files through the overlays.
    Raises KeyError for an unknown name.
    """
    family, filename = FILES[name]
    merged = _Merged()
    merged.take(family, filename)
    if name == "evento":
        merged.body.append(EVENT_WRAPPER)
    return merged.text()


class _Merged:
    """A schema file and all it includes in one: each once, in the order of inclusion."""

    def __init__(self) -> None:
        self.body: list[str] = []
        self._seen: set[str] = set()
        self._prefixes: dict[str, str] = {}
        self._imports: dict[str, str] = {}  # namespace → address of the file
        self._target = ""  # namespace of the first file, which is that of all
        self._form = "qualified"

    def take(self, family: str, filename: str) -> None:
        """Append the content of a file, after what it includes."""
        if filename in self._seen:
            return
        self._seen.add(filename)
        raw = (family_folder(family) / filename).read_text(encoding="utf-8-sig")
        root = etree.fromstring(overlaid(raw, family, filename).encode(), _local_parser())
        if not self._target:
            self._target = root.get("targetNamespace", "")
            self._form = root.get("elementFormDefault", "unqualified")
        self._prefixes.update((prefix or "", uri) for prefix, uri in root.nsmap.items())
        for child in root:
            if child.tag == f"{{{_XS}}}include":
                self.take(*_place(child.get("schemaLocation", ""), family))
            elif child.tag == f"{{{_XS}}}import":
                self._import(child, family)
            elif child.tag != f"{{{_XS}}}annotation":
                self.body.append(etree.tostring(child, encoding="unicode", with_tail=False))

    def text(self) -> bytes:
        """One schema document in UTF-8."""
        prefixes = {"": self._target, **self._prefixes, "xs": _XS, "ds": _DS}
        spaces = "".join(
            f' xmlns{":" if prefix else ""}{prefix}="{uri}"'
            for prefix, uri in sorted(prefixes.items())
        )
        imports = "".join(
            f'<xs:import namespace="{space}" schemaLocation="{place}"/>'
            for space, place in self._imports.items()
        )
        return (
            f'<xs:schema{spaces} targetNamespace="{self._target}"'
            f' elementFormDefault="{self._form}">{imports}{"".join(self.body)}</xs:schema>'
        ).encode()

    def _import(self, node: etree._Element, family: str) -> None:
        """Files of another namespace stay files of their own: XMLDSig, types of a city."""
        other, filename = _place(node.get("schemaLocation", ""), family)
        place = (family_folder(other) / filename).as_uri()
        self._imports.setdefault(node.get("namespace", ""), place)


def _place(location: str, family: str) -> tuple[str, str]:
    """Family and file of an include: of the same family, or `nfelib:family/file` in our files."""
    if not location.startswith("nfelib:"):
        return family, location
    other, _, filename = location.removeprefix("nfelib:").rpartition("/")
    return other, filename


def _local_parser() -> etree.XMLParser[Any]:
    return etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)


# --- validation (XSD-3) ----------------------------------------------------------------------


@cache
def schema(name: str) -> etree.XMLSchema:
    """The compiled schema `name`, once per process. Raises KeyError for an unknown name."""
    return etree.XMLSchema(etree.fromstring(source(name), _local_parser()))


# A compiled schema keeps the errors of its last run: one run at a time (PERF-2: threads would not
# make it faster).
_lock = threading.Lock()


@dataclass(frozen=True)
class RawFault:
    """A fault of a document against its schema, in terms of tags.

    `path` goes from the root by local names, with the position of repeated elements from 1:
    `NFe/infNFe/det[2]/prod/NCM`; that of a `missing` element is its parent's, and `expected` says
    which one. `kind`: `malformed`, `missing`, `unexpected`, `value` or `attribute`. `detail` is
    pt-BR and says what would be accepted.
    """

    path: str
    tag: str
    kind: str
    detail: str
    value: str = ""
    expected: tuple[str, ...] = ()


def element_faults(element: etree._Element, name: str) -> list[RawFault]:
    """Faults of `element` as the root of `schema(name)`, in document order, one per element.

    Paths go from the root of the document that `element` stands in. Raises KeyError for an
    unknown name.
    """
    compiled = schema(name)
    tree = etree.ElementTree(element)
    with _lock:
        if compiled.validate(tree):
            return []
        log = list(compiled.error_log)
    found: dict[str, RawFault] = {}
    for entry in log:
        fault = _fault(entry, tree)
        # libxml2 repeats itself: the facet, then the type, then what no longer fits after it.
        found.setdefault(fault.path if fault.kind != "attribute" else f"{fault.path}@", fault)
    return list(found.values())


_MESSAGE = re.compile(
    r"^Element '(?:\{[^}]*\})?(?P<tag>[^']*)'"
    r"(?:, attribute '(?P<attribute>[^']*)')?: (?P<said>.*)$",
    re.DOTALL,
)
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (?P<names>.*) \)\.")
_FACET = re.compile(r"^\[facet '(?P<facet>\w+)'\]")
_QUOTED = re.compile(r"'([^']*)'\.?$")
_TYPE = re.compile(r"type '(?:\{[^}]*\})?(?:\w+:)?([^']+)'\.?$")


def _fault(entry: Any, tree: etree._ElementTree[Any]) -> RawFault:
    """One entry of libxml2's log as a fault."""
    found = _MESSAGE.match(entry.message)
    said = found["said"] if found else entry.message
    node = _node(entry.path, tree)
    path = _path(node)
    tag = (found["tag"] if found else "") or _local(node)
    if entry.type in (_ERRORS.SCHEMAV_ELEMENT_CONTENT, _ERRORS.SCHEMAV_CVC_ELT_1):
        return _content_fault(path, tag, said)
    if found and (found["attribute"] or entry.type in _ATTRIBUTE_ERRORS):
        return RawFault(path, tag, "attribute", _detail(said, found["attribute"] or ""))
    value = (node.text or "") if node is not None and len(node) == 0 else ""
    return RawFault(path, tag, "value", _detail(said, ""), value)


_ATTRIBUTE_ERRORS = (_ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_4, _ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_3_2_1)


def _content_fault(path: str, tag: str, said: str) -> RawFault:
    """An element that should be there, or one that should not."""
    listed = _EXPECTED.search(said)
    names = listed["names"].split(", ") if listed else []
    expected = tuple(name.rpartition("}")[2] for name in names)
    accepted = f" Esperado: {' ou '.join(expected)}." if expected else ""
    if said.startswith("Missing child"):
        return RawFault(path, tag, "missing", f"Conteúdo incompleto.{accepted}", "", expected)
    return RawFault(path, tag, "unexpected", f"Fora de lugar.{accepted}", "", expected)


def _detail(said: str, attribute: str) -> str:
    """libxml2's sentence in Portuguese, with what would be accepted."""
    facet = _FACET.match(said)
    limit = _QUOTED.search(said)
    accepted = limit[1] if limit else ""
    subject = f"Atributo {attribute}: v" if attribute else "V"
    match facet["facet"] if facet else "":
        case "pattern":
            return f"{subject}alor fora do formato aceito: {accepted}"
        case "enumeration":
            values = said[said.rfind("{") + 1 : said.rfind("}")].replace("'", "")
            listed = f": {values}" if values.count(",") < _MOST_LISTED else ""
            return f"{subject}alor fora da lista aceita{listed}"
        case "minLength" | "maxLength" | "length" as name:
            size = {"minLength": "no mínimo", "maxLength": "no máximo", "length": "exatamente"}
            return f"{subject}alor de tamanho errado: {size[name]} {accepted} caracteres"
    kind = _TYPE.search(said)
    return f"{subject}alor não aceito{f' pelo tipo {kind[1]}' if kind else f': {said}'}"


def _node(path: str | None, tree: etree._ElementTree[Any]) -> etree._Element | None:
    """The element at the place that libxml2 names by positions."""
    found = tree.xpath(path) if path else []
    node = found[0] if isinstance(found, list) and found else None
    return node if isinstance(node, etree._Element) else None


def _local(node: etree._Element | None) -> str:
    return etree.QName(node).localname if node is not None else ""


def _path(node: etree._Element | None) -> str:
    """Local names from the root, numbered where the parent has several of the name."""
    steps: list[str] = []
    while node is not None:
        parent = node.getparent()
        twins = [child for child in parent if child.tag == node.tag] if parent is not None else []
        position = f"[{twins.index(node) + 1}]" if len(twins) > 1 else ""
        steps.append(_local(node) + position)
        node = parent
    return "/".join(reversed(steps))


def explain(root: etree._Element, name: str) -> list[str]:
    """Reasons of `xmlschema`, each with the place: what it says is for developers, in English."""
    return [f"{error.path}: {error.reason}" for error in _oracle(name).iter_errors(root)]


@cache
def _oracle(name: str) -> Any:
    import xmlschema  # half a second: only where a person waits for it

    place = package_folder().as_uri()
    return xmlschema.XMLSchema10(source(name).decode(), base_url=place, allow="local")
