"""Who serves a document: the authority, its addresses and how to trust it (sefaz-endpoints.yaml).

Settings may send every call elsewhere (FISCAL_ENDPOINTS_BASE) and add a trust anchor
(FISCAL_CA_FILE); nothing else distinguishes a sandbox from an authority.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from fiscal.authorities import tables
from fiscal.authorities.base import Credentials, NotOffered, Route
from fiscal.authorities.sefaz import Sefaz

SVC = {6: "SVC-AN", 7: "SVC-RS"}
AN = "AN"
NFE_MODEL = 55


def sefaz(
    *, uf: str, modelo: int, ambiente: str, credentials: Credentials, tp_emis: int = 1
) -> Sefaz:
    """The authority that takes documents of that UF, model and form of issue.

    tpEmis 6 and 7 go to the SVC, every other to the home authority (CON-4, CON-5). Raises
    NotOffered for an unknown UF, NFC-e in SVC (CON-9) or an SVC that does not serve the UF.
    """
    return at(route(uf=uf, modelo=modelo, ambiente=ambiente, tp_emis=tp_emis), credentials)


def an(*, uf: str, ambiente: str, credentials: Credentials) -> Sefaz:
    """The Ambiente Nacional: its events (manifestation, EPEC…) and the distribution."""
    return at(Route(AN, uf, NFE_MODEL, ambiente), credentials)


def for_event(
    tp_evento: str,
    *,
    uf: str,
    modelo: int,
    ambiente: str,
    credentials: Credentials,
    tp_emis: int = 1,
) -> Sefaz:
    """Where an event goes (EVT-8): the authority of the document, AN or SVRS.

    Raises NotOffered for an unknown event.
    """
    return at(
        event_route(tp_evento, uf=uf, modelo=modelo, ambiente=ambiente, tp_emis=tp_emis),
        credentials,
    )


def route(*, uf: str, modelo: int, ambiente: str, tp_emis: int = 1) -> Route:
    """Who serves; raises NotOffered as `sefaz` does."""
    state = tables.state(uf)
    svc = SVC.get(tp_emis)
    if svc is None:
        return Route(state.authority(modelo), uf, modelo, ambiente)
    if modelo != NFE_MODEL:
        raise NotOffered("A SVC não recebe NFC-e.")
    if svc != state.svc:
        raise NotOffered(f"A contingência de {uf} é a {state.svc}.")
    return Route(svc, uf, modelo, ambiente)


def svc_route(*, uf: str, ambiente: str) -> Route:
    """The SVC of a UF, whether open or not: its status tells (CON-1)."""
    return route(uf=uf, modelo=NFE_MODEL, ambiente=ambiente, tp_emis=tables.state(uf).tp_emis_svc)


def event_route(tp_evento: str, *, uf: str, modelo: int, ambiente: str, tp_emis: int = 1) -> Route:
    """Who receives an event; raises NotOffered as `for_event` does."""
    destination = tables.event_destination(tp_evento)
    at_home = destination == "autorizador_da_uf" or (modelo != NFE_MODEL and destination == "SVRS")
    if at_home:
        return route(uf=uf, modelo=modelo, ambiente=ambiente, tp_emis=tp_emis)
    return Route(destination, uf, NFE_MODEL, ambiente)


def tells_status(where: Route) -> bool:
    """Does that authority have a status service? The AN has none."""
    published = tables.addresses(where.authority, modelo=where.modelo, ambiente=where.ambiente)
    return "status_servico" in published


def at(where: Route, credentials: Credentials) -> Sefaz:
    """The authority of a known route: an attempt is asked about where it went (REC-5)."""
    return Sefaz(
        route=where,
        addresses=_addresses(where),
        credentials=credentials,
        ca_file=str(getattr(settings, "FISCAL_CA_FILE", "") or ""),
    )


def _addresses(where: Route) -> Mapping[str, str]:
    published = tables.addresses(where.authority, modelo=where.modelo, ambiente=where.ambiente)
    base = str(getattr(settings, "FISCAL_ENDPOINTS_BASE", "") or "").rstrip("/")
    if not base:
        return published
    folder = f"{base}/{where.ambiente}/{where.authority}/{where.modelo}"
    return {name: f"{folder}/{name}" for name in published}
