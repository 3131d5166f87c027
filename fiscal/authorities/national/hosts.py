"""Where the national services are; settings may send every call elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from fiscal.authorities.base import Credentials, NotOffered
from fiscal.authorities.rest import Rest
from fiscal.signing import CLASSIC, PROFILES, Profile

SEFIN, ADN, PARAMETERS = "SEFIN", "ADN", "parametrizacao"

_HOSTS: Mapping[str, Mapping[str, str]] = {
    "producao": {
        SEFIN: "https://sefin.nfse.gov.br/SefinNacional",
        ADN: "https://adn.nfse.gov.br/contribuintes",
        PARAMETERS: "https://adn.nfse.gov.br/parametrizacao",
    },
    "homologacao": {
        SEFIN: "https://sefin.producaorestrita.nfse.gov.br/SefinNacional",
        ADN: "https://adn.producaorestrita.nfse.gov.br/contribuintes",
        PARAMETERS: "https://adn.producaorestrita.nfse.gov.br/parametrizacao",
    },
}
# Under a base of our own: one folder per service.
_FOLDERS = {SEFIN: SEFIN, ADN: f"{ADN}/contribuintes", PARAMETERS: f"{ADN}/parametrizacao"}


def service(name: str, *, ambiente: str, credentials: Credentials) -> Rest:
    """One of the services of an environment. Raises NotOffered for an unknown environment."""
    if ambiente not in _HOSTS:
        raise NotOffered(f"O sistema nacional não tem o ambiente {ambiente}.")
    base = str(getattr(settings, "FISCAL_ENDPOINTS_BASE", "") or "").rstrip("/")
    moved = _setting("NFSEN_ENDPOINTS", ambiente)
    address = _HOSTS[ambiente][name]
    if base:
        address = f"{base}/{ambiente}/{_FOLDERS[name]}"
    elif name == SEFIN and moved:
        address = moved.rstrip("/")
    return Rest(address, credentials, str(getattr(settings, "FISCAL_CA_FILE", "") or ""))


def signature_profile(ambiente: str) -> Profile:
    """The algorithms that the operator chose for an environment (SIG-10)."""
    return PROFILES.get(_setting("NFSEN_SIGNATURE", ambiente), CLASSIC)


def _setting(name: str, ambiente: str) -> str:
    """`NAME` is one text for both environments, or a mapping of environment → text."""
    value = getattr(settings, name, "") or ""
    return str(value.get(ambiente, "")) if isinstance(value, Mapping) else str(value)
