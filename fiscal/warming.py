"""What every document needs and no document should wait for, loaded at the start (PERF-1)."""

from __future__ import annotations

from typing import Any

MODELS = (55, 65)


def load(**_: Any) -> None:
    """Schema, catalogues and compiled layouts of NF-e and NFC-e: half a second, once a process.

    Takes the arguments of a signal.
    """
    from fiscal import xml
    from fiscal.documents.nfe import writing
    from fiscal.documents.nfe.catalogue import catalogue

    xml.schema("nfe")
    for modelo in MODELS:
        catalogue(modelo)
        writing.load(modelo)
