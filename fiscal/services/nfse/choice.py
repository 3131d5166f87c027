"""Who takes a note (fiscal-engine §12.1): the national system, or the issuer's city."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fiscal.authorities.base import NotOffered
from fiscal.authorities.provider import Provider
from fiscal.authorities.providers import NATIONAL, provider_for
from fiscal.documents.nfse import reading as municipal_reading
from fiscal.documents.nfsen import neutral
from fiscal.documents.nfsen import reading as national_reading
from fiscal.documents.service import NFSE, NFSEN, Declared
from fiscal.errors import InvalidRequest, SchemaInvalid
from fiscal.models import Company, Regime, ServiceNote
from fiscal.services import nfse_parameters
from fiscal.services.nfse import replace
from fiscal.services.nfse.issuers import issuer_of
from fiscal.services.signing_step import local_time

WITHOUT_SERVICE = (
    "O município {} não tem emissão de NFS-e por webservice: gere o arquivo em /v2/lotes_rps."
)


def read(
    company: Company, body: Mapping[str, Any], *, tipo: str, ambiente: str, now: datetime
) -> Declared:
    """What a body declares. Raises InvalidRequest, SchemaInvalid with every fault."""
    reader = municipal_reading.read if tipo == NFSE else national_reading.read
    own_time = local_time(company, now)
    declared = reader(body, issuer=issuer_of(company), ambiente=ambiente, now=own_time)
    return replace.named(company, declared, ambiente=ambiente)


def choose(declared: Declared, *, ambiente: str, now: datetime) -> Provider:
    """Who takes this declaration now. Raises InvalidRequest where nobody does.

    Asks what is known of the city, perhaps over the network: not inside a transaction.
    """
    city = city_of(declared)
    slug = NATIONAL if _is_national(declared, city, ambiente, now) else ""
    try:
        provider = provider_for(slug, municipality=city, ambiente=ambiente)
    except NotOffered as error:
        raise InvalidRequest(str(error)) from error
    if not provider.features.sends:
        raise InvalidRequest(WITHOUT_SERVICE.format(city))
    return provider


def city_of(declared: Declared) -> str:
    """IBGE code of the city where the issuer is registered."""
    name = "prestador.codigo_municipio" if declared.tipo == NFSE else "codigo_municipio_emissora"
    return str(declared.data[name])


def _is_national(declared: Declared, city: str, ambiente: str, now: datetime) -> bool:
    if declared.tipo == NFSEN or declared.issuer.regime_tributario == Regime.MEI:
        return True
    # NAC-13: what is not known blocks nothing; the city's own system it is.
    adopted = nfse_parameters.adopts_national_emitter(city, ambiente=ambiente, now=now)
    return adopted is True


def provider_of(note: ServiceNote) -> Provider:
    """Who has the note: cancellations and queries go where it was issued. Raises NotOffered."""
    return provider_for(note.provider, municipality=note.municipality, ambiente=note.ambiente)


def as_taken(declared: Declared, provider: Provider, *, now: datetime) -> Declared:
    """The declaration in the provider's own vocabulary. Raises SchemaInvalid.

    What it depends on of the city was asked for when the note was accepted.
    """
    if provider.slug == NATIONAL and declared.tipo == NFSE:
        city, ambiente = provider.municipality, provider.ambiente
        is_active = nfse_parameters.has_agreement(city, ambiente=ambiente, now=now)
        return neutral.to_national(declared, is_active=is_active)
    return declared


def refuse_faults(declared: Declared, provider: Provider, *, now: datetime) -> None:
    """Raises SchemaInvalid for what the provider, or the agreement of its city, would refuse."""
    taken = as_taken(declared, provider, now=now)
    faults = list(provider.check(taken))
    if provider.slug == NATIONAL and not faults:
        city, ambiente = provider.municipality, provider.ambiente
        faults = nfse_parameters.faults_of(taken, city, ambiente=ambiente, now=now)
    if faults:
        is_translated = declared.tipo != taken.tipo
        raise SchemaInvalid(erros=neutral.as_asked(faults) if is_translated else faults)
