"""The official XSD files, compiled once, with the sandbox's own list of published corrections."""

from __future__ import annotations

import functools
import threading
from importlib.resources import files
from pathlib import Path

from lxml import etree

_ROOTS = {
    "nfe": ("nfe", "v4_0", "nfe_v4.00.xsd"),
    "inutNFe": ("nfe", "v4_0", "inutNFe_v4.00.xsd"),
    "consStatServ": ("nfe", "v4_0", "consStatServ_v4.00.xsd"),
    "consSitNFe": ("nfe", "v4_0", "consSitNFe_v4.00.xsd"),
    "consReciNFe": ("nfe", "v4_0", "consReciNFe_v4.00.xsd"),
    "distDFeInt": ("nfe_dist_dfe", "v1_0", "distDFeInt_v1.01.xsd"),
    "envEvento": ("nfe_evento_generico", "v1_0", "envEvento_v1.00.xsd"),
    "110110": ("nfe_evento_cce", "v1_0", "e110110_v1.00.xsd"),
    "110111": ("nfe_evento_cancel", "v1_0", "e110111_v1.00.xsd"),
    "110130": ("nfe_entrega", "v1_0", "e110130_v1.00.xsd"),
    "110131": ("nfe_entrega", "v1_0", "e110131_v1.00.xsd"),
    "110140": ("nfe_epec", "v1_0", "e110140_v1.00.xsd"),
    "110150": ("nfe_ator_interessado", "v1_0", "110150_v1.00.xsd"),
    "110192": ("nfe_insucesso", "v1_0", "e110192_v1.00.xsd"),
    "110193": ("nfe_insucesso", "v1_0", "e110193_v1.00.xsd"),
    "210200": ("nfe_evento_mde", "v1_0", "e210200_v1.00.xsd"),
    "210210": ("nfe_evento_mde", "v1_0", "e210210_v1.00.xsd"),
    "210220": ("nfe_evento_mde", "v1_0", "e210220_v1.00.xsd"),
    "210240": ("nfe_evento_mde", "v1_0", "e210240_v1.00.xsd"),
    "DPS": ("nfse", "v1_0", "DPS_v1.01.xsd"),
    "NFSe": ("nfse", "v1_0", "NFSe_v1.01.xsd"),
    "pedRegEvento": ("nfse", "v1_0", "pedRegEvento_v1.01.xsd"),
    "eventoNfse": ("nfse", "v1_0", "evento_v1.01.xsd"),
}
# The package's copies of these types are older than the CNPJ with letters (NT Conjunta 2025.001,
# XSD-2); the left side is what they hold, the right side what the current official files hold.
_CORRECTIONS = (
    (b'value="ID[0-9]{52}"', b'value="ID[0-9]{12}[0-9A-Z]{12}[0-9]{28}"'),
    (b'value="ID[0-9]{41}"', b'value="ID[0-9]{4}[0-9A-Z]{12}[0-9]{25}"'),
    (b'<xs:pattern value="[0-9]{44}"/>', b'<xs:pattern value="[0-9]{6}[0-9A-Z]{12}[0-9]{26}"/>'),
    (b'<xs:pattern value="[0-9]{14}"/>', b'<xs:pattern value="[0-9A-Z]{12}[0-9]{2}"/>'),
    (
        b'<xs:pattern value="[0-9]{0}|[0-9]{14}"/>',
        b'<xs:pattern value="[0-9]{0}|[0-9A-Z]{12}[0-9]{2}"/>',
    ),
)
# The national NFS-e of the same date; TStat lacks the substitution that Anexo I has (101).
_NFSE_CORRECTIONS = (
    (b'"[0-9]{14}"', b'"[0-9A-Z]{12}[0-9]{2}"'),
    (b'"DPS[0-9]{42}"', b'"DPS[0-9]{8}[0-9A-Z]{12}[0-9]{22}"'),
    (b'"[0-9]{50}"', b'"[0-9]{9}[0-9A-Z]{12}[0-9]{29}"'),
    (b'"NFS[0-9]{50}"', b'"NFS[0-9]{9}[0-9A-Z]{12}[0-9]{29}"'),
    (b'"[0-9]{44}"', b'"[0-9]{6}[0-9A-Z]{12}[0-9]{26}"'),
    (b'"PRE[0-9]{56}"', b'"PRE[0-9]{9}[0-9A-Z]{12}[0-9]{35}"'),
    (b'"EVT[0-9]{59}"', b'"EVT[0-9]{9}[0-9A-Z]{12}[0-9]{38}"'),
    (b'"[0-9]{59}"', b'"[0-9]{9}[0-9A-Z]{12}[0-9]{38}"'),
    (
        b'<xs:enumeration value="103"/>\r\n      <xs:enumeration value="107"/>',
        b'<xs:enumeration value="101"/><xs:enumeration value="103"/><xs:enumeration value="107"/>',
    ),
)
# Files of cities, published as they are: folder below fiscal/schemas, file.
_OF_CITIES = {
    "abrasf100": ("abrasf_1_00", "nfse.xsd"),
    "abrasf202": ("abrasf_2_02", "nfse_v2_02.xsd"),
    "abrasf204": ("abrasf_2_04", "nfse_v2-04.xsd"),
}
# Subitems of LC 157/2016 and LC 183/2021, which the file of model 2.04 does not list.
_ITEMS = (
    (b'"25.04"/>', b'"25.04"/>' + b"".join(
        b'<xsd:enumeration value="%s"/>' % item
        for item in (b"01.09", b"06.06", b"11.05", b"14.14", b"16.02", b"17.25", b"25.05")
    )),
)  # fmt: skip
_COMPILING = threading.Lock()


