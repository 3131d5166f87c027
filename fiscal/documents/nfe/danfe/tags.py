"""Reading tags of a parsed document by path, and writing their values as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from lxml import etree

from lib import br, money

ABROAD = "EX"  # UF of what is not in Brazil


class Tag:
    """An element, or nothing: a missing one answers "" and [] to everything."""

    __slots__ = ("_element",)

    def __init__(self, element: etree._Element | None) -> None:
        self._element = element

    def __bool__(self) -> bool:
        return self._element is not None

    def __call__(self, path: str) -> str:
        """Text of the first element at `path` (local names, `a/b/c`), stripped; "" if absent."""
        return self.tag(path).text

    @property
    def text(self) -> str:
        return "" if self._element is None else (self._element.text or "").strip()

    @property
    def name(self) -> str:
        return "" if self._element is None else etree.QName(self._element).localname

    def attribute(self, name: str) -> str:
        return "" if self._element is None else str(self._element.get(name) or "")

    def tag(self, path: str) -> Tag:
        """The first element at `path`."""
        return Tag(None if self._element is None else self._element.find(_wild(path)))

    def all(self, path: str) -> list[Tag]:
        """Every element at `path`."""
        found = [] if self._element is None else self._element.findall(_wild(path))
        return [Tag(element) for element in found]

    def children(self) -> Iterator[Tag]:
        """The elements right below."""
        if self._element is not None:
            for element in self._element:
                if isinstance(element.tag, str):
                    yield Tag(element)

    def first_child(self, path: str) -> Tag:
        """The only child of a choice such as ICMS: whatever its name is."""
        return next(self.tag(path).children(), Tag(None))

    def anywhere(self, name: str) -> Tag:
        """The first descendant called `name`, or the element itself."""
        if self._element is None or self.name == name:
            return self
        return Tag(self._element.find(f".//{{*}}{name}"))

    def within(self, name: str) -> list[Tag]:
        """Every descendant called `name`."""
        if self._element is None:
            return []
        return [Tag(element) for element in self._element.iterfind(f".//{{*}}{name}")]


def _wild(path: str) -> str:
    return "/".join(f"{{*}}{step}" for step in path.split("/"))


def number(text: str, places: int | None = None) -> str:
    """`1234.5` → `1.234,50` with `places` decimals, or with those it was written with.

    Text that is no number comes back as it is: a print never fails over a stray value.
    """
    if not text:
        return ""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    exponent = value.as_tuple().exponent
    written = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return money.decimal_br(value, written if places is None else places)


def price(text: str) -> str:
    """A unit price: two decimals, more only where the XML has them."""
    return _at_least_two(text, most=10)


def rate(text: str) -> str:
    """A percentage: two decimals, up to four where they count."""
    return _at_least_two(text, most=4)


def _at_least_two(text: str, *, most: int) -> str:
    whole, _, decimals = text.partition(".")
    kept = decimals.rstrip("0")[:most].ljust(2, "0")
    return number(f"{whole}.{kept}") if text else ""


def amount(text: str) -> str:
    """Money: two decimals, no symbol; "" stays ""."""
    return number(text, 2)


def day(text: str) -> str:
    """`2026-11-21…` → `21/11/2026`, as written: the issuer's own zone (XML-7)."""
    return f"{text[8:10]}/{text[5:7]}/{text[:4]}" if len(text) >= 10 else text


def hour(text: str) -> str:
    """`…T10:20:30-03:00` → `10:20:30`; "" for a bare date."""
    return text[11:19] if len(text) >= 19 else ""


def moment(text: str) -> str:
    return f"{day(text)} {hour(text)}".strip()


def document(party: Tag) -> str:
    """CNPJ, CPF or foreign id of a party, with its mask."""
    return br.document_mask(party("CNPJ") or party("CPF")) or party("idEstrangeiro")


def grouped(chave: str) -> str:
    """The access key in groups of four."""
    return " ".join(chave[at : at + 4] for at in range(0, len(chave), 4))


def serial(numero: str) -> str:
    """`123456` → `000.123.456`."""
    padded = numero.zfill(9)
    return f"{padded[:3]}.{padded[3:6]}.{padded[6:]}"


def address(place: Tag) -> str:
    """Street, number and complement in one line."""
    street = ", ".join(filter(None, (place("xLgr"), place("nro"))))
    return " ".join(filter(None, (street, place("xCpl"))))


def phone(place: Tag) -> str:
    """Telephone of a place; abroad, the digits as they are."""
    text = place("fone")
    return br.phone_mask(text) if text and place("UF") != ABROAD else text


def town(place: Tag) -> str:
    """Municipality, and the country where it is not Brazil."""
    abroad = place("xPais") if place("UF") == ABROAD else ""
    return " - ".join(filter(None, (place("xMun"), abroad)))


def cep(text: str) -> str:
    return br.cep_mask(text) if text else ""
