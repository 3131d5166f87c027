"""How each city speaks: three families that differ in everything ABR-2 lists.

Wire names are those of the published WSDLs; which city belongs to which family is data of the
country (tables/nfse/cities.csv), and the control may say otherwise (`cidades`).
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib.resources import files

from fiscal.sandbox.note_call import NoteCall

_NFSE = "http://www.abrasf.org.br/nfse.xsd"
# operation → root of its message; the answer's ends in Resposta.
ROOTS = {
    "RecepcionarLoteRps": "EnviarLoteRps",
    "RecepcionarLoteRpsSincrono": "EnviarLoteRpsSincrono",
    "GerarNfse": "GerarNfse",
    "CancelarNfse": "CancelarNfse",
    "SubstituirNfse": "SubstituirNfse",
    "ConsultarLoteRps": "ConsultarLoteRps",
    "ConsultarSituacaoLoteRps": "ConsultarSituacaoLoteRps",
    "ConsultarNfsePorRps": "ConsultarNfseRps",
    "ConsultarNfse": "ConsultarNfse",
    "ConsultarNfseServicoPrestado": "ConsultarNfseServicoPrestado",
    "ConsultarNfseServicoTomado": "ConsultarNfseServicoTomado",
    "ConsultarNfsePorFaixa": "ConsultarNfseFaixa",
}
_OF_1 = {
    "RecepcionarLoteRps", "ConsultarSituacaoLoteRps", "ConsultarLoteRps", "ConsultarNfsePorRps",
    "ConsultarNfse", "CancelarNfse",
}  # fmt: skip
_OF_2 = set(ROOTS) - {"ConsultarSituacaoLoteRps", "ConsultarNfse"}


@dataclass(frozen=True)
class Profile:
    """One family. `envelopes` are the SOAP versions; `answer` may name the operation."""

    version: str
    namespace: str
    schema: str
    body_namespace: str
    action: str
    request: str
    parts: tuple[str, str]
    parts_namespace: str
    answer: str
    form: str  # escaped, cdata
    operations: frozenset[str]
    signs: frozenset[str]  # rps, lote, cancelamento
    is_percent: bool
    codes: frozenset[str]  # of cancellation
    envelopes: tuple[str, ...] = ("1.1", "1.2")

    @property
    def is_first(self) -> bool:
        """Version 1.00, where nearly everything has another name."""
        return self.version == "1.00"

    @property
    def id(self) -> str:
        return "id" if self.is_first else "Id"

    @property
    def inf(self) -> str:
        """The element that is the declaration."""
        return "InfRps" if self.is_first else "InfDeclaracaoPrestacaoServico"

    @property
    def taker(self) -> str:
        return "TomadorServico" if self.version == "2.04" else "Tomador"


CANONICAL = Profile(
    version="2.04",
    namespace=_NFSE,
    schema="abrasf204",
    body_namespace="http://nfse.abrasf.org.br",
    action="http://nfse.abrasf.org.br/{operation}",
    request="{operation}Request",
    parts=("nfseCabecMsg", "nfseDadosMsg"),
    parts_namespace="",
    answer="outputXML",
    form="escaped",
    operations=frozenset(_OF_2),
    signs=frozenset({"rps", "lote", "cancelamento"}),
    is_percent=True,
    codes=frozenset({"1", "2", "4"}),
    envelopes=("1.1",),
)
SECOND = Profile(
    version="2.02",
    namespace=_NFSE,
    schema="abrasf202",
    body_namespace="http://nfse.abrasf.org.br",
    action="http://nfse.abrasf.org.br/{operation}",
    request="{operation}Request",
    parts=("nfseCabecMsg", "nfseDadosMsg"),
    parts_namespace="",
    answer="outputXML",
    form="cdata",
    operations=frozenset(_OF_2),
    signs=frozenset({"lote", "cancelamento"}),
    is_percent=True,
    codes=frozenset({"1", "2", "3", "4", "5"}),
)
FIRST = Profile(
    version="1.00",
    namespace="http://www.abrasf.org.br/ABRASF/arquivos/nfse.xsd",
    schema="abrasf100",
    body_namespace="http://tempuri.org/",
    action="http://tempuri.org/INfseServices/{operation}",
    request="{operation}",
    parts=("cabec", "msg"),
    parts_namespace="http://tempuri.org/",
    answer="{operation}Result",
    form="cdata",
    operations=frozenset(_OF_1),
    signs=frozenset({"lote"}),
    is_percent=False,
    codes=frozenset({"1", "2", "4"}),
    envelopes=("1.1",),
)
FAMILIES = {"issnet-2.04": CANONICAL, "webiss-2.02": SECOND, "webiss-1.00": FIRST}


@functools.cache
def _published() -> dict[str, str]:
    raw = (files("fiscal") / "tables" / "nfse" / "cities.csv").read_text(encoding="utf-8")
    lines = [line for line in raw.splitlines() if not line.startswith("#")]
    return {row["codigo"]: row["familia"] for row in csv.DictReader(lines)}


def has_system(code: str) -> bool:
    """Whether that municipality is known to have a system of its own."""
    return bool(_published().get(code))


def of(call: NoteCall) -> Profile:
    """The profile of the city asked; the canonical one where nobody knows."""
    told = call.setting("cidades", {}).get(call.municipality)
    return FAMILIES.get(str(told or _published().get(call.municipality, "")), CANONICAL)
