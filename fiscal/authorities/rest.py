"""JSON calls over mTLS, whatever status they answer with (NAC-8).

What each failure proves is as in `transport`; here a refusal has a body that is worth reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fiscal.authorities import transport
from fiscal.authorities.base import Credentials, NotSent
from fiscal.authorities.transport import Limits, Reply

_JSON = {"Accept": "application/json"}


@dataclass(frozen=True)
class Rest:
    """One service: its base address, over the connections of one certificate."""

    base: str
    credentials: Credentials = field(repr=False)
    ca_file: str = ""

    def get(self, path: str, *, limits: Limits) -> Reply:
        """The answer to a question. Raises NotSent, Misconfigured or Lost.

        The first handshake of some of these hosts fails: a connection that never came to be is
        tried once more.
        """
        try:
            return self._ask(path, limits)
        except NotSent:
            return self._ask(path, limits)

    def post(self, path: str, body: bytes, *, limits: Limits) -> Reply:
        """The answer to an order, sent once. Raises NotSent, Misconfigured or Lost."""
        return transport.request(
            "POST",
            f"{self.base}/{path}",
            body,
            headers={**_JSON, "Content-Type": "application/json"},
            credentials=self.credentials,
            limits=limits,
            ca_file=self.ca_file,
        )

    def _ask(self, path: str, limits: Limits) -> Reply:
        return transport.request(
            "GET",
            f"{self.base}/{path}",
            headers=_JSON,
            credentials=self.credentials,
            limits=limits,
            ca_file=self.ca_file,
        )
