"""Mailjet's own client against the stand-in: what each answer means for the letter."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from support.payment_sandbox import Providers

from billing.gateways.mail import mailjet
from billing.gateways.mail.base import File, Letter, NotNow, Refused, Taken, Unknown
from billing.gateways.mail.mailjet import Mailjet

LETTER = Letter(
    reference="0123456789abcdef0123456789abcdef.7",
    key="0123456789abcdef0123456789abcdef.7",
    sender="Cobrança <cobranca@exemplo.test>",
    recipient="ana@exemplo.test",
    subject="Fatura 1001",
    text="texto",
    html="<p>página</p>",
    reply_to="fale@exemplo.test",
    files=(File("nota.pdf", b"%PDF-", "application/pdf"),),
)


@pytest.fixture
def box(providers: Providers) -> Mailjet:
    return Mailjet(api_key="chave", secret_key="segredo", base_url=providers.url("mailjet"))


def test_a_letter_is_taken_and_found_by_our_own_id(
    box: Mailjet,
    providers: Providers,
) -> None:
    assert box.find(LETTER.reference) is None

    taken = box.send(LETTER)
    again = box.send(LETTER)

    assert taken == again == Taken(taken.external_id, "success")
    [kept] = providers.books("mailjet")["messages"]
    assert str(kept["id"]) == taken.external_id
    assert box.find(LETTER.reference) == Taken(taken.external_id, "queued")
    assert kept["from"] == {"Email": "cobranca@exemplo.test", "Name": "Cobrança"}
    assert kept["reply_to"] == {"Email": "fale@exemplo.test"}
    assert (kept["subject"], kept["text"], kept["html"]) == (
        "Fatura 1001", "texto", "<p>página</p>",
    )  # fmt: skip
    assert kept["attached"] == [
        {
            "name": "nota.pdf",
            "type": "application/pdf",
            "content": base64.b64encode(b"%PDF-").decode(),
        }
    ]
    [first, second] = providers.calls("mailjet", "POST")
    assert first["key"] == second["key"] == LETTER.key
    assert "segredo" not in repr(box) + str(vars(Letter))


@pytest.mark.parametrize(
    ("change", "text", "marks"),
    [
        ({"recipient": "ana@exemplo"}, "endereço de e-mail inválido (mj-0013", (True, False)),
        ({"sender": "x@exemplo"}, "endereço de e-mail inválido (mj-0013", (False, False)),
        ({"text": "", "html": ""}, "o texto não foi aceito (send-0003", (False, False)),
        ({"reference": "x" * 65}, "a mensagem não foi aceita (mj-0004", (False, False)),
        (
            {"files": (File("grande.pdf", b"x" * 12_000_000),)},
            "o anexo não foi aceito (send-0021",
            (False, True),
        ),
    ],
)
def test_what_is_wrong_with_a_letter_is_final(
    box: Mailjet, change: dict[str, object], text: str, marks: tuple[bool, bool]
) -> None:
    with pytest.raises(Refused) as refused:
        box.send(replace(LETTER, **change))  # type: ignore[arg-type]

    assert str(refused.value).startswith(text)
    assert (refused.value.is_bounce, refused.value.about_files) == marks
    assert box.find(LETTER.reference) is None


def test_faults_on_the_way(
    box: Mailjet,
    providers: Providers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mailjet, "TIMEOUT", (1.0, 0.3))
    error = '{"Messages": [{"Status": "error", "Errors": [{"ErrorCode": "x-1"}]}]}'
    global_error = '{"ErrorCode": "mj-0002", "ErrorMessage": "Malformed JSON"}'
    cases: list[tuple[dict[str, object], type[Exception], str, bool]] = [
        ({"kind": "status", "status": 429}, NotNow, "o Mailjet pediu para esperar", False),
        ({"kind": "status", "status": 401}, NotNow, "não foram aceitas", False),
        ({"kind": "status", "status": 500}, Unknown, "o Mailjet respondeu 500", False),
        ({"kind": "status", "status": 503, "body": "{}"}, Unknown, "respondeu 503", False),
        ({"kind": "status", "status": 413}, Refused, "grande demais", False),
        ({"kind": "status", "status": 418}, Refused, "o Mailjet respondeu 418", False),
        ({"kind": "status", "status": 400, "body": "[]"}, Refused, "não foi aceita", False),
        ({"kind": "status", "status": 400, "body": global_error}, Refused, "Malformed", False),
        ({"kind": "status", "status": 301}, Unknown, "não se entende", False),
        ({"kind": "down"}, Unknown, "o Mailjet não respondeu", False),
        ({"kind": "garbage"}, Unknown, "não se entende", True),
        ({"kind": "garbage", "body": "{}"}, Unknown, "não se entende", True),
        ({"kind": "garbage", "body": "[1]"}, Unknown, "não se entende", True),
        ({"kind": "garbage", "body": error}, Refused, "não foi aceita (x-1)", True),
        ({"kind": "cut"}, Unknown, "o Mailjet não respondeu", True),
        ({"kind": "late", "seconds": 0.6}, Unknown, "o Mailjet não respondeu", True),
    ]
    for n, (fault, kind, text, is_taken) in enumerate(cases):
        letter = replace(LETTER, reference=f"caso.{n}", key=f"caso.{n}")
        providers.fault("mailjet", path="/v3.1", **fault)  # type: ignore[arg-type]
        with pytest.raises((NotNow, Refused, Unknown)) as raised:
            box.send(letter)
        assert (type(raised.value), n) == (kind, n)
        assert text in str(raised.value)
        assert (box.find(letter.reference) is not None) == is_taken, fault
        assert len(providers.calls("mailjet", "POST")) == n + 1  # nothing was sent twice

    for fault in ({"kind": "down"}, {"kind": "status", "status": 500}, {"kind": "garbage"}):
        providers.fault("mailjet", path="/v3/", **fault)
        with pytest.raises(NotNow):
            box.find("caso.0")


def test_an_address_elsewhere_and_wrong_keys_are_told(providers: Providers) -> None:
    for box in (
        Mailjet(api_key="a", secret_key="b", base_url="https://mailjet.exemplo.test"),
        Mailjet(api_key="", secret_key="", base_url=providers.url("mailjet")),
        Mailjet(api_key="errada", secret_key="x", base_url=providers.url("mailjet")),
    ):
        with pytest.raises(NotNow, match="chaves"):
            box.send(LETTER)
    assert providers.books("mailjet")["messages"] == []