class _Corrected(etree.Resolver):
    def __init__(self, package: str, release: str) -> None:
        super().__init__()
        self.folder = files("nfelib") / package / "schemas" / release
        # In the files of NFS-e the first text of 14 digits is the CNPJ's; others stay digits.
        self.corrections: tuple[tuple[bytes, bytes], ...]
        self.corrections, self.times = (
            (_NFSE_CORRECTIONS, 1) if package == "nfse" else (_CORRECTIONS, -1)
        )

    def read(self, name: str) -> bytes:
        raw = (self.folder / name).read_bytes()
        for old, new in self.corrections:
            raw = raw.replace(old, new, self.times)
        return raw

    def resolve(self, system_url, public_id, context):  # type: ignore[no-untyped-def]
        name = str(system_url).rsplit("/", 1)[-1]
        return self.resolve_string(self.read(name), context, base_url=f"xsd:///{name}")


def _of_city(path: str, name: str) -> etree._ElementTree:
    parser = etree.XMLParser(no_network=True)
    if name != "abrasf204":
        return etree.parse(path, parser)
    raw = Path(path).read_bytes()
    for old, new in _ITEMS:
        raw = raw.replace(old, new, 1)
    return etree.ElementTree(etree.fromstring(raw, parser, base_url=path))


@functools.cache
def _compiled(name: str) -> etree.XMLSchema:
    if name in _OF_CITIES or "/" in name:
        folder, file = _OF_CITIES.get(name) or name.split("/", 1)
        path = files("fiscal") / "schemas" / folder / file
        return etree.XMLSchema(_of_city(str(path), name))
    package, release, root = _ROOTS[name]
    parser = etree.XMLParser(no_network=True)
    resolver = _Corrected(package, release)
    parser.resolvers.add(resolver)
    tree = etree.fromstring(resolver.read(root), parser, base_url=f"xsd:///{root}")
    return etree.XMLSchema(tree)


def schema(name: str) -> etree.XMLSchema:
    """The compiled schema of a root element or, by its number, of an event's detEvento."""
    with _COMPILING:
        return _compiled(name)


def has_schema(name: str) -> bool:
    """Whether the package has a file for it."""
    return name in _ROOTS


def first_fault(element: etree._Element, name: str) -> str:
    """What the schema says first, in libxml2's words, or nothing."""
    # XMLSchema objects keep the last error log: two threads on one would read each other's.
    with _lock_of(name):
        compiled = schema(name)
        if compiled.validate(element):
            return ""
        return str(compiled.error_log[0].message)


@functools.cache
def _lock_of(name: str) -> threading.Lock:
    return threading.Lock()
