"""What goes wrong in the soak of service notes, at the national system and at cities."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from soak import pace
from soak.fiscal_faults import Rule, Script, Tell

_SLOW = {"segundos": 150 / pace.TIMES}
_LATE = {"quando": "depois"}
SEFIN, ISSNET, WEBISS, SAO_PAULO = "SEFIN", "M5208707", "M3104205", "M3550308"
AUTHORITIES = (SEFIN, ISSNET, WEBISS, SAO_PAULO)
SENDING: tuple[Rule, ...] = (
    {"tipo": "queda_antes"},
    {"tipo": "queda_depois"},
    {"tipo": "lento_antes", "parametros": _SLOW},
    {"tipo": "lento_depois", "parametros": _SLOW},
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
    {"tipo": "pausado", "vezes": 2},
    {"tipo": "consumo_indevido", "vezes": 1, "parametros": {"segundos": 60}},
    {"tipo": "resposta_trocada"},
    {"tipo": "consulta_atrasada", "parametros": {"segundos": 60}},
)
OF_CITIES: dict[str, tuple[Rule, ...]] = {
    SEFIN: ({"tipo": "erro", "parametros": {"codigo": "E0160"}},),
    ISSNET: (
        {"tipo": "erro", "parametros": {"codigo": "E45"}},
        {"tipo": "retorno_vazio"},
    ),
    WEBISS: (
        {"tipo": "lote_em_processamento", "parametros": {"segundos": 5400}},
        {"tipo": "lote_em_processamento", "parametros": {"n": 3}},
        {"tipo": "lote_com_erro", "parametros": {"codigo": "E45"}},
        {"tipo": "retorno_vazio"},
    ),
    SAO_PAULO: (
        {"tipo": "erro", "parametros": {"codigo": "1202"}},
        {"tipo": "retorno_vazio"},
    ),
}
ASKING = ("queda_antes", "queda_depois", "truncado", "mal_formado", "http_503", "http_html")
CANCELLING: tuple[Rule, ...] = (
    {"tipo": "queda_antes"},
    {"tipo": "queda_depois"},
    {"tipo": "http_html", "parametros": _LATE},
    {"tipo": "truncado"},
    {"tipo": "cancelamento_recusado"},
    {"tipo": "cancelamento_tardio"},
)
CONNECTING: tuple[Rule, ...] = (
    {"tipo": "sem_conexao", "vezes": 3},
    {"tipo": "tls_recusado", "vezes": 3},
    {"tipo": "cadeia_quebrada", "vezes": 3},
    {"tipo": "sem_conexao", "parametros": {"segundos": 1}},
)


def script(tell: Tell, rng: random.Random) -> Script:
    """All of them in a shuffled order, and again."""
    return Script(tell, rng, _steps=list(_steps()))


def _steps() -> Iterator[list[Rule]]:
    for authority in AUTHORITIES:
        aim = {"servico": "nota_envio", "autorizador": authority}
        for rule in (*SENDING, *OF_CITIES[authority]):
            yield [{**aim, **rule}]
        for tipo in ASKING:
            yield [{"tipo": tipo, "servico": "nota_consulta", "autorizador": authority}]
        for rule in CANCELLING:
            yield [{"servico": "nota_cancelamento", "autorizador": authority, **rule}]
    for tipo in ASKING:
        yield [{"tipo": tipo, "servico": "nota_lote", "autorizador": WEBISS}]
    yield from ([rule] for rule in CONNECTING)


def missing(struck: Counter[tuple[str, str]]) -> list[str]:
    """Faults that struck no sending of an authority; `struck` counts (kind, authority)."""
    return [
        f"{rule['tipo']} ({authority})"
        for authority in AUTHORITIES
        for rule in (*SENDING, *OF_CITIES[authority])
        if not struck[rule["tipo"], authority]
    ]
