"""The stand-in itself: notices that arrive, faults on demand, books that are kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from billing.sandbox import server

KEY = {"Authorization": "Bearer sk_test_x"}


class _Product(BaseHTTPRequestHandler):
    """Takes notices; the first answers are those of `refusals`."""

    heard: list[dict[str, Any]]
    refusals: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append({"body": json.loads(body), "signature": self.headers["Stripe-Signature"]})
        self.send_response(self.refusals.pop(0) if self.refusals else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def product() -> Iterator[HTTPServer]:
    _Product.heard, _Product.refusals = [], []
    listening = HTTPServer(("127.0.0.1", 0), _Product)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield listening
    listening.shutdown()
    listening.server_close()


def _post(base: str, path: str, **data: str) -> requests.Response:
    return requests.post(f"{base}/stripe/v1/{path}", data=data, headers=KEY, timeout=10)


def _wait(count: int) -> list[str]:
    deadline = time.monotonic() + 10
    while len(_Product.heard) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return [each["body"]["type"] for each in _Product.heard]


def test_notices_and_books(product: HTTPServer, tmp_path: Path) -> None:
    running = server.start(tmp_path)
    base = running.base_url
    try:
        url = f"http://127.0.0.1:{product.server_address[1]}/hooks"
        told = _post(base, "webhook_endpoints", url=url, **{"enabled_events[0]": "*"}).json()
        assert told["secret"].startswith("whsec_")
        _Product.refusals.append(500)  # not taken: it comes again
        customer = _post(base, "customers", name="Ana").json()["id"]
        assert _wait(2) == ["customer.created"] * 2
        assert _Product.heard[0]["body"]["id"] == _Product.heard[1]["body"]["id"]
        requests.post(f"{base}/control/deliveries", json={"mode": "off"}, timeout=10)
        for name in ("Bia", "Caio"):
            _post(base, "customers", name=name)
        assert len(_Product.heard) == 2
        sent = requests.post(f"{base}/control/deliver", json={"reverse": True}, timeout=10)
        assert sent.json() == [200, 200]
        names = [each["body"]["data"]["object"]["name"] for each in _Product.heard[2:]]
        assert names == ["Caio", "Bia"]
        requests.post(f"{base}/control/deliveries", json={"mode": "twice"}, timeout=10)
        _post(base, "customers", name="Davi")
        assert _wait(6)[4:] == ["customer.created"] * 2
    finally:
        running.stop()
    # Somebody else starts where this one ended.
    again = server.start(tmp_path)
    try:
        found = requests.get(
            f"{again.base_url}/stripe/v1/customers/{customer}", headers=KEY, timeout=10
        )
        assert found.json()["name"] == "Ana"
    finally:
        again.stop()


def test_faults() -> None:
    running = server.start(None)
    base = running.base_url

    def order(**given: Any) -> int:
        answer = requests.post(
            f"{base}/control/faults", json={"provider": "stripe", **given}, timeout=10
        )
        return answer.status_code

    def customers() -> int:
        found = requests.get(f"{base}/stripe/v1/customers", headers=KEY, timeout=10)
        return len(found.json()["data"])

    try:
        assert customers() == 0
        for kind, done in (("down", 0), ("cut", 1)):
            order(kind=kind, method="POST")
            with pytest.raises(requests.ConnectionError):
                _post(base, "customers", name="Ana")
            assert customers() == done
        order(kind="status", status=503, body="away", skip=1, method="POST")
        assert _post(base, "customers", name="Bia").status_code == 200
        assert _post(base, "customers", name="Caio").text == "away"
        order(kind="garbage", method="POST")
        assert "isto não é" in _post(base, "customers", name="Davi").content.decode()
        assert customers() == 3
        for kind in ("slow", "late"):
            order(kind=kind, seconds=0.2, method="POST")
            begun = time.monotonic()
            assert _post(base, "customers", name="Eva").status_code == 200
            assert time.monotonic() - begun >= 0.2
        assert order(kind="nonsense") == 400
        assert requests.get(f"{base}/nobody/x", timeout=10).status_code == 404
        calls = requests.get(f"{base}/control/calls", timeout=10).json()
        assert [c["fault"] for c in calls if c["method"] == "POST"] == [
            "down", "cut", "", "status", "garbage", "slow", "late",
        ]  # fmt: skip
    finally:
        running.stop()
