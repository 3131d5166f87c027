"""Scripted faults (guide §20.4): which request they hit, and how often."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fiscal.sandbox import tables
from fiscal.sandbox.document import Key
from fiscal.sandbox.store import Store

AT_CONNECTION = {"sem_conexao", "tls_recusado", "cadeia_quebrada"}
INSTEAD = {
    "queda_antes", "cstat", "pausado", "parado", "consumo_indevido", "duplicado_fantasma",
}  # fmt: skip
DURING = {
    "em_processamento", "consulta_atrasada", "lote_em_processamento", "cancelamento_pendente",
}  # fmt: skip
AFTER = {
    "queda_depois", "lento_antes", "lento_depois", "gotejar", "truncado", "mal_formado", "vazio",
    "outra_codificacao", "resposta_trocada", "digval_trocado", "ordem_trocada",
}  # fmt: skip
EITHER = {"http_500", "http_503", "http_html", "soap_fault"}
_OF_NFE = {"em_processamento", "consulta_atrasada"}
KINDS = AT_CONNECTION | INSTEAD | _OF_NFE | AFTER | EITHER
# Of the authorities of service notes alone: an error of theirs, a lot that stays in the queue, and
# what a city may say to a cancellation.
NOTES_ALONE = {
    "erro", "lote_em_processamento", "lote_com_erro", "retorno_vazio", "cancelamento_pendente",
    "cancelamento_recusado", "cancelamento_tardio",
}  # fmt: skip
_LASTING = {"pausado", "parado", "consumo_indevido"}
_FILTERS = ("servico", "autorizador", "uf", "cnpj", "serie", "numero")
_FIELDS = {*_FILTERS, "vezes", "depois_de", "tipo", "parametros"}
# tipo → its parameters: None for a number, else the words that it may say (none: any text).
_NUMBER, _TEXT, _RESULTS = None, (), ("deferido", "indeferido")
_SECONDS: dict[str, tuple[str, ...] | None] = {"segundos": _NUMBER}
_MOMENT: dict[str, tuple[str, ...] | None] = {"quando": ("antes", "depois")}
_PARAMETERS: dict[str, dict[str, tuple[str, ...] | None]] = {
    "sem_conexao": _SECONDS,
    "lento_antes": _SECONDS,
    "lento_depois": _SECONDS,
    "consumo_indevido": _SECONDS,
    "consulta_atrasada": _SECONDS,
    "gotejar": {"intervalo": _NUMBER},
    "em_processamento": {"n": _NUMBER},
    "lote_em_processamento": {"n": _NUMBER, **_SECONDS},
    "cancelamento_pendente": {**_SECONDS, "codigo": _TEXT, "resultado": _RESULTS},
    "lote_com_erro": {"codigo": _TEXT, "mensagem": _TEXT},
    "erro": {"codigo": _TEXT, "mensagem": _TEXT},
    "cstat": {"codigo": _NUMBER, "motivo": _TEXT, "nivel": ("lote", "documento")},
    **dict.fromkeys(sorted(EITHER), _MOMENT),
}
_KEY = re.compile(rb'Id="NFe([0-9A-Z]{44})"|<chNFe>([0-9A-Z]{44})</chNFe>')
_CUF = re.compile(rb"<cUF(?:Autor)?>([0-9]{2})</cUF")
_DOCUMENT = re.compile(rb"<(?:CNPJ|CPF)>([0-9A-Z]{11,14})</")
_RANGE = re.compile(rb"<serie>([0-9]{1,3})</serie><nNFIni>([0-9]{1,9})</nNFIni>")


@dataclass(frozen=True)
class Facts:
    """What a fault may be aimed at."""

    servico: str
    uf: str = ""
    cnpj: str = ""
    serie: str = ""
    numero: str = ""
    chave: str = ""
    autorizador: str = ""


def facts_of(service: str, payload: bytes, sender: str, authority: str = "") -> Facts:
    """Read from the payload without believing it; what it does not say is empty.

    `authority` is who was asked: a UF's home and its SVC get documents of the same UF.
    """
    found = _KEY.search(payload)
    if found:
        key = Key((found.group(1) or found.group(2)).decode())
        numbers = (key.serie, str(key.numero)) if key.text[22:34].isdecimal() else ("", "")
        return Facts(service, _sigla(key.cuf), key.document, *numbers, key.text, authority)
    cuf, document, span = (each.search(payload) for each in (_CUF, _DOCUMENT, _RANGE))
    return Facts(
        service,
        uf=_sigla(cuf.group(1).decode()) if cuf else "",
        cnpj=document.group(1).decode() if document else sender,
        serie=str(int(span.group(1))) if span else "",
        numero=str(int(span.group(2))) if span else "",
        autorizador=authority,
    )


def _sigla(cuf: str) -> str:
    uf = tables.by_code().get(cuf)
    return uf.sigla if uf else ""


@dataclass
class Fault:
    """One rule of the script."""

    id: int
    tipo: str
    wanted: dict[str, str]
    times: int | None  # None: until reset
    skip: int
    parameters: dict[str, Any]
    seen: int = 0
    used: int = 0
    until: float | None = None  # of the sandbox's clock
    door_until: float | None = None  # of time.monotonic()

    def matches(self, facts: Facts) -> bool:
        """Whether the request is one it is aimed at."""
        return all(getattr(facts, name) == value for name, value in self.wanted.items())

    def number(self, name: str, default: float) -> float:
        """A numeric parameter."""
        return float(self.parameters.get(name, default))

    def is_spent(self, now: float) -> bool:
        """Whether it has done all it had to."""
        if self.until is not None and now >= self.until:
            return True
        return self.times is not None and self.used >= self.times

    @property
    def closes_door(self) -> bool:
        """`sem_conexao` without a count, or with a time: nobody listens meanwhile."""
        return self.tipo == "sem_conexao" and (self.times is None or "segundos" in self.parameters)

    def strike(self, now: float) -> bool:
        """Count one match; whether this one is hit."""
        self.seen += 1
        if self.seen <= self.skip:
            return False
        self.used += 1
        if self.tipo == "consumo_indevido" and self.until is None:
            self.until = now + self.number("segundos", 3600)
        return True


class Faults:
    """The script, kept in the store so that a restart goes on with it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._rules = [_restored(row) for row in store.all("SELECT * FROM falhas ORDER BY id")]

    def add(self, rules: list[dict[str, Any]]) -> list[int]:
        """Append rules; raises ValueError, naming what is wrong, before any is kept."""
        made = [_made(0, rule) for rule in rules]
        with self.store.transaction():
            for fault, rule in zip(made, rules, strict=True):
                self.store.insert("falhas", regra=json.dumps(rule))
                row = self.store.one("SELECT last_insert_rowid() AS id")
                fault.id = int(row["id"]) if row else 0
                self._rules.append(fault)
        return [fault.id for fault in made]

    def clear(self) -> None:
        """Forget the script."""
        with self.store.transaction():
            self.store.run("DELETE FROM falhas")
            self._rules.clear()

    def remove(self, tipo: str) -> None:
        """Forget the rules of one kind: the way to lift a pause."""
        with self.store.transaction():
            for fault in [fault for fault in self._rules if fault.tipo == tipo]:
                self.store.run("DELETE FROM falhas WHERE id = ?", fault.id)
                self._rules.remove(fault)

    def show(self) -> list[dict[str, Any]]:
        """Every rule as it was sent, with how often it matched and hit."""
        rows = self.store.all("SELECT * FROM falhas ORDER BY id")
        return [
            {
                "id": row["id"],
                **json.loads(row["regra"]),
                "vistas": row["vistas"],
                "usadas": row["usadas"],
            }
            for row in rows
        ]

    def hits_connections(self, now: float) -> bool:
        """Whether a new connection may be hit."""
        with self.store.lock:
            return any(f.tipo in AT_CONNECTION and not f.is_spent(now) for f in self._rules)

    def door(self) -> float:
        """For how many seconds from now nobody shall listen; infinite until it is lifted."""
        with self.store.lock:
            return max((_shut_for(fault) for fault in self._rules), default=0.0)

    def take(self, facts: Facts, now: float) -> list[Fault]:
        """The rules that hit this request: one of those that answer, and all that go along."""
        return self._hits(now, lambda fault: fault.matches(facts), at_connection=False)

    def at_connection(self, now: float) -> Fault | None:
        """The rule that hits a new connection."""
        hits = self._hits(now, lambda _: True, at_connection=True)
        return hits[0] if hits else None

    def _hits(
        self, now: float, wanted: Callable[[Fault], bool], *, at_connection: bool
    ) -> list[Fault]:
        if not self._rules:
            return []
        hits: list[Fault] = []
        with self.store.transaction():
            for fault in self._rules:
                if (fault.tipo in AT_CONNECTION) != at_connection or fault.closes_door:
                    continue
                is_second = fault.tipo not in DURING and any(f.tipo not in DURING for f in hits)
                if is_second or fault.is_spent(now) or not wanted(fault):
                    continue
                if self._strike(fault, now):
                    hits.append(fault)
        return hits

    def _strike(self, fault: Fault, now: float) -> bool:
        hit = fault.strike(now)
        self.store.run(
            "UPDATE falhas SET vistas = ?, usadas = ? WHERE id = ?",
            fault.seen,
            fault.used,
            fault.id,
        )
        return hit


