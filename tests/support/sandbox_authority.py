"""The sandbox authority for tests: one per session, emptied before each test that uses it.

`sandbox` also points the product at it, in settings and in the environment of child processes.
"""

from __future__ import annotations

import base64
import gzip
import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree
from support import signed_notes
from support.certificates import authority, issued
from support.signed_notes import Signing

from fiscal.sandbox import server
from fiscal.sandbox.ca import Issued
from fiscal.sandbox.tables import SERVICES

ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?><e:Envelope '
    'xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><nfeDadosMsg xmlns="{ns}">'
)
CLOSING = b"</nfeDadosMsg></e:Body></e:Envelope>"
WSDL = "http://www.portalfiscal.inf.br/nfe/wsdl/"


@dataclass
class Answered:
    """An answer: the element that the service returned, whatever the shape it came in."""

    status: int
    raw: bytes
    root: etree._Element

    def text(self, path: str) -> str:
        """The text at a path of local names, anywhere below the answer."""
        return self.root.findtext(".//" + "/".join(f"{{*}}{step}" for step in path.split("/")), "")

    def texts(self, path: str) -> list[str]:
        steps = "/".join(f"{{*}}{step}" for step in path.split("/"))
        return [each.text or "" for each in self.root.iterfind(".//" + steps)]

    @property
    def c_stat(self) -> int:
        """cStat of the message."""
        return int(self.root.findtext("{*}cStat") or self.text("cStat"))

    @property
    def protocol(self) -> int:
        """cStat of the document."""
        return int(self.text("protNFe/infProt/cStat"))

    @property
    def event(self) -> int:
        """cStat of the (first) event."""
        return int(self.text("retEvento/infEvento/cStat"))

    @property
    def unpacked(self) -> list[etree._Element]:
        """The documents of a distribution."""
        zipped = self.texts("docZip")
        return [etree.fromstring(gzip.decompress(base64.b64decode(each))) for each in zipped]


def opened(raw: bytes) -> etree._Element:
    """Find the ret… element: beside a wrapper, or as a string."""
    envelope = etree.fromstring(raw)
    for element in envelope.iter(etree.Element):
        if etree.QName(element).localname.startswith("ret"):
            return element
    text = next(t for t in envelope.itertext() if "<ret" in t)
    return etree.fromstring(html.unescape(text).encode() if "&lt;" in text else text.encode())


@dataclass
class Client:
    """A taxpayer's connection, with a certificate of its own."""

    base_url: str
    ca_file: Path
    identity: Issued
    folder: Path
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        file = self.folder / f"{self.identity.serial:x}.pem"
        file.write_bytes(self.identity.key_pem + self.identity.chain_pem)
        self.session.cert = str(file)
        self.session.verify = str(self.ca_file)
        self.session.trust_env = False

    @property
    def signing(self) -> Signing:
        return Signing(self.identity.key_pem, self.identity.certificate_pem)

    def post(
        self,
        service: str,
        payload: bytes,
        *,
        authority: str = "SP",
        modelo: str = "55",
        ambiente: str = "homologacao",
        timeout: float = 10,
    ) -> requests.Response:
        ns = WSDL + SERVICES[service]
        return self.session.post(
            f"{self.base_url}/{ambiente}/{authority}/{modelo}/{service}",
            data=ENVELOPE.format(ns=ns).encode() + payload + CLOSING,
            headers={"Content-Type": "application/soap+xml; charset=utf-8"},
            timeout=timeout,
        )

    def ask(self, service: str, payload: bytes, **place: Any) -> Answered:
        """POST and open the answer."""
        response = self.post(service, payload, **place)
        return Answered(response.status_code, response.content, opened(response.content))

    def send(self, *notes: signed_notes.Note, **place: Any) -> Answered:
        """Ask for authorisation."""
        return self.ask("autorizacao", signed_notes.batch(*(n.xml for n in notes)), **place)

    def query(self, chave: str, **place: Any) -> Answered:
        return self.ask("consulta_protocolo", signed_notes.query(chave), **place)

    def register(self, *events: bytes, **place: Any) -> Answered:
        return self.ask("recepcao_evento", signed_notes.events(*events), **place)


@dataclass
class Sandbox:
    """The running sandbox, its control API and certificates of its authority."""

    running: server.Running
    folder: Path

    @property
    def base_url(self) -> str:
        return self.running.base_url

    @property
    def ca_file(self) -> Path:
        return self.running.ca_file

    def client(self, document: str = signed_notes.ISSUER, **certificate: Any) -> Client:
        """A taxpayer; see support.certificates.issued for `begins`, `ends` and `kind`."""
        return self.client_with(issued(document, **certificate))

    def client_with(self, identity: Issued) -> Client:
        return Client(self.base_url, self.ca_file, identity, self.folder)

    # --- control -----------------------------------------------------------------------------

    def told(self, method: str, name: str = "", body: Any = None, **given: Any) -> Any:
        """One call to the control API; its JSON."""
        url = f"{self.running.control_url}/{name}"
        response = requests.request(method, url, json=body, params=given, timeout=10)
        response.raise_for_status()
        return response.json()

    def reset(self) -> None:
        self.told("DELETE")

    def fault(self, tipo: str, **rule: Any) -> None:
        """Script a fault: servico, uf, cnpj, serie, numero, vezes, depois_de, parametros."""
        self.told("POST", "falhas", {"tipo": tipo, **rule})

    def lift(self, tipo: str) -> None:
        self.told("DELETE", "falhas", tipo=tipo)

    def clock(self, **wanted: Any) -> None:
        """`agora` (ISO), `avancar` (seconds), `parado` (bool)."""
        self.told("POST", "relogio", wanted)

    def set(self, **settings: Any) -> None:
        self.told("POST", "ajustes", settings)

    def svc(self, uf: str, estado: str) -> None:
        self.told("POST", "svc", {"uf": uf, "estado": estado})

    def documents(self, **given: Any) -> list[dict[str, Any]]:
        return self.told("GET", "documentos", **given)

    def requests(self, **given: Any) -> list[dict[str, Any]]:
        return self.told("GET", "pedidos", **given)

    def times_sent(self, chave: str) -> int:
        """How often that document was sent for authorisation."""
        return len(self.requests(chave=chave, servico="autorizacao"))


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One server for the session, of the authority that certifies the companies of tests."""
    folder = tmp_path_factory.mktemp("sandbox")
    running = server.start(folder, ca_folder=authority().folder)
    yield Sandbox(running, folder)
    running.stop()


@pytest.fixture
def sandbox(
    running_sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """The session's sandbox, emptied, with the product pointed at it."""
    running_sandbox.reset()
    pointers = {
        "FISCAL_ENDPOINTS_BASE": running_sandbox.base_url,
        "FISCAL_CA_FILE": str(running_sandbox.ca_file),
    }
    for name, value in pointers.items():
        setattr(settings, name, value)
        monkeypatch.setenv(name, value)
    yield running_sandbox
    running_sandbox.told("DELETE", "falhas")
