"""The request body → Data, with every fault at once (fiscal-api §1–3, XML-5 to XML-11).

Nothing here computes a tax or asks who may issue; `fiscal.taxes` and the services do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from fiscal.documents.nfe import defaults, moments, rules
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.nfe.levels import Level, level
from fiscal.documents.nfe.values import Refused, TooLong, plain, shown
from fiscal.documents.types import Data, Issuer
from fiscal.errors import InvalidRequest, SchemaInvalid
from fiscal.tables import places
from fiscal.taxes.sheet import Note

_MOST_NOTES = 100


class Read(dict[str, Any]):
    """Data together with what the caller should know although nothing was wrong."""

    notes: list[Note]


def read(
    body: Mapping[str, Any],
    *,
    modelo: int,
    ambiente: str,
    issuer: Issuer,
    now: datetime,
    offline: bool = False,
) -> Read:
    """The Data of a body, with the issuer's record and the defaults of the catalogue filled in.

    Present fields only: text (enumerations, digits, S/N, moments as the layout writes them),
    Decimal, and lists of the same. `notes` of the result names what was ignored or shortened.
    `offline`: NFC-e issued by the client in contingency, whose moment may lie in the past.
    `ambiente` decides nothing here: the texts that homologação wants (XML-8) are the writer's.

    Raises InvalidRequest when the body is no object, SchemaInvalid with all the faults otherwise;
    `campo` is the request field, as in `items[0].icms_aliquota`.
    """
    if not isinstance(body, Mapping):
        raise InvalidRequest("O corpo da requisição deve ser um objeto JSON.")
    top = level(modelo)
    reading = Reading(top, places.zone(issuer.uf, issuer.codigo_municipio), now)
    data = Read(reading.fields(body, top, ""))
    reading.dated(data)
    defaults.fill(data, modelo=modelo, issuer=issuer)
    reading.missing(data, top)
    rules.check(data, reading.faults, modelo=modelo, now=now, offline=offline, bare=reading.bare)
    if reading.faults:
        raise SchemaInvalid(erros=list(reading.faults.values()))
    data.notes = [*reading.notes, *rules.warnings(data, modelo=modelo)]
    return data


class Reading:
    """One body being read: faults and notes by the path of their field."""

    __slots__ = ("bare", "faults", "notes", "now", "top", "zone")

    def __init__(self, top: Level, zone: timezone, now: datetime) -> None:
        self.top = top
        self.zone = zone
        self.now = now
        self.faults = Faults()
        self.notes: list[Note] = []
        self.bare = False  # data_emissao came without its time

    def fields(self, body: Mapping[str, Any], here: Level, where: str) -> Data:
        """What was sent at one level, read; blanks count as absent."""
        found: Data = {}
        readers = here.readers
        for name, value in body.items():
            if value is None or value == "" or (type(value) is str and value.isspace()):
                continue
            reader = readers.get(name)
            if reader is None:
                self._other(name, value, here, where, found, body)
                continue
            try:
                found[name] = reader(value)
            except TooLong as error:
                found[name] = error.cut
                self.note(where + name, str(error))
            except Refused as error:
                self.faults.add(where + name, str(error))
        return found

    def _other(
        self,
        name: str,
        value: Any,
        here: Level,
        where: str,
        found: Data,
        body: Mapping[str, Any],
    ) -> None:
        """A list, a moment, an old name, a field that NFC-e refuses, or an unknown one."""
        if name in here.lists:
            self._list(name, value, here, where, found)
        elif name in here.moments:
            found[name] = value  # read by `dated`, once the issuer's zone is all that is needed
        elif name in here.aliases:
            self._alias(name, value, here, where, found, body)
        elif name in here.forbidden:
            if value not in ([], {}):
                self.faults.add(where + name, _not_in_nfce(here.forbidden[name]))
        else:
            self.note(where + shown(str(name)), "Campo desconhecido: ignorado.")

    def _alias(
        self,
        name: str,
        value: Any,
        here: Level,
        where: str,
        found: Data,
        body: Mapping[str, Any],
    ) -> None:
        """Another name of a field (`itens`, §2.2): one of both, or the same under both."""
        own = here.aliases[name]
        if body.get(own) in (None, "", []):
            found.update(self.fields({own: value}, here, where))
        elif value not in ([], body[own]):
            self.faults.add(where + name, f"Informe só um: {own} ou {name}; os dois diferem.")

    def _list(self, name: str, value: Any, here: Level, where: str, found: Data) -> None:
        path, inner, most = where + name, here.lists[name], here.fields[name].max_items
        if not isinstance(value, list | tuple):
            self.faults.add(path, "Informe uma lista de objetos.")
            return
        if most and len(value) > most:
            self.faults.add(path, f"Informe no máximo {most} entradas (vieram {len(value)}).")
            return
        entries = [self._entry(entry, inner, f"{path}[{n}]") for n, entry in enumerate(value)]
        if entries:
            found[name] = entries

    def _entry(self, entry: Any, here: Level, path: str) -> Data:
        if here.single and isinstance(entry, str | int):
            entry = {here.single: entry}
        if not isinstance(entry, Mapping):
            self.faults.add(path, "Informe um objeto com os campos da entrada.")
            return {}
        data = self.fields(entry, here, path + ".")
        for name, value in here.defaults.items():
            data.setdefault(name, value)
        return data

    def dated(self, data: Data) -> None:
        """Moments in the issuer's zone as the layout writes them (XML-7)."""
        for name in self.top.moments & data.keys():
            try:
                text = plain(data.pop(name))
                value = moments.moment(text, zone=self.zone, now=self.now)
            except ValueError as error:
                self.faults.add(name, str(error))
                continue
            data[name] = moments.written(value)
            self.bare = self.bare or (name == "data_emissao" and moments.is_bare_date(text))

    def missing(self, data: Data, here: Level, where: str = "") -> None:
        """A fault for each required field that is neither sent nor filled nor faulty already."""
        for field in here.required:
            if field.name not in data and not rules.is_excused(field, data):
                self.faults.add(where + field.name, _fill_in(field.name, field.enum))
        for name in here.lists.keys() & data.keys():
            inner = here.lists[name]
            for n, entry in enumerate(data[name]):
                path = f"{where}{name}[{n}]"
                if path not in self.faults:
                    self.missing(entry, inner, path + ".")

    def note(self, path: str, message: str) -> None:
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(Note(path, message))


def _fill_in(name: str, enum: tuple[str, ...]) -> str:
    if enum and len(enum) <= 10:
        return f"Preencha {name}: {', '.join(enum)}."
    return f"Preencha {name}."


def _not_in_nfce(code: str) -> str:
    return f"Rejeição {code}: campo não aceito em NFC-e." if code else "Campo não aceito em NFC-e."