def _shut_for(fault: Fault) -> float:
    """The seconds begin when the rule is told, not when somebody knocks."""
    if not fault.closes_door:
        return 0.0
    if "segundos" not in fault.parameters:
        return math.inf
    if fault.door_until is None:
        fault.door_until = time.monotonic() + fault.number("segundos", 0)
        fault.used = 1
    return max(0.0, fault.door_until - time.monotonic())


def _restored(row: Any) -> Fault:
    fault = _made(row["id"], json.loads(row["regra"]))
    fault.seen, fault.used = row["vistas"], row["usadas"]
    return fault


def _made(number: int, rule: dict[str, Any]) -> Fault:
    unknown = set(rule) - _FIELDS
    if unknown:
        raise ValueError(f"campo desconhecido: {', '.join(sorted(unknown))}")
    tipo = rule.get("tipo", "")
    if tipo not in KINDS | NOTES_ALONE:
        known = ", ".join(sorted(KINDS | NOTES_ALONE))
        raise ValueError(f"tipo desconhecido: {tipo!r}; aceitos: {known}")
    wanted = {name: str(rule[name]) for name in _FILTERS if rule.get(name) not in (None, "")}
    if wanted and tipo in AT_CONNECTION:
        raise ValueError(f"{tipo} atinge a conexão, que ainda não diz {', '.join(wanted)}")
    if wanted.get("servico", "autorizacao") not in {*tables.SERVICES, *tables.NOTE_SERVICES}:
        raise ValueError(f"servico desconhecido: {wanted['servico']!r}")
    parameters = dict(rule.get("parametros") or {})
    _check_parameters(tipo, parameters)
    times = rule.get("vezes", None if tipo in _LASTING else 1)
    return Fault(
        id=number,
        tipo=tipo,
        wanted=wanted,
        times=int(times) if times else None,
        skip=int(rule.get("depois_de") or 0),
        parameters=parameters,
    )


def _check_parameters(tipo: str, given: dict[str, Any]) -> None:
    """A parameter that nobody reads would leave the fault at its default without a word."""
    known = _PARAMETERS.get(tipo, {})
    for name, value in given.items():
        if name not in known:
            accepted = ", ".join(sorted(known)) or "nenhum"
            raise ValueError(f"parâmetro desconhecido de {tipo}: {name}; aceitos: {accepted}")
        words = known[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if words is _NUMBER and not is_number:
            raise ValueError(f"{tipo}: {name} deve ser um número, não {value!r}")
        if words and value not in words:
            raise ValueError(f"{tipo}: {name} deve ser {' ou '.join(words)}, não {value!r}")
