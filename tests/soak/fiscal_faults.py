"""What goes wrong in the fiscal soak: every fault that the sandbox knows, for both models."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from soak import pace

from fiscal.sandbox.faults import AT_CONNECTION, KINDS

Rule = dict[str, Any]
Tell = Callable[..., Any]

FIRST = 0.7  # of the documents meet every fault once; the others meet them again
SERIES = {"55": ("1", "2"), "65": ("5",)}  # of each model, none of both
# Longer than the time-out of the hurried clock, where it is to end in one.
_SLOW = {"segundos": 150 / pace.TIMES}
_LATE = {"quando": "depois"}
AUTHORIZING: tuple[Rule, ...] = (
    {"tipo": "queda_antes"},
    {"tipo": "queda_depois"},
    {"tipo": "lento_antes", "parametros": _SLOW},
    {"tipo": "lento_depois", "parametros": _SLOW},
    {"tipo": "gotejar"},
    {"tipo": "gotejar", "parametros": {"intervalo": 0.0002}},
    {"tipo": "truncado"},
    {"tipo": "mal_formado"},
    {"tipo": "vazio"},
    {"tipo": "outra_codificacao"},
    {"tipo": "http_500"},
    {"tipo": "http_500", "parametros": _LATE},
    {"tipo": "http_503"},
    {"tipo": "http_503", "parametros": _LATE},
    {"tipo": "http_html"},
    {"tipo": "http_html", "parametros": _LATE},
    {"tipo": "soap_fault"},
    {"tipo": "soap_fault", "parametros": _LATE},
    {"tipo": "cstat", "parametros": {"codigo": 999}},
    {"tipo": "cstat", "parametros": {"codigo": 778}},
    {"tipo": "cstat", "parametros": {"codigo": 204}},
    {"tipo": "pausado", "vezes": 2},
    {"tipo": "parado", "vezes": 2},
    {"tipo": "consumo_indevido", "vezes": 1},
    {"tipo": "resposta_trocada"},
    {"tipo": "digval_trocado"},
    {"tipo": "duplicado_fantasma", "vezes": 1},
    {"tipo": "em_processamento", "vezes": 3},
    {"tipo": "em_processamento", "vezes": 3, "parametros": {"n": 3}},
    {"tipo": "consulta_atrasada", "parametros": {"segundos": 60}},
)
# A query that is behind matters after a lost answer; an order, in what a receipt brings.
TOGETHER: dict[str, tuple[Rule, ...]] = {
    "consulta_atrasada": ({"tipo": "queda_depois"},),
    "em_processamento": ({"tipo": "ordem_trocada", "servico": "ret_autorizacao"},),
}
ASKING = ("queda_antes", "queda_depois", "truncado", "mal_formado", "http_503", "lento_depois")
ELSEWHERE = ("consulta_protocolo", "recepcao_evento", "inutilizacao", "ret_autorizacao")
CONNECTING: tuple[Rule, ...] = (
    {"tipo": "sem_conexao", "vezes": 3},
    {"tipo": "tls_recusado", "vezes": 3},
    {"tipo": "sem_conexao", "parametros": {"segundos": 1}},
)


@dataclass
class Script:
    """Tells faults one after the other: all of them in a shuffled order, and again."""

    tell: Tell
    rng: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    told: int = 0
    _steps: list[list[Rule]] = field(default_factory=lambda: list(_steps()))

    def keep_up(self, done: float) -> None:
        """Tell what is due when that share of the documents is there."""
        while self.told < done / FIRST * len(self._steps):
            place = self.told % len(self._steps)
            if not place:
                self.rng.shuffle(self._steps)
            later = [{"depois_de": self.rng.randint(0, 3), **rule} for rule in self._steps[place]]
            self.tell("POST", "falhas", later)
            self.told += 1

    def again(self, absent: list[str]) -> None:
        """Tell those of `missing` once more, alone."""
        kinds = {name.split()[0] for name in absent}
        for step in self._steps:
            if kinds & {rule["tipo"] for rule in step}:
                self.tell("POST", "falhas", step)

    def end(self) -> None:
        """No more faults; those of the connection are in no journal, so they are counted here."""
        for rule in self.tell("GET", "falhas"):
            if rule["tipo"] in AT_CONNECTION:
                self.struck[rule["tipo"]] += rule["usadas"]
        self.tell("DELETE", "falhas")


def _steps() -> Iterator[list[Rule]]:
    for rule in AUTHORIZING:
        for series in SERIES.values():
            aim = {"servico": "autorizacao", "serie": series[-1]}
            also = [one if "servico" in one else {**aim, **one} for one in _together(rule)]
            yield [{"vezes": 2, **aim, **rule}, *also]
    for service in ELSEWHERE:
        for tipo in ASKING:
            yield [{"tipo": tipo, "servico": service, **_parameters(tipo)}]
    yield from ([rule] for rule in CONNECTING)


def _together(rule: Rule) -> tuple[Rule, ...]:
    return TOGETHER.get(rule["tipo"], ())


def _parameters(tipo: str) -> Rule:
    return {"parametros": _SLOW} if tipo.startswith("lento") else {}


def missing(told: Counter[str], journal: Counter[tuple[str, str]]) -> list[str]:
    """Faults that struck nothing of a model: `journal` counts (tipo, model), `told` the rest."""
    wanted = [(tipo, model) for tipo in sorted(KINDS - AT_CONNECTION) for model in SERIES]
    absent = [f"{tipo} ({model})" for tipo, model in wanted if not journal[tipo, model]]
    return absent + [tipo for tipo in sorted(AT_CONNECTION) if not told[tipo]]
