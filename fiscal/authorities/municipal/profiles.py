"""The provider of a city: its family's options, its addresses and the module that speaks to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from django.conf import settings

from fiscal.authorities.base import NotOffered
from fiscal.authorities.municipal import messages
from fiscal.authorities.municipal.tree import leaves
from fiscal.authorities.provider import Features, Provider
from fiscal.tables import nfse_cities, places
from fiscal.tables.loaders import yaml_table

# Where the messages of a protocol are described: the file, and what holds its versions.
_TABLES = {"abrasf": ("abrasf", "versoes"), "paulistana": ("paulistana", "layouts")}


@dataclass(frozen=True)
class Family:
    """A line of families.yaml, where each option is explained; in English here."""

    slug: str
    protocol: str
    version: str
    soap: str
    body_namespace: str
    action: str
    request: str
    parts: tuple[str, str]
    parts_without_namespace: bool
    form: str
    answer: str
    operations: tuple[str, ...]
    signs: frozenset[str]
    rate: str
    rate_places: int
    item: str
    cancel_codes: tuple[str, ...]
    pending_codes: frozenset[str]
    replaces: bool
    received: bool
    resends_safely: bool
    layout_2_from: date | None
    page: str


@dataclass(frozen=True)
class Profile:
    """A city in one environment. `url` serves all of its operations."""

    family: Family
    municipality: str
    ambiente: str
    url: str
    ca_file: str = ""

    @property
    def route(self) -> str:
        return f"M{self.municipality}"

    @property
    def features(self) -> Features:
        """What the family offers; a Profile exists only where there is a service."""
        family = self.family
        return Features(
            replaces=family.replaces,
            polls=family.operations[0] == "RecepcionarLoteRps",
            resends_safely=family.resends_safely,
            received=family.received,
            carries=_carried(family.protocol, family.version),
        )


@cache
def _carried(protocol: str, version: str) -> frozenset[str]:
    """The values of an RPS of that version."""
    table, of_versions = _TABLES[protocol]
    tree = yaml_table(f"nfse/{table}.yaml")[of_versions][version]["rps"]
    return frozenset(leaves(tree))


@cache
def family(slug: str) -> Family:
    """The family of that name. Raises NotOffered."""
    try:
        options = nfse_cities.family_options(slug)
    except KeyError:
        raise NotOffered("Não há emissão de NFS-e por este provedor.") from None
    return _family(slug, options)


def _family(slug: str, of: dict[str, Any]) -> Family:
    return Family(
        slug=slug,
        protocol=of["protocolo"],
        version=of["versao"],
        soap=of["soap"],
        body_namespace=of["corpo"],
        action=of["acao"],
        request=of["pedido"],
        parts=(of["partes"][0], of["partes"][1]),
        parts_without_namespace=of["partes_sem_namespace"],
        form=of["forma"],
        answer=of["resposta"],
        operations=tuple(of["envio"]),
        signs=frozenset(of["assina"]),
        rate=of["aliquota"],
        rate_places=of["casas_aliquota"],
        item=of["item"],
        cancel_codes=tuple(of["codigos"]),
        pending_codes=frozenset(messages.normal(code) for code in of["em_analise"]),
        replaces=of["substitui"],
        received=of["recebidas"],
        resends_safely=not of.get("sem_retransmissao", False),
        layout_2_from=of.get("layout_2_desde"),
        page=of.get("pagina", ""),
    )


def profile(slug: str, *, municipality: str, ambiente: str) -> Profile:
    """How the city is spoken to; with slug "" by the system that it has now.

    Raises NotOffered: an unknown city, one whose system we do not speak or that is not active, or
    one without that environment.
    """
    city = nfse_cities.cities().get(municipality)
    if city is None or not (slug or city.family) or city.status != nfse_cities.ACTIVE:
        raise NotOffered("O município não tem emissão de NFS-e por este sistema.")
    base = str(getattr(settings, "FISCAL_ENDPOINTS_BASE", "") or "").rstrip("/")
    url = f"{base}/{ambiente}/M{municipality}" if base else city.addresses.get(ambiente, "")
    if not url:
        raise NotOffered(f"O município não tem ambiente de {ambiente} de NFS-e.")
    ca_file = str(getattr(settings, "FISCAL_CA_FILE", "") or "")
    return Profile(family(slug or city.family), municipality, ambiente, url, ca_file)


def takes_files_only(municipality: str) -> bool:
    """Whether the city exists and its system, if it has one, is not spoken here.

    Raises NotOffered for a code of no municipality.
    """
    if places.municipality(municipality) is None:
        raise NotOffered("Município desconhecido: confira o código do IBGE.")
    known = nfse_cities.cities().get(municipality)
    return known is None or not known.family


def provider(slug: str, *, municipality: str, ambiente: str) -> Provider:
    """The provider of a city, as `fiscal.authorities.providers` asks for it.

    A city without web service has one that sends nothing. Raises NotOffered.
    """
    from fiscal.authorities.municipal.abrasf import Abrasf
    from fiscal.authorities.municipal.file_only import SLUG, FileOnly
    from fiscal.authorities.municipal.sao_paulo import SaoPaulo

    if slug == SLUG or (not slug and takes_files_only(municipality)):
        return FileOnly(municipality, ambiente)
    found = profile(slug, municipality=municipality, ambiente=ambiente)
    return Abrasf(found) if found.family.protocol == "abrasf" else SaoPaulo(found)


def city(ibge: str, ambiente: str) -> Provider:
    """The provider that a city has now. Raises NotOffered."""
    return provider("", municipality=ibge, ambiente=ambiente)
