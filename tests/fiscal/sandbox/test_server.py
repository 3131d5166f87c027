"""The server itself: client certificates, restart, the command, the clock."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from support import signed_notes as notes
from support.certificates import authority, issued
from support.sandbox_authority import Sandbox
from support.signed_notes import note

from fiscal.sandbox import server
from fiscal.sandbox.ca import make_authority

ROOT = Path(__file__).resolve().parents[3]


def status(client) -> int:
    return client.ask("status_servico", notes.status()).c_stat


# --- client certificates -----------------------------------------------------------------------


def test_without_a_certificate_there_is_no_handshake(sandbox):
    url = f"{sandbox.base_url}/homologacao/SP/55/status_servico"

    with pytest.raises(requests.exceptions.SSLError):
        requests.post(url, data=b"", verify=str(sandbox.ca_file), timeout=5)


def test_a_certificate_of_no_authority_of_ours_has_no_handshake(sandbox):
    client = sandbox.client(kind="self_signed")

    with pytest.raises(requests.exceptions.SSLError):
        status(client)


def test_a_certificate_is_judged_by_the_clock_of_the_authority(sandbox):
    client = sandbox.client(begins=-30, ends=-1)
    now = status(client)
    sandbox.clock(agora=(datetime.now(UTC) - timedelta(days=2)).isoformat())

    assert (now, status(client)) == (281, 107)


def test_a_certificate_without_cnpj_and_a_revoked_one_are_refused(sandbox):
    revoked = sandbox.client(ends=200)
    before = status(revoked)
    authority().revoke(revoked.identity.serial, at=datetime.now(UTC))

    assert status(sandbox.client(kind="no_document")) == 282
    assert (before, status(revoked)) == (107, 284)


def test_a_root_that_tls_lets_in_and_is_not_icp_is_refused(tmp_path):
    other = make_authority(tmp_path / "other")
    (tmp_path / "data" / server.OTHER_ROOTS).mkdir(parents=True)
    (tmp_path / "data" / server.OTHER_ROOTS / "other.pem").write_bytes(other.ca_file.read_bytes())
    leaf = other.issue_pfx(
        notes.ISSUER,
        "Empresa",
        "",
        not_before=datetime.now(UTC) - timedelta(days=1),
        not_after=datetime.now(UTC) + timedelta(days=1),
    )
    running = server.start(tmp_path / "data")
    try:
        assert status(Sandbox(running, tmp_path).client_with(leaf)) == 285
    finally:
        running.stop()


def test_a_sender_may_transmit_for_another_company(sandbox):
    """Whoever holds a proxy does; the signature is what must be the issuer's."""
    issuer, sender = sandbox.client(), sandbox.client(notes.BUYER)

    assert sender.send(note(issuer.signing)).protocol == 100


def test_the_server_speaks_tls_1_2_with_a_certificate_of_its_authority(sandbox):
    host, port = sandbox.base_url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=sandbox.ca_file)
    identity = sandbox.client()
    context.load_cert_chain(str(identity.session.cert))

    with (
        socket.create_connection((host, int(port)), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=host) as secured,
    ):
        assert secured.version() == "TLSv1.2"


# --- clock -------------------------------------------------------------------------------------


def test_the_clock_is_set_stopped_and_moved(sandbox):
    sandbox.clock(agora="2026-12-01T00:00:00-03:00", parado=True)
    sandbox.clock(avancar=90)

    told = sandbox.told("GET", "relogio")

    assert told == {"agora": "2026-12-01T03:01:30+00:00", "parado": True}
    sandbox.clock(parado=False)
    assert sandbox.told("GET", "relogio")["parado"] is False
    assert sandbox.told("GET", "relogio")["agora"].startswith("2026-12-01T03:01:3")


def test_answers_tell_the_hour_of_the_unit(sandbox):
    sandbox.clock(agora="2026-12-01T00:30:00-03:00", parado=True)
    client = sandbox.client()

    moments = {
        cuf: client.ask("status_servico", notes.status(cuf), authority=name).text("dhRecbto")
        for cuf, name in {"35": "SP", "13": "AM", "12": "SVRS"}.items()
    }

    assert moments == {
        "35": "2026-12-01T00:30:00-03:00",
        "13": "2026-11-30T23:30:00-04:00",
        "12": "2026-11-30T22:30:00-05:00",
    }


