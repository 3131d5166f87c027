"""The address of a CEP: from the installation's own directory, else from the service outside."""

from __future__ import annotations

from django.conf import settings

from fiscal.selectors.lookups import cep_of
from fiscal.tables.directories import CEPS
from lib.errors import GatewayUnavailable, NotFound
from lib.postal_codes import Address, look_up


def address_of(cep: str) -> Address | None:
    """Where eight digits are, or None for no CEP. At most two seconds; kept for a while.

    Raises GatewayUnavailable or GatewayRefused when nobody could be asked.
    """
    own = _own(cep)
    if own is not None:
        return own
    if not settings.CEP_URL:
        if CEPS.is_installed():
            return None
        raise GatewayUnavailable("nenhum serviço de CEP configurado")
    return look_up(cep, url=settings.CEP_URL)


def _own(cep: str) -> Address | None:
    """What `manage.py refresh_tables --ceps` brought in."""
    if not CEPS.is_installed():
        return None
    try:
        row = cep_of(cep)
    except NotFound:
        return None
    street = f"{row['tipo_logradouro']} {row['nome_logradouro']}".strip()
    return Address(
        cep=cep,
        street=street,
        district=row["nome_bairro_inicial"],
        city=row["nome_localidade"],
        state=row["uf"],
        ibge_code=row["codigo_ibge"],
    )
