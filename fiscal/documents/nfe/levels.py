"""The catalogue compiled for reading: for the body and for each list, name → what reads it.

Reading walks over what was sent, never over the six hundred fields that may be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from fiscal.documents.nfe import texts, values
from fiscal.documents.nfe.catalogue import Catalogue, Field, catalogue

ReaderOf = Callable[[Field], values.Reader | None]

_EACH_ENTRY = "for each entry of the list"
# Defaults that depend on what else was sent: `defaults` knows on what.
_DEPENDENT = frozenset(("indicador_intermediario", "items[].codigo_barras_tributavel"))


@dataclass(frozen=True)
class Level:
    """Fields that sit together: of the body, or of the entries of one list."""

    fields: Mapping[str, Field]
    readers: Mapping[str, values.Reader]
    moments: frozenset[str]
    lists: Mapping[str, Level]
    aliases: Mapping[str, str]  # old name → name, both here
    moved: Mapping[str, str]  # old name here → name in the body
    required: tuple[Field, ...]  # judged after the defaults
    defaults: Mapping[str, str]
    forbidden: Mapping[str, str]  # NFC-e: name → rejection code, or empty
    single: str  # the only field of an entry, which may then come without its object


@cache
def level(modelo: int) -> Level:
    """The compiled body of model 55 or 65."""
    return compiled(catalogue(modelo))


def compiled(
    source: Catalogue, parents: tuple[str, ...] = (), *, reader_of: ReaderOf | None = None
) -> Level:
    """The level of the lists `parents` of a catalogue, and all those below it.

    `reader_of` gives the reader of a field, None for lists and moments; by default that of NF-e.
    """
    read_by = reader_of or _reader
    fields = source.level(*parents)
    lists = {
        n: compiled(source, (*parents, n), reader_of=reader_of)
        for n, f in fields.items()
        if f.kind == "array"
    }
    in_body = source.level()
    moved = dict(_aliases(source, parents, is_moved=True))
    readers = {n: r for n, f in fields.items() if (r := read_by(f)) is not None}
    readers |= {old: r for old, n in moved.items() if (r := read_by(in_body[n])) is not None}
    return Level(
        fields=fields,
        readers=readers,
        moments=frozenset(n for n, f in fields.items() if f.kind == "datetime"),
        lists=lists,
        aliases=dict(_aliases(source, parents, is_moved=False)),
        moved=moved,
        required=tuple(f for f in fields.values() if _is_required(f)),
        defaults={n: f.default for n, f in fields.items() if _has_default(f)},
        forbidden=_forbidden(source, parents),
        single=next(iter(fields)) if parents and len(fields) == 1 else "",
    )


def _aliases(
    source: Catalogue, parents: tuple[str, ...], *, is_moved: bool
) -> Iterator[tuple[str, str]]:
    for alias, target in source.aliases.items():
        *of_alias, old = alias.split("[].")
        *of_target, name = target.split("[].")
        if tuple(of_alias) == parents and is_moved == (of_alias != of_target):
            yield old, name


def _is_required(field: Field) -> bool:
    each = field.condition.startswith(_EACH_ENTRY) and not field.default
    return field.required == "yes" or (field.required == "conditional" and each)


def _has_default(field: Field) -> bool:
    """Whether the default always holds; the others depend on what else was sent."""
    return bool(field.default and field.path not in _DEPENDENT) and (
        not field.condition or field.condition.startswith(_EACH_ENTRY) or field.required == "yes"
    )


def _forbidden(source: Catalogue, parents: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, code in source.forbidden.items():
        *above, name = path.split("[].")
        if tuple(above) == parents:
            found[name] = code
    return found


def _reader(field: Field) -> values.Reader | None:
    """The reader of a field; None for lists and moments, which need more than the value."""
    if field.kind in ("array", "datetime"):
        return None
    if field.kind == "decimal":
        return values.decimal_reader(field)
    if field.kind == "date":
        return values.read_date
    if field.kind == "boolean":
        return values.read_boolean
    if field.kind == "enum" and field.enum:
        return values.enum_reader(field.enum)
    return texts.reader(field)
