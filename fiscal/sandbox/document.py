"""A received NF-e, read once: its bytes, its tree and its fields by path."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lxml import etree

from fiscal.sandbox.br import key_document

NS = "{http://www.portalfiscal.inf.br/nfe}"


@dataclass(frozen=True)
class Refusal:
    """One thing that is wrong with a document: the code, and what follows the official words."""

    c_stat: int
    detail: str = ""


class Group:
    """The leaves below an element by their path of local names; a repeated path keeps the first.

    A leading `*` asks for the end of the path: `*/vICMS` is that of whichever CST group there is.
    """

    def __init__(self, element: etree._Element, *, without: str = "") -> None:
        self.leaves: dict[str, str] = {}
        self.tails: dict[str, str] = {}
        self.groups: set[str] = set()
        for child in element:
            if child.tag != without:
                self._take(child, "")

    def _take(self, element: etree._Element, above: str) -> None:
        name = str(element.tag).rpartition("}")[2]
        path = f"{above}{name}"
        if len(element):
            self.groups.add(path)
            for child in element:
                self._take(child, f"{path}/")
        else:
            self.leaves.setdefault(path, element.text or "")
            self.tails.setdefault(name, element.text or "")

    def text(self, path: str) -> str:
        """The text of a leaf, empty when it is not there."""
        if path.startswith("*/"):
            return self.tails.get(path[2:], "")
        return self.leaves.get(path, "")

    def value(self, path: str) -> Decimal:
        """The number in a leaf, zero when it is not there."""
        return Decimal(self.text(path) or "0")

    def has(self, path: str) -> bool:
        """Whether the leaf or the group is there."""
        return path in self.leaves or path in self.groups

    def below(self, prefix: str) -> dict[str, str]:
        """The leaves under a group, by what follows the prefix."""
        start = len(prefix) + 1
        return {
            path[start:]: text
            for path, text in self.leaves.items()
            if path.startswith(f"{prefix}/")
        }


class Document:
    """An NF-e or NFC-e as received; schema-valid by the time its fields are asked for."""

    def __init__(self, raw: bytes, root: etree._Element) -> None:
        self.raw = raw
        self.root = root

    @functools.cached_property
    def inf(self) -> etree._Element:
        """infNFe."""
        found = self.root.find(f"{NS}infNFe")
        if found is None:
            raise ValueError("no infNFe")
        return found

    @functools.cached_property
    def head(self) -> Group:
        """Everything of infNFe but the items."""
        return Group(self.inf, without=f"{NS}det")

    @functools.cached_property
    def items(self) -> list[Group]:
        """One group per det, in order."""
        return [Group(det) for det in self.inf.iterfind(f"{NS}det")]

    @functools.cached_property
    def sums(self) -> dict[str, Decimal]:
        """Sum over the items of every leaf of imposto that is a value, by its local name."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for item in self.items:
            for path, text in item.leaves.items():
                name = path.rpartition("/")[2]
                if name.startswith("v") and text:
                    sums[path] += Decimal(text)
        return sums

    @property
    def id(self) -> str:
        """The Id attribute of infNFe."""
        return str(self.inf.get("Id", ""))

    @property
    def key(self) -> str:
        """The access key that the Id announces."""
        return self.id.removeprefix("NFe")

    @property
    def modelo(self) -> str:
        return self.head.text("ide/mod")

    @property
    def issuer(self) -> str:
        """CNPJ or CPF of emit."""
        return self.head.text("emit/CNPJ") or self.head.text("emit/CPF")

    @property
    def recipient(self) -> str:
        """CNPJ or CPF of dest, empty when there is none or it is foreign."""
        return self.head.text("dest/CNPJ") or self.head.text("dest/CPF")

    @property
    def digest(self) -> str:
        """DigestValue of the signature, which the protocol repeats as digVal."""
        path = "{http://www.w3.org/2000/09/xmldsig#}"
        return self.root.findtext(f".//{path}DigestValue", default="")

    @property
    def issued_at(self) -> datetime:
        """dhEmi."""
        return datetime.fromisoformat(self.head.text("ide/dhEmi"))

    @functools.cached_property
    def interested(self) -> list[str]:
        """Who else may fetch it: autXML and the carrier."""
        found = [each.text or "" for block in self.inf.iterfind(f"{NS}autXML") for each in block]
        found += [self.head.text("transp/transporta/CNPJ"), self.head.text("transp/transporta/CPF")]
        return [each for each in dict.fromkeys(found) if each and each != self.issuer]


@dataclass(frozen=True)
class Key:
    """The parts of an access key (KEY-1)."""

    text: str

    @property
    def cuf(self) -> str:
        return self.text[:2]

    @property
    def aamm(self) -> str:
        return self.text[2:6]

    @property
    def document(self) -> str:
        return key_document(self.text)

    @property
    def modelo(self) -> str:
        return self.text[20:22]

    @property
    def serie(self) -> str:
        return str(int(self.text[22:25]))

    @property
    def numero(self) -> int:
        return int(self.text[25:34])

    @property
    def tp_emis(self) -> str:
        return self.text[34]
