"""The bank asks for our certificate: shown from memory, and nothing works without it (mTLS)."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.certificates import authority, issued

from billing.gateways.pix import wire
from billing.gateways.pix.provider import PixMisconfigured
from billing.models import Charge
from billing.services.pix.sweep import sweep_pix
from billing.services.pix.wiring import provider_of
from lib import clock
from lib.client_tls import UnusableCertificate, context_of

pytestmark = pytest.mark.django_db


class Door:
    """TLS in front of the stand-in, for those who show a certificate of the test authority."""

    def __init__(self, behind: str) -> None:
        parts = urlsplit(behind)
        self.behind = (parts.hostname, parts.port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority().server())
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority().ca_file)
        self.context = context
        self.seen: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}/pix"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), self.context.wrap_socket(connection, server_side=True) as secured:
            subject = dict(part[0] for part in secured.getpeercert()["subject"])
            self.seen.append(subject["commonName"])
            with socket.create_connection(self.behind) as inner:
                back = threading.Thread(target=_pump, args=(inner, secured), daemon=True)
                back.start()
                _pump(secured, inner)
                back.join(5)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def door(bank) -> Iterator[Door]:
    wire.TOKENS.clear()
    found = Door(bank.providers.base_url)
    yield found
    found.listener.close()


def armed(bank, door, *, key: bytes | None = None, **secrets):
    """The account now goes through the door, with a certificate of its own."""
    made = issued("11222333000181")
    gateway = bank.gateway
    gateway.base_url = door.url
    gateway.options["ca"] = Path(authority().ca_file).read_text()
    gateway.secrets = gateway.secrets | {
        "certificate": made.chain_pem.decode(),
        "certificate_key": (key or made.key_pem).decode(),
    } | secrets  # fmt: skip
    gateway.save()
    return gateway


def test_a_pix_is_made_over_mtls_and_no_key_touches_the_disk(
    bank, receivable, door, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    gateway = armed(bank, door)

    charge = bank.issue(receivable)

    assert charge.state == Charge.State.OPEN
    assert door.seen == ["EMPRESA DE TESTE:11222333000181"] * 2  # the token, and the charge
    assert os.listdir(tmp_path) == []
    assert "PRIVATE KEY" not in gateway.closed
    for shown in (repr(gateway), repr(provider_of(gateway))):
        assert "PRIVATE KEY" not in shown
        assert gateway.secrets["client_secret"] not in shown


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        ({"certificate": "", "certificate_key": ""}, "O banco não respondeu"),
        ({"certificate_key": "-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n"},
         "O certificado não abre a conexão segura."),
        ({"client_secret": "outro"}, "O banco recusou as credenciais"),
    ],
)  # fmt: skip
def test_without_the_right_papers_the_pix_waits(bank, receivable, door, secrets, told):
    armed(bank, door, **secrets)

    charge = bank.issue(receivable)

    assert charge.state == Charge.State.REGISTERING
    assert told in charge.reason
    assert bank.calls() == []
    armed(bank, door, client_secret="segredo-do-sandbox")
    Charge.objects.update(next_attempt_at=clock.now())
    assert sweep_pix() == 1
    assert Charge.objects.get().state == Charge.State.OPEN


def test_a_bank_whose_certificate_nobody_vouches_for_is_told_nothing(bank, receivable, door):
    gateway = armed(bank, door)
    gateway.options.pop("ca")
    gateway.save()

    charge = bank.issue(receivable)

    assert (charge.state, door.seen) == (Charge.State.REGISTERING, [])
    assert "certificado TLS recusado" in charge.reason


def test_papers_that_cannot_be_used():
    made = issued("11222333000181")
    with pytest.raises(UnusableCertificate):
        context_of("nada", made.key_pem.decode())
    with pytest.raises(UnusableCertificate):
        context_of(made.chain_pem.decode(), "")
    with pytest.raises(UnusableCertificate):
        context_of("", "", "nada")


def test_secrets_closed_with_another_key_are_not_used(bank, settings):
    settings.SECRET_KEY = "x" * 50

    with pytest.raises(PixMisconfigured, match="não podem ser lidos"):
        provider_of(bank.gateway)
