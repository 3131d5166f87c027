"""What would be refused of a service note: nothing is kept, nobody is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fiscal.authorities.base import NotOffered
from fiscal.authorities.providers import NATIONAL, provider_for
from fiscal.documents.nfsen import neutral
from fiscal.documents.service import NFSE, NFSEN
from fiscal.models import Company, Regime
from fiscal.services.nfse.choice import WITHOUT_SERVICE, city_of, read
from lib.errors import FieldError, InvalidInput

_PARAMETER = re.compile(r'Parâmetro "([^"]+)"')


def faults_of(
    company: Company, body: Mapping[str, Any], *, tipo: str, ambiente: str, now: datetime
) -> list[FieldError]:
    """Every fault of a body of /v2/nfse or /v2/nfsen, by its fields; empty when it would be sent.

    The city is taken at its own system, whether or not it adopted the national one: that would
    have to be asked for. A fault of the body as a whole has the field "".
    """
    try:
        declared = read(company, body, tipo=tipo, ambiente=ambiente, now=now)
        city = city_of(declared)
        is_national = tipo == NFSEN or declared.issuer.regime_tributario == Regime.MEI
        slug = NATIONAL if is_national else ""
        provider = provider_for(slug, municipality=city, ambiente=ambiente)
        if not provider.features.sends:
            return [FieldError("", WITHOUT_SERVICE.format(city))]
        if is_national and tipo == NFSE:
            declared = neutral.to_national(declared, is_active=None)
        return list(provider.check(declared))
    except NotOffered as error:
        return [FieldError("", str(error))]
    except InvalidInput as error:
        return list(error.erros) or [FieldError(_named(error.mensagem), error.mensagem)]


def _named(text: str) -> str:
    """A required field is refused alone, and named in the text only (fiscal-api §1.7)."""
    found = _PARAMETER.search(text)
    return found[1] if found else ""
