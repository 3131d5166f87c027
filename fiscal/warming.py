"""What every document needs and no document should wait for, loaded at the start (PERF-1)."""

from __future__ import annotations

MODELS = (55, 65)
# What the national system is sent, and what it sends back.
NATIONAL_SCHEMAS = ("DPS", "pedRegEvento", "NFSe", "eventoNfse")


def load() -> None:
    """Schemas, catalogues, compiled layouts and tables: some two thirds of a second, once."""
    _goods()
    _services()


def _goods() -> None:
    """NF-e and NFC-e."""
    from fiscal import xml
    from fiscal.documents.nfe import writing
    from fiscal.documents.nfe.catalogue import catalogue

    xml.schema("nfe")
    for modelo in MODELS:
        catalogue(modelo)
        writing.load(modelo)


def _services() -> None:
    """NFS-e of both bodies. The layout of a city is loaded by its first note: there are many."""
    from fiscal import xml
    from fiscal.documents.nfse import catalogue as municipal
    from fiscal.documents.nfsen import catalogue as national
    from fiscal.documents.nfsen import reading, writing
    from fiscal.services.nfse import issue, sending  # noqa: F401  with all that they import
    from fiscal.tables import cclasstrib, nfse_cities, places

    for name in NATIONAL_SCHEMAS:
        xml.schema(name)
    reading.top()
    writing.writer()
    national.places()
    national.party_fields()
    municipal.groups()
    for code in nfse_cities.cities():
        places.municipality(code)
    cclasstrib.classification("")
