"""A taxpayer who speaks to the authorities of service notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import requests
from lxml import etree
from support import signed_service_notes as service
from support.sandbox_authority import Client


@dataclass
class Taxpayer:
    """A connection with a certificate of its own, to SEFIN, ADN and cities."""

    client: Client
    ambiente: str = "homologacao"

    @property
    def identity(self) -> Any:
        return self.client.identity

    def call(self, method: str, path: str, **how: Any) -> requests.Response:
        url = f"{self.client.base_url}/{self.ambiente}/{path}"
        return self.client.session.request(method, url, timeout=10, **how)

    def issue(self, number: int = 1, **how: Any) -> requests.Response:
        """POST of a signed DPS."""
        return self.send(service.dps(self.identity, number, **how))

    def send(self, xml: bytes) -> requests.Response:
        return self.call("POST", "SEFIN/nfse", json={"dpsXmlGZipB64": service.packed(xml)})

    def ask(self, path: str) -> requests.Response:
        return self.call("GET", f"SEFIN/{path}")

    def order(self, key: str, tipo: str = "101101", **how: Any) -> requests.Response:
        """POST of an event."""
        xml = service.event(self.identity, key, tipo, **how)
        content = {"pedidoRegistroEventoXmlGZipB64": service.packed(xml)}
        return self.call("POST", f"SEFIN/nfse/{key}/eventos", json=content)


def codes(answer: requests.Response) -> list[str]:
    """Codes of `erros` or `erro`."""
    told = answer.json()
    found = told.get("erros") or [told["erro"]]
    return [each["Codigo"] for each in found]


def note_of(answer: requests.Response) -> etree._Element:
    """The NFS-e of an answer."""
    return etree.fromstring(service.unpacked(answer.json()["nfseXmlGZipB64"]))


@pytest.fixture
def taxpayer(sandbox: Any) -> Taxpayer:
    return Taxpayer(sandbox.client())
