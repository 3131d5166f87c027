"""Outbound HTTP: always a timeout, bounded answers, our name in the User-Agent."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlparse

import requests

from lib.errors import GatewayRefused, GatewayUnavailable

USER_AGENT = "faturamento/1.0"
TIMEOUT = (5, 20)  # seconds: connect, read
MAX_BYTES = 10_000_000


def get_json(url: str, *, params: dict[str, str] | None = None) -> Any:
    """GET a JSON document of at most 10 MB; redirects are not followed.

    Raises GatewayUnavailable (no answer, 429, 5xx: try later) or GatewayRefused (final).
    """
    try:
        with requests.get(
            url,
            params=params,
            timeout=TIMEOUT,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            allow_redirects=False,
            stream=True,
        ) as response:
            _check_status(response)
            return _bounded_json(response)
    except requests.RequestException as error:
        raise GatewayUnavailable(f"sem resposta de {_host(url)}") from error


def _check_status(response: requests.Response) -> None:
    if response.status_code == 429 or response.status_code >= 500:
        raise GatewayUnavailable(f"{_host(response.url)} respondeu {response.status_code}")
    if response.status_code != 200:
        raise GatewayRefused(f"{_host(response.url)} respondeu {response.status_code}")


def _bounded_json(response: requests.Response) -> Any:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_BYTES:
            raise GatewayRefused(f"{_host(response.url)} respondeu mais de {MAX_BYTES} bytes")
    try:
        return json.loads(body)
    except ValueError as error:
        raise GatewayRefused(f"{_host(response.url)} não respondeu JSON") from error


def _host(url: str) -> str:
    return urlparse(url).hostname or "servidor"
