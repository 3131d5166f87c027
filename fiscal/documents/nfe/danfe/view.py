"""What a DANFE template is filled with: boxes of text, already as people read them."""

from __future__ import annotations

from dataclasses import dataclass, field

from fiscal.documents.nfe.danfe.standing import Standing


@dataclass(frozen=True)
class Box:
    """A labelled value. `weight` is its share of the row's width."""

    label: str
    value: str
    weight: float = 1
    align: str = "left"


@dataclass(frozen=True)
class Block:
    """A titled group of rows of boxes."""

    title: str
    rows: tuple[tuple[Box, ...], ...]


@dataclass(frozen=True)
class Column:
    """A column of the items, `width` in per cent; one with `span` 0 has its neighbour's label."""

    label: str
    width: float
    align: str = "left"
    span: int = 1


@dataclass(frozen=True)
class Items:
    """The table of items: a cell is lines of text."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True)
class Issuer:
    """Head of the sheet. `lines` are address and contacts."""

    nome: str
    lines: tuple[str, ...]
    registration: tuple[tuple[Box, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """A whole DANFE. `layout` is `moc` or `nt2026` (PDF-3)."""

    layout: str
    chave: str
    numero: str
    serie: str
    tp_nf: str
    natureza: str
    receipt: str
    issuer: Issuer
    standing: Standing
    before: tuple[Block, ...]
    items: Items
    after: tuple[Block, ...]
    notes: str  # informações complementares, the whole text
    reserved: str  # reservado ao fisco
    qrcode: str = ""
    title: str = field(default="")
