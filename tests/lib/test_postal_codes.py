"""The address of a CEP from a service outside (P15)."""

from __future__ import annotations

import json
import time

import pytest
from support.postal_codes import PRACA_DA_SE, running

from lib.errors import GatewayRefused, GatewayUnavailable
from lib.outbound import Blocked
from lib.postal_codes import Address, look_up


@pytest.fixture
def service():
    with running() as found:
        yield found


def test_an_address_is_found_and_kept(service):
    expected = Address("01001000", "Praça da Sé", "Sé", "São Paulo", "SP", "3550308")

    assert look_up("01001000", url=service.url) == expected
    assert look_up("01001000", url=service.url) == expected
    assert service.asked == ["01001000"]


@pytest.mark.parametrize("body", [{"erro": "true"}, {"erro": True}])
def test_a_cep_that_does_not_exist_is_none_and_kept_too(service, body):
    service.body = json.dumps(body)

    assert look_up("99999999", url=service.url) is None
    assert look_up("99999999", url=service.url) is None
    assert service.asked == ["99999999"]


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (500, "{}", GatewayUnavailable),
        (429, "{}", GatewayUnavailable),
        (400, "{}", GatewayRefused),
        (302, "{}", GatewayRefused),
        (200, "<html>", GatewayRefused),
        (200, "[]", GatewayRefused),
        (200, json.dumps({**PRACA_DA_SE, "uf": "XX"}), GatewayRefused),
        (200, json.dumps({**PRACA_DA_SE, "localidade": None}), GatewayRefused),
    ],
)
def test_what_is_no_address_is_a_failure_and_not_kept(service, status, body, failure):
    service.status, service.body = status, body

    with pytest.raises(failure):
        look_up("01001000", url=service.url)

    service.status, service.body = 200, None
    found = look_up("01001000", url=service.url)
    assert found is not None
    assert found.city == "São Paulo"


def test_a_slow_service_is_given_up(service):
    service.delay = 2
    begun = time.monotonic()

    with pytest.raises(GatewayUnavailable):
        look_up("01001000", url=service.url, timeout=0.2)

    assert time.monotonic() - begun < 1.5


def test_markup_is_text_and_control_characters_go(service):
    odd = {**PRACA_DA_SE, "logradouro": "Rua\x00 <b>\u202eA\n", "ibge": "../1"}
    service.body = json.dumps(odd)

    found = look_up("01001000", url=service.url)

    assert found is not None
    assert (found.street, found.ibge_code) == ("Rua <b>A", "")


@pytest.mark.parametrize("cep", ["0100100", "010010000", "01001-000", "0100100a", "../../etc"])
def test_only_eight_digits_leave_the_house(service, cep):
    with pytest.raises(ValueError, match="eight digits"):
        look_up(cep, url=service.url)
    assert service.asked == []


@pytest.mark.parametrize("url", ["http://cep.exemplo.test/{cep}", "ftp://127.0.0.1/{cep}"])
def test_a_named_service_is_asked_over_https_only(url):
    with pytest.raises(Blocked):
        look_up("01001000", url=url)
