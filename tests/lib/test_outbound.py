"""POST to addresses that others chose: where it may lead, for how long, and how much is read."""

from __future__ import annotations

import datetime
import socket
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.receiver import Received, answer, free_port, hang, receiver, status

from lib import outbound
from lib.addresses import is_public
from lib.outbound import Blocked, NoAnswer, Policy, parse, post

LOCAL = Policy(allow_http=True, allow_private=True)
STRICT = Policy()


def send(url: str, *, timeout: float = 1.0, policy: Policy = LOCAL) -> outbound.Answer:
    return post(url, b"{}", headers={"X-Event": "test"}, timeout=timeout, policy=policy)


# --- where to ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1",
        "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "3fff::1", "5f00::1",
        "192.88.99.1", "::ffff:192.88.99.1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::",
        "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "nonsense", "", "127.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "200.160.2.3", "2001:4860:4860::8888", "2804:10::1", "::ffff:8.8.8.8",
     "64:ff9b::808:808", "2002:808:808::1"],
)  # fmt: skip
def test_addresses_that_are(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://exemplo.com.br/", "ftp://exemplo.com.br/", "exemplo.com.br", "", "https://",
        "https:///x", "https://exemplo.com.br:22/", "https://exemplo.com.br:0/",
        "https://exemplo.com.br:99999/", "https://exemplo.com.br:x/",
        "https://u:p@exemplo.com.br/", "https://@exemplo.com.br/", "https://exemplo.com.br/a b",
        "https://exemplo.com.br/\r\nX: y", "https://exemplo.com.br\\@10.0.0.1/",
        "https://exem\tplo.com.br/", "https://[::1/", "https://exem%70lo.com.br/",
        "https://-x.com/", "https://" + "a" * 2000, "javascript:alert(1)", "//exemplo.com.br/",
    ],
)  # fmt: skip
def test_urls_of_a_form_we_do_not_go_to(url):
    with pytest.raises(Blocked):
        parse(url, STRICT)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://exemplo.com.br", "exemplo.com.br", "/"),
        ("https://Exemplo.com.br:443/a?b=c&d=%20#e", "exemplo.com.br", "/a?b=c&d=%20"),
        ("https://exemplo.com.br:8443/é", "exemplo.com.br:8443", "/%C3%A9"),
        ("https://faturação.pt/", "xn--faturao-2wa9a.pt", "/"),
        ("https://[2001:4860:4860::8888]:8080/", "[2001:4860:4860::8888]:8080", "/"),
    ],
)
def test_urls_taken_apart(url, authority, path):
    target = parse(url, STRICT)

    assert (target.authority, target.path) == (authority, path)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001",
     "127.1", "0", "169.254.169.254", "10.1.2.3"],
)  # fmt: skip
def test_a_private_address_in_whatever_spelling_gets_no_connection(host, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("it connected")

    monkeypatch.setattr(socket.socket, "connect", never)

    with pytest.raises(Blocked, match="não é público"):
        send(f"https://{host}/", policy=STRICT)


def resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[tuple[str, int]]) -> list[str]:
    """Answer look-ups in turn. Patched, because no test asks a real name server."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[object]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_one_private_address_among_public_ones_spoils_the_name(monkeypatch):
    resolving_to(monkeypatch, [("8.8.8.8", 443), ("10.0.0.1", 443)])

    with pytest.raises(Blocked, match="não é público"):
        send("https://exemplo.com.br/", policy=STRICT)


def test_the_connection_goes_to_the_very_address_that_was_checked(monkeypatch):
    """A name that answers with a private address the second time (DNS rebinding) is asked once."""
    asked = resolving_to(monkeypatch, [("8.8.8.8", 443)], [("127.0.0.1", 443)])
    gone_to: list[object] = []

    def connect(_: socket.socket, where: object) -> None:
        gone_to.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)

    with pytest.raises(NoAnswer, match="conexão recusada"):
        send("https://exemplo.com.br/", policy=STRICT)

    assert (asked, gone_to) == (["exemplo.com.br"], [("8.8.8.8", 443)])


def test_the_name_is_resolved_at_each_send(monkeypatch):
    with receiver() as server:
        there = (server.host, server.port)
        asked = resolving_to(monkeypatch, [there], [there])

        send(f"http://exemplo.com.br:{server.port}/")
        send(f"http://exemplo.com.br:{server.port}/")

    assert asked == ["exemplo.com.br"] * 2
    assert server.received[0].headers["Host"] == f"exemplo.com.br:{server.port}"


def test_a_name_server_that_does_not_answer_costs_no_more_than_the_deadline(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5) or [])
    begun = time.monotonic()

    with pytest.raises(NoAnswer, match="não foi resolvido a tempo"):
        send("https://exemplo.com.br/", timeout=0.3)

    assert time.monotonic() - begun < 1


def test_an_unknown_name(monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(NoAnswer, match="não existe"):
        send("https://exemplo.com.br/")


def test_the_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    with receiver() as server:
        assert send(server.url).status == 200


# --- what is said and heard --------------------------------------------------------------------


def test_a_plain_answer():
    with receiver(status(201, b"feito")) as server:
        got = send(server.url + "?a=b")

    assert (got.status, got.body, got.is_success) == (201, b"feito", True)
    (request,) = server.received
    assert request.line == "POST /hooks/billing?a=b HTTP/1.1"
    assert request.body == b"{}"
    assert request.headers["X-Event"] == "test"
    assert request.headers["User-Agent"] == "faturamento/1.0"


def test_a_redirect_is_an_answer_and_nobody_follows_it():
    with receiver() as inner:
        places = (inner.url, "http://169.254.169.254/latest/meta-data/")
        for place in places:
            head = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
            with receiver(answer(head.encode())) as server:
                got = send(server.url)
                assert (got.status, got.is_success, server.n_connections) == (302, False, 1)

    assert inner.n_connections == 0


def test_silence_before_the_headers_ends_at_the_deadline():
    with receiver(hang) as server:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match=r"sem resposta em 0\.4 s"):
            send(server.url, timeout=0.4)

    assert 0.35 < time.monotonic() - begun < 1


def drip(text: bytes) -> object:
    """One byte every 50 ms: each read of its own would always be in time."""

    def slowly(_: Received, connection: socket.socket) -> None:
        for n in range(len(text)):
            connection.sendall(text[n : n + 1])
            time.sleep(0.05)

    return slowly


def test_headers_that_drip_end_at_the_deadline_too():
    with receiver(drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200)) as server:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="sem resposta"):
            send(server.url, timeout=0.4)

    assert time.monotonic() - begun < 1


def test_a_body_that_drips_is_cut_and_its_status_counts():
    def slow(got: Received, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        drip(b"abcdefghijklmnopqrstuvwxyz" * 10)(got, connection)

    with receiver(slow) as server:
        begun = time.monotonic()
        got = send(server.url, timeout=0.4)

    assert time.monotonic() - begun < 1
    assert got.status == 200
    assert got.body.startswith(b"abc")
    assert len(got.body) < 30


@pytest.mark.parametrize("framing", ["length", "chunked", "none"])
def test_of_an_endless_body_four_kilobytes_are_read(framing):
    sent = 0

    def endless(_: Received, connection: socket.socket) -> None:
        nonlocal sent
        head = {"length": "Content-Length: 10000000000\r\n",
                "chunked": "Transfer-Encoding: chunked\r\n", "none": ""}[framing]  # fmt: skip
        connection.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        block = b"x" * 65536
        while True:
            chunk = b"10000\r\n" + block + b"\r\n" if framing == "chunked" else block
            connection.sendall(chunk)
            sent += len(chunk)

    with receiver(endless) as server:
        got = send(server.url, timeout=5)
        time.sleep(0.2)

    assert got.body == b"x" * 4096
    assert got.duration_ms < 2000
    assert sent < 20_000_000  # what the kernel had room for


@pytest.mark.parametrize(
    "raw",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"", b"\x00" * 100,
     b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n",
     b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
     b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000],
)  # fmt: skip
def test_what_is_no_http_is_no_answer(raw):
    with receiver(answer(raw)) as server, pytest.raises(NoAnswer):
        send(server.url)


def test_nobody_listens():
    with pytest.raises(NoAnswer, match="conexão recusada"):
        send(f"http://127.0.0.1:{free_port()}/")


def test_a_header_cannot_carry_another():
    with receiver() as server, pytest.raises(NoAnswer):
        post(server.url, b"", headers={"X": "a\r\nY: b"}, timeout=1, policy=LOCAL)

    assert server.received == []


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Self-signed, for 127.0.0.1 and receptor.test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receptor.test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("receptor.test"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "c.pem", tmp_path / "k.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.fixture
def trusting(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    outbound._tls_context.cache_clear()
    yield certificate
    outbound._tls_context.cache_clear()


def test_an_unknown_certificate_is_refused_before_anything_is_said(certificate):
    with receiver(tls=certificate) as server, pytest.raises(NoAnswer, match="certificado TLS"):
        send(server.url)

    assert server.received == []


def test_a_trusted_certificate_of_the_url_s_own_name(trusting, monkeypatch):
    with receiver(tls=trusting) as server:
        assert send(server.url).status == 200
        resolving_to(monkeypatch, [(server.host, server.port)])
        assert send(f"https://receptor.test:{server.port}/").status == 200
        with pytest.raises(NoAnswer, match="certificado TLS"):
            send(f"https://outro.test:{server.port}/")


def test_a_server_that_does_not_speak_tls():
    with receiver(answer()) as server, pytest.raises(NoAnswer):
        send(f"https://127.0.0.1:{server.port}/")


def test_a_handshake_that_never_ends_ends_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="sem resposta"):
            send(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.4)

    assert time.monotonic() - begun < 1
