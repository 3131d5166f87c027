"""/v2/nfsen: the national services invoice (fiscal-api §5)."""

from __future__ import annotations

from fiscal.api.service_common import routes_of
from fiscal.documents.service import NFSEN

routes = routes_of(NFSEN)
