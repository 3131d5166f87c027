"""/v2/nfse: the municipal services invoice (fiscal-api §4)."""

from __future__ import annotations

from fiscal.api.service_common import routes_of
from fiscal.documents.service import NFSE

routes = routes_of(NFSE)
