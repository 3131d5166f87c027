"""The API Pix over HTTP, without database: bodies, tokens, pages, and what each answer proves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing.gateways.pix import bodies, wire
from billing.gateways.pix.bacen import BacenPix
from billing.gateways.pix.provider import (
    Debtor,
    Kind,
    Lateness,
    Order,
    PixMisconfigured,
    PixRefused,
    PixUnavailable,
    ReturnStatus,
    Status,
)
from billing.gateways.pix.wire import Credentials, Wire
from billing.sandbox.pix import SECRET
from lib.outbound import Policy

LOCAL = Policy(allow_http=True, allow_private=True)
KEY = "123e4567-e12b-12d1-a456-426655440000"
TXID = "a" * 32
NOW = datetime(2026, 8, 12, 15, tzinfo=UTC)
ORDER = Order(
    txid=TXID,
    key=KEY,
    amount=Decimal("100.00"),
    debtor=Debtor("12ABC34501DE35", "Cliente", "Rua A 1", "São Paulo", "SP", "01001000"),
    text="Fatura 1",
    due_on=date(2026, 8, 20),
    valid_days=30,
    lateness=Lateness(fine_percent=Decimal(2), monthly_percent=Decimal(1)),
)
SOON = replace(ORDER, txid="b" * 32, due_on=None, valid_days=0, seconds=600, lateness=Lateness())


@pytest.fixture
def credentials(providers):
    wire.TOKENS.clear()
    providers.control("pix/today", date="2026-08-12")
    return Credentials(providers.url("pix"), "cliente", SECRET)


@pytest.fixture
def bank(credentials):
    return BacenPix(Wire(credentials, LOCAL, timeout=2))


def n_tokens(providers):
    return len(providers.calls("pix", "POST", "/oauth/token"))


@pytest.mark.parametrize(
    ("lateness", "expected"),
    [
        (Lateness(), {}),
        (
            Lateness(fine_percent=Decimal(2), monthly_percent=Decimal(1)),
            {"multa": {"modalidade": 2, "valorPerc": "2.00"},
             "juros": {"modalidade": 3, "valorPerc": "1.00"}},
        ),
        (
            Lateness(fine_value=Decimal("1.50"), daily_value=Decimal("0.03")),
            {"multa": {"modalidade": 1, "valorPerc": "1.50"},
             "juros": {"modalidade": 1, "valorPerc": "0.03"}},
        ),
        (Lateness(fine_percent=Decimal(0), daily_value=Decimal(0)), {}),
    ],
)  # fmt: skip
def test_body_with_due_date(lateness, expected):
    body = bodies.of_order(replace(ORDER, lateness=lateness))

    assert body == {
        "calendario": {"dataDeVencimento": "2026-08-20", "validadeAposVencimento": 30},
        "devedor": {"cnpj": "12ABC34501DE35", "nome": "Cliente", "logradouro": "Rua A 1",
                    "cidade": "São Paulo", "uf": "SP", "cep": "01001000"},
        "valor": {"original": "100.00", **expected},
        "chave": KEY,
        "solicitacaoPagador": "Fatura 1",
    }  # fmt: skip


def test_immediate_body_and_limits():
    debtor = Debtor("12345678909", "N" * 300, "Rua")
    body = bodies.of_order(replace(SOON, debtor=debtor, text="x" * 200))

    assert body == {
        "calendario": {"expiracao": 600},
        "devedor": {"cpf": "12345678909", "nome": "N" * 200},
        "valor": {"original": "100.00"},
        "chave": KEY,
        "solicitacaoPagador": "x" * 140,
    }


def test_the_life_of_charges(bank, providers):
    made, soon = bank.create(ORDER), bank.create(SOON)

    assert (made.kind, made.status, made.amount) == (Kind.DUE, Status.ACTIVE, Decimal("100.00"))
    assert bank.read(Kind.DUE, TXID) == made
    assert bank.read(Kind.IMMEDIATE, SOON.txid) == soon
    assert bank.read(Kind.IMMEDIATE, TXID) is None
    changed = bank.update(replace(ORDER, amount=Decimal("90.00")))
    assert (changed.amount, changed.location) == (Decimal("90.00"), made.location)
    assert bank.create(replace(ORDER, amount=Decimal("90.00"))).location == made.location
    removed = bank.cancel(Kind.DUE, TXID)
    assert removed.status.is_removed
    with pytest.raises(PixRefused, match="não está ATIVA") as refused:
        bank.cancel(Kind.DUE, TXID)
    assert refused.value.problem == "CobVOperacaoInvalida"
    with pytest.raises(PixRefused, match="Anterior à data de criação"):
        bank.create(replace(ORDER, txid="c" * 32, due_on=date(2026, 8, 11)))
    assert n_tokens(providers) == 1  # one for all of it


def test_received_returned_and_listed(bank, providers):
    bank.create(SOON)
    end_to_end_id = providers.control("pix/pay", txid=SOON.txid)["endToEndId"]
    world = providers.running.world.provider("pix")
    mine = world.receiver("cliente")
    for number in range(250):
        at = NOW - timedelta(minutes=number)
        mine["pix"][f"E{number:031d}"] = {
            "endToEndId": f"E{number:031d}", "valor": "1.00", "txid": "X", "chave": KEY,
            "horario": at.isoformat(),
        }  # fmt: skip

    assert bank.received(end_to_end_id).amount == Decimal("100.00")
    assert bank.received("E" + "0" * 30 + "x") is None
    assert bank.returned(end_to_end_id, "R1") is None
    made = bank.give_back(end_to_end_id, "R1", Decimal("40.00"), "Engano")
    assert (made.status, made.amount, made.is_special) == (
        ReturnStatus.DONE, Decimal("40.00"), False,
    )  # fmt: skip
    assert bank.give_back(end_to_end_id, "R1", Decimal("40.00"), "Engano") == made
    assert bank.returned(end_to_end_id, "R1") == made
    with pytest.raises(PixRefused, match="excederiam"):
        bank.give_back(end_to_end_id, "R2", Decimal("60.01"), "")

    day = timedelta(days=1)
    found = bank.received_between(NOW - day, NOW + day)
    assert len(found) == 251
    assert found == sorted(found, key=lambda one: one.at)
    only = bank.received_between(NOW - day, NOW + day, only_returned=True)
    assert [one.end_to_end_id for one in only] == [end_to_end_id]
    assert [one.id for one in only[0].returns] == ["R1"]


def test_hooks(bank):
    assert bank.hook(KEY) is None
    bank.register_hook(KEY, "https://exemplo.test/hooks/1/x")
    assert bank.hook(KEY) == "https://exemplo.test/hooks/1/x"
    bank.remove_hook(KEY)
    bank.remove_hook(KEY)
    assert bank.hook(KEY) is None
    with pytest.raises(PixRefused, match="webhookUrl"):
        bank.register_hook(KEY, "ftp://x")


def test_tokens_are_kept_revoked_and_asked_for_in_two_ways(bank, credentials, providers):
    bank.create(ORDER)
    providers.control("pix/revoke")
    bank.create(SOON)
    assert n_tokens(providers) == 2

    in_form = replace(credentials, in_body=True, scope="cob.read")
    assert BacenPix(Wire(in_form, LOCAL)).read(Kind.DUE, TXID) is not None
    wrong = replace(credentials, client_secret="outro")
    with pytest.raises(PixMisconfigured, match="recusou as credenciais"):
        BacenPix(Wire(wrong, LOCAL)).read(Kind.DUE, TXID)
    assert "outro" not in repr(wrong)
    assert SECRET not in repr(bank)


def test_a_token_ends_before_its_time(bank, credentials, providers, monkeypatch):
    wire.TOKENS.keep(credentials.digest, "velho", wire._EARLY)

    bank.create(ORDER)

    assert n_tokens(providers) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, PixUnavailable),
        ({"kind": "status", "status": 429}, PixUnavailable),
        ({"kind": "status", "status": 302}, PixRefused),
        ({"kind": "status", "status": 403}, PixMisconfigured),
        ({"kind": "status", "status": 400}, PixRefused),
        ({"kind": "status", "status": 422, "body": '{"title": "Não"}'}, PixRefused),
        ({"kind": "status", "status": 400, "body": "[]"}, PixRefused),
        ({"kind": "garbage"}, PixUnavailable),
        ({"kind": "garbage", "body": "{}"}, PixUnavailable),
        ({"kind": "garbage", "body": "null"}, PixUnavailable),
        ({"kind": "garbage", "body": '{"type": "x", "status": 400}'}, PixUnavailable),
        ({"kind": "garbage", "body": "[" * 3000}, PixUnavailable),
        ({"kind": "down"}, PixUnavailable),
        ({"kind": "cut"}, PixUnavailable),
        ({"kind": "late", "seconds": 1}, PixUnavailable),
    ],
)
def test_what_an_answer_proves(bank, providers, fault, error):
    bank.hook(KEY)  # there is a token
    providers.fault("pix", path="/cobv/", **fault)

    hasty = BacenPix(replace(bank.wire, timeout=0.5)) if fault["kind"] == "late" else bank
    with pytest.raises(error) as found:
        hasty.create(ORDER)

    assert type(found.value) is error
    assert str(found.value)[0].isupper()
    assert bank.create(ORDER).status == Status.ACTIVE


def test_addresses_that_we_do_not_go_to(credentials):
    for url in ("http://169.254.169.254", "https://127.0.0.1:1", "ftp://x"):
        with pytest.raises(PixMisconfigured, match="Endereço do banco"):
            BacenPix(Wire(replace(credentials, base_url=url), Policy())).hook(KEY)


@pytest.mark.parametrize(
    "body",
    [
        {}, [], "x", None, 1,
        {"txid": 1, "status": "ATIVA", "valor": {"original": "1.00"}},
        {"txid": TXID, "status": "PAGA", "valor": {"original": "1.00"}},
        {"txid": TXID, "status": "ATIVA", "valor": {"original": 1.0}},
        {"txid": TXID, "status": "ATIVA", "valor": {"original": "1,00"}},
        {"txid": TXID, "status": "ATIVA", "valor": "1.00"},
        {"txid": TXID, "status": "ATIVA", "valor": {"original": "1.00"}, "loc": "x"},
        {"txid": TXID, "status": "ATIVA", "valor": {"original": "1.00"}, "pix": [{}]},
        {"txid": TXID, "status": "ATIVA", "valor": {"original": "1.00"},
         "pix": [{"endToEndId": "E1", "valor": "1.00", "horario": "2026-08-12T12:00:00"}]},
    ],
)  # fmt: skip
def test_bodies_that_are_not_of_the_contract_tell_nothing(body):
    with pytest.raises(PixUnavailable):
        bodies.registered(body, Kind.DUE)


def test_what_the_contract_may_add_does_no_harm():
    body = {
        "txid": TXID, "status": "CONCLUIDA", "valor": {"original": "1.00", "novo": {}}, "x": 1,
        "loc": {"location": "pix.example.com/1"},
        "pix": [{
            "endToEndId": "E1", "valor": "1.00", "horario": "2026-08-12T12:00:00.123Z",
            "devolucoes": [{"id": "1", "rtrId": "D1", "valor": "0.50", "status": "DEVOLVIDO",
                            "natureza": "MED_PIX_AUTOMATICO", "horario": {}}],
        }],
    }  # fmt: skip

    found = bodies.registered(json.loads(json.dumps(body)), Kind.DUE)

    assert found.location == "pix.example.com/1"
    [pix] = found.received
    assert (pix.txid, pix.at.microsecond) == ("", 123000)
    assert pix.returns[0].is_special
