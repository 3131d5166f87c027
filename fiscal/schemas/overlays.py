"""Where packaged schemas lag behind those in force: a declared list of exact replacements (XSD-2).

Each says which text of which type it replaces. A text that is no longer there is left alone: the
package has caught up, and the test of this list asks for the entry to be removed.
"""

from __future__ import annotations

from dataclasses import dataclass

_LETTERS = "NT Conjunta 2025.001: CNPJ and keys may hold letters since 2026-07-06"
_NATIONAL_LETTERS = "national package of 2026-07-27: CNPJ and keys may hold letters"
_REPLACED = "Anexo I, NAC-14: cStat 101 is an NFS-e that replaces another"
_NEW_ITEMS = "LC 157/2016 and LC 183/2021: subitems that model 2.03 has and the file of 2.04 lost"
_PROTOCOL = "TProt of tiposBasico_v4.00: protocols of 15 or 17 digits"

EVENT_ID = "ID[0-9]{12}[0-9A-Z]{12}[0-9]{28}"
VOID_ID = "ID[0-9]{4}[0-9A-Z]{12}[0-9]{25}"
_KEY = "[0-9]{6}[0-9A-Z]{12}[0-9]{26}"
_CNPJ = "[0-9A-Z]{12}[0-9]{2}"


@dataclass(frozen=True)
class Overlay:
    """In `filename` of `family`, the first `old` after the text `after` becomes `new`."""

    family: str
    filename: str
    after: str
    old: str
    new: str
    reason: str
    prefix: str = "xs"

    def fits(self, text: str) -> bool:
        """Whether `old` still stands in the very type that `after` opens."""
        start = text.find(self.after)
        end = text.find(f"</{self.prefix}:simpleType>", start)
        return start >= 0 and text.find(self.old, start, end) >= 0

    def apply(self, text: str) -> str:
        """The text with the replacement, or as it was when it does not fit any more."""
        if not self.fits(text):
            return text
        place = text.index(self.old, text.index(self.after))
        return text[:place] + self.new + text[place + len(self.old) :]


def _basic_types(family: str, *, digits_of_key: str = "[0-9]{44}") -> list[Overlay]:
    """The basic types that every family of events repeats."""
    where = (f"{family}/schemas/v1_0", "tiposBasico_v1.03.xsd")
    return [
        Overlay(*where, 'name="TChNFe"', f'"{digits_of_key}"', f'"{_KEY}"', _LETTERS),
        Overlay(*where, 'name="TCnpj"', '"[0-9]{14}"', f'"{_CNPJ}"', _LETTERS),
        Overlay(*where, 'name="TCnpjOpc"', "|[0-9]{14}", f"|{_CNPJ}", _LETTERS),
        Overlay(*where, 'name="TProt"', '"[0-9]{15}"', '"[0-9]{15}|[0-9]{17}"', _PROTOCOL),
    ]


# The package of cancellation spells the key out by its parts.
_KEY_OF_CANCEL = (
    r"(1[1-7]|2[1-9]|3[1,2,3,5]|4[1-3]|5[0-3])(0[6-9]|[1-9][\d])(0[1-9]|1[0-2])"
    r"([\d]{14})([\d]{5})([\d]{9})([\d]{10})"
)


def _national() -> list[Overlay]:
    """Types of the national NFS-e: letters in CNPJ, keys and Ids, and the cStat of substitutes."""
    key = "[0-9]{9}[0-9A-Z]{12}[0-9]{29}"
    where = ("nfse/schemas/v1_0", "tiposSimples_v1.01.xsd")
    lettered = (
        ("TSCNPJ", "[0-9]{14}", _CNPJ),
        ("TSIdDPS", "DPS[0-9]{42}", "DPS[0-9]{8}[0-9A-Z]{12}[0-9]{22}"),
        ("TSChaveNFSe", "[0-9]{50}", key),
        ("TSIdNFSe", "NFS[0-9]{50}", f"NFS{key}"),
        ("TSChaveNFe", "[0-9]{44}", _KEY),
        ("TSIdPedRegEvt", "PRE[0-9]{56}", "PRE[0-9]{9}[0-9A-Z]{12}[0-9]{35}"),
        ("TSIdEvento", "EVT[0-9]{59}", "EVT[0-9]{9}[0-9A-Z]{12}[0-9]{38}"),
        ("TSIdNumEvento", "[0-9]{59}", "[0-9]{9}[0-9A-Z]{12}[0-9]{38}"),
    )
    first = '<xs:whiteSpace value="preserve"/>%s<xs:enumeration value="100"/>'
    substitute = first % '<xs:enumeration value="101"/>'
    return [
        *(
            Overlay(*where, f'name="{name}"', f'"{old}"', f'"{new}"', _NATIONAL_LETTERS)
            for name, old, new in lettered
        ),
        Overlay(*where, 'name="TStat"', first % "\n      ", substitute, _REPLACED),
    ]


def _service_items() -> list[Overlay]:
    """Subitems of LC 116, each behind the one before it."""
    after = (
        ("01.08", "01.09"), ("06.05", "06.06"), ("11.04", "11.05"), ("14.13", "14.14"),
        ("16.01", "16.02"), ("17.24", "17.25"), ("25.04", "25.05"),
    )  # fmt: skip
    where = ("fiscal/abrasf_2_04", "nfse_v2-04.xsd", 'name="tsItemListaServico"')
    item = '<xsd:enumeration value="%s"/>'
    return [
        Overlay(*where, f"{item % old}\n", f"{item % old}{item % new}\n", _NEW_ITEMS, "xsd")
        for old, new in after
    ]


OVERLAYS: tuple[Overlay, ...] = (
    Overlay(
        "nfe/schemas/v4_0",
        "leiauteInutNFe_v4.00.xsd",
        'name="Id"',
        "ID[0-9]{41}",
        VOID_ID,
        _LETTERS,
    ),
    Overlay(
        "nfe/schemas/v4_0",
        "leiauteConsSitNFe_v4.00.xsd",
        "“ID” + tpEvento",
        "ID[0-9]{52}",
        EVENT_ID,
        _LETTERS,
    ),
    Overlay(
        "nfe_evento_generico/schemas/v1_0",
        "leiauteEvento_v1.00.xsd",
        "“ID” + tpEvento",
        "ID[0-9]{52}",
        EVENT_ID,
        _LETTERS,
    ),
    *_basic_types("nfe_evento_generico"),
    *_basic_types("nfe_evento_cancel", digits_of_key=_KEY_OF_CANCEL),
    *_basic_types("nfe_epec"),
    *_basic_types("nfe_ator_interessado"),
    *_basic_types("nfe_entrega"),
    *_basic_types("nfe_insucesso"),
    *_national(),
    *_service_items(),
)


def overlaid(text: str, family: str, filename: str) -> str:
    """The text of a schema file with its replacements."""
    for overlay in OVERLAYS:
        if (overlay.family, overlay.filename) == (family, filename):
            text = overlay.apply(text)
    return text