# --- restart -----------------------------------------------------------------------------------


def test_documents_script_and_clock_survive_a_restart(tmp_path):
    started = Sandbox(server.start(tmp_path / "data", ca_folder=authority().folder), tmp_path)
    client = started.client()
    sent = note(client.signing)
    protocolo = client.send(sent).text("infProt/nProt")
    started.clock(agora="2026-12-01T00:00:00-03:00", parado=True)
    started.fault("parado", uf="SP")
    started.running.stop()

    again = Sandbox(server.start(tmp_path / "data", ca_folder=authority().folder), tmp_path)
    try:
        (kept,) = again.documents()
        assert kept["protocolo"] == protocolo
        assert again.told("GET", "relogio")["parado"] is True
        assert status(again.client()) == 109
        again.lift("parado")
        answer = again.client().query(sent.chave)
        assert answer.text("infProt/nProt") == protocolo
    finally:
        again.running.stop()


def test_a_reset_empties_everything_but_the_protocols_go_on(sandbox):
    client = sandbox.client()
    first = client.send(note(client.signing)).text("infProt/nProt")
    sandbox.clock(parado=True)
    sandbox.fault("parado")
    sandbox.svc("SP", "aberto")

    sandbox.reset()

    second = client.send(note(client.signing)).text("infProt/nProt")
    assert int(second) == int(first) + 1
    assert sandbox.told("GET", "falhas") == []
    assert sandbox.told("GET", "svc") == {}
    assert sandbox.told("GET", "relogio")["parado"] is False


def test_the_journal_and_the_counts_are_pruned(sandbox):
    store = sandbox.running.world.store
    for _ in range(3):
        status(sandbox.client())
    store.insert("consumo", assunto="x", momento=1.0)
    store.insert("consumo", assunto="x", momento=3.0)

    store.prune(requests=2, uses_before=2.0)

    assert len(sandbox.requests()) == 2
    assert [row["momento"] for row in store.all("SELECT momento FROM consumo")] == [3.0]


# --- the command -------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("module", [["manage.py", "sandbox"], ["-m", "fiscal.sandbox"]])
def test_the_command_serves_until_it_is_told_to_stop(tmp_path, module):
    port, control = free_port(), free_port()
    command = [sys.executable, *module, f"--port={port}", f"--control-port={control}"]
    env = {
        **os.environ,
        "DATA_DIR": str(tmp_path / "var"),
        "DATABASE_URL": "postgresql://nobody@x/y",
    }
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path / "data")], cwd=ROOT, env=env, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert f"https://127.0.0.1:{port}" in process.stdout.readline().decode()
        told = requests.get(f"http://127.0.0.1:{control}/_controle", timeout=5).json()
        own = make_authority(tmp_path / "data" / "ca")
        identity = own.issue_pfx(
            notes.ISSUER,
            "Empresa",
            "",
            not_before=datetime.now(UTC) - timedelta(days=1),
            not_after=datetime.now(UTC) + timedelta(days=1),
        )
        file = tmp_path / "a1.pem"
        file.write_bytes(identity.key_pem + identity.chain_pem)
        answer = requests.get(
            f"https://127.0.0.1:{port}/", cert=str(file), verify=str(own.ca_file), timeout=5
        )
        assert told["ok"] is True
        assert answer.status_code == 404
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_one_note_costs_the_server_a_few_milliseconds(sandbox):
    client = sandbox.client()
    for numero in range(1, 31):
        client.send(note(client.signing, numero=numero))

    elapsed = sorted(each["milissegundos"] for each in sandbox.requests())

    assert len(elapsed) == 30
    # The fastest third: the rest may have waited for the machine.
    assert elapsed[10] < 25


def test_requests_of_a_closed_server_are_refused(tmp_path):
    running = server.start(tmp_path / "data", ca_folder=authority().folder)
    client = Sandbox(running, tmp_path).client_with(issued(notes.ISSUER))
    assert status(client) == 107

    running.stop()

    with pytest.raises(requests.ConnectionError):
        status(client)
