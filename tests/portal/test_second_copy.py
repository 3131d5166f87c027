"""P08: 2ª via, reissue of what is late, and the boleto itself."""

from __future__ import annotations

import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pypdf import PdfReader

from accounts.models import AuditEvent
from billing.gateways.boleto import registrar_http
from billing.models import Charge, EmailMessage, Invoice, Receivable
from billing.services.boletos.telling import tell_reissue

A1, A2 = "/central/faturas/01001/", "/central/faturas/01002/"
NB = "\xa0"


@pytest.fixture(autouse=True)
def _bank(settings: Any) -> None:
    """The stand-in is on this machine, and knows no token of another test."""
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    registrar_http._tokens.clear()


def text_of(page: Any) -> str:
    return " ".join(page.text_content().split())


def boleto_of(number: int) -> Charge | None:
    return Charge.objects.filter(
        receivable__invoice__number=number, kind="boleto", state="open"
    ).first()


def chosen(page: Any) -> dict[str, str]:
    """Fields of the form as the browser would send them."""
    [form] = page.xpath("//form[@data-reemitir]")
    return {k: v for k, v in form.form_values() if k != "recalcular"}


def test_p08_1_and_5_the_boleto_that_can_be_paid(central, page):
    client = central()
    shown = page(client, f"{A1}2via/")

    [line] = shown.xpath("//input[starts-with(@id, 'linha-')]")
    assert re.fullmatch(r"\d{47}", line.get("data-valor"))
    assert shown.xpath("//button[@data-copiado='Linha digitável copiada.']/@data-copiar") == [
        line.get("id")
    ]
    text, boleto = text_of(shown), boleto_of(1001)
    assert boleto is not None
    for part in (
        boleto.nosso_numero_printed, "20/08/2026", f"R${NB}1.234,56", "Padaria Aurora Ltda",
        "12.ABC.345/01DE-35", "Antes de pagar, confira se o beneficiário é",
    ):  # fmt: skip
        assert part.replace(NB, " ") in text.replace(NB, " ")
    answer = client.get(f"{A1}boleto.pdf")
    assert answer["Content-Type"] == "application/pdf"
    printed = "".join(one.extract_text() for one in PdfReader(io.BytesIO(answer.content)).pages)
    assert line.get("value") in printed
    kept = AuditEvent.objects.filter(action="boleto.2via_emitida").get()
    assert kept.after["nosso_numero"] == boleto.nosso_numero_printed
    assert kept.actor_label == "titular@aurora.test"


def test_p08_2_the_value_of_a_late_one_follows_the_day(central, page):
    client = central()
    shown = page(client, f"{A2}2via/")

    days = shown.xpath("//input[@name='vencimento']/@value")
    assert days == ["13/08/2026", "14/08/2026", "17/08/2026", "18/08/2026", "19/08/2026"]
    assert chosen(shown)["vencimento"] == "13/08/2026"
    parts = {p.get("data-parte"): p.get("data-valor") for p in shown.xpath("//td[@data-parte]")}
    assert parts == {"multa": "10.00", "juros": "5.67", "total": "515.67"}
    text = text_of(shown)
    assert "Juros (34 dias)" in text
    assert f"Gerar boleto atualizado de R${NB}515,67" in shown.text_content()
    assert "O boleto anterior será cancelado. Não pague o boleto antigo." in text

    asked = chosen(shown) | {"vencimento": "19/08/2026", "recalcular": "1"}
    again = client.post(f"{A2}2via/reemitir/", asked)
    shown = page(client, again["Location"])
    assert chosen(shown)["vencimento"] == "19/08/2026"
    # 40 days: 500 × 1 % × 40 / 30 = 6,67.
    assert chosen(shown)["total"] == "516.67"
    assert f"Gerar boleto atualizado de R${NB}516,67" in shown.text_content()
    assert Charge.objects.filter(receivable__invoice__number=1002).count() == 1


def test_p08_3_a_reissue_is_made_once_and_told(central, page):
    client = central()
    old = boleto_of(1002)
    form = chosen(page(client, f"{A2}2via/"))

    first = client.post(f"{A2}2via/reemitir/", form, follow=True)
    assert "Boleto de vencimento 13/08/2026 pronto." in first.content.decode()
    new = boleto_of(1002)
    assert (new.amount, new.due_date) == (Decimal("515.67"), date(2026, 8, 13))
    old = Charge.objects.get(pk=old.pk)
    assert old.state in (Charge.State.CANCELLING, Charge.State.CANCELLED)
    shown = page(client, f"{A2}2via/")
    assert shown.xpath("//input[starts-with(@id, 'linha-')]/@data-valor") == [new.linha_digitavel]
    assert not shown.xpath("//input[@name='vencimento']")
    rows = page(client, "/central/faturas/").xpath("//tr[contains(., '01002')]")
    assert "13/08/2026" in rows[0].text_content()
    assert "Boleto reemitido" in page(client, A2).text_content()
    # Sent again, from a page that was left open: the same title.
    client.post(f"{A2}2via/reemitir/", form | {"vencimento": "14/08/2026", "total": "515.83"})
    assert boleto_of(1002).pk == new.pk
    kept = AuditEvent.objects.get(action="boleto.reemitido")
    assert kept.before["nosso_numero"] == old.nosso_numero_printed
    assert kept.after["amount"] == "515.67"
    assert tell_reissue(new.pk) >= 1
    assert "515,67" in EmailMessage.objects.filter(trigger="reissue")[0].body


def test_p08_4_a_bank_that_does_not_answer_changes_nothing(central, page, providers):
    client = central()
    old = boleto_of(1002)
    form = chosen(page(client, f"{A2}2via/"))
    providers.fault("boletos", "down", times=0)

    answer = client.post(f"{A2}2via/reemitir/", form)

    assert answer.status_code == 503
    text = answer.content.decode()
    assert (
        "O banco não respondeu. Seu boleto anterior continua válido e nada mudou. "
        "Tente de novo ou pague por Pix."
    ) in text
    assert "Código do erro:" in text
    assert f'data-linha="{old.linha_digitavel}"' in text
    assert Charge.objects.get(pk=old.pk).state == Charge.State.OPEN


def test_p08_what_the_page_said_is_what_counts(central, page):
    """Forged amounts, stale pages and the wrong state are refused; nothing is made."""
    client = central()
    form = chosen(page(client, f"{A2}2via/"))
    before = Charge.objects.count()

    other = client.post(f"{A2}2via/reemitir/", form | {"vencimento": "19/08/2026"})
    assert other.status_code == 409
    assert f"O valor para este vencimento é R${NB}516,67" in other.content.decode()
    for bad in ({"parcela": "7"}, {"parcela": "x"}):
        assert client.post(f"{A2}2via/reemitir/", form | bad).status_code == 404
    assert client.get(f"{A2}2via/", {"parcela": "7"}).status_code == 404
    stale = client.post("/central/faturas/01003/2via/reemitir/", form)
    assert stale.status_code == 409
    assert (
        "Esta fatura mudou enquanto você estava aqui (agora: Paga). Nada foi feito."
        in stale.content.decode()
    )
    Invoice.objects.filter(number=1002).update(approval_status=Invoice.Approval.BLOCKED)
    assert client.post(f"{A2}2via/reemitir/", form).status_code == 409
    assert Charge.objects.count() == before


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("01003", "Esta fatura já está paga. Não é preciso emitir 2ª via."),
        ("01005", "Esta fatura foi anulada e não deve ser paga."),
        ("01006", "Esta fatura foi reembolsada."),
        ("01007", "Não pague de novo."),
    ],
)
def test_p08_what_cannot_be_paid_says_so(central, page, number, said):
    shown = page(central(), f"/central/faturas/{number}/2via/")
    assert said in text_of(shown)
    assert not shown.xpath("//main//input")
    assert not shown.xpath("//main//form")


def test_p08_each_parcel_by_itself(central, page):
    client = central()
    shown = page(client, "/central/faturas/01009/2via/")
    assert len(shown.xpath("//section[@data-parcela]")) == 1
    assert "25/08/2026" in text_of(shown)


def test_p08_leitura_sees_the_boleto_and_changes_nothing(central, page):
    client = central("leitura@aurora.test")
    shown = page(client, f"{A1}2via/")
    assert shown.xpath("//input[starts-with(@id, 'linha-')]")
    assert not shown.xpath("//main//form | //main//*[@data-meio='pix']")
    assert client.get(f"{A1}boleto.pdf").status_code == 200
    late = page(client, f"{A2}2via/")
    assert not late.xpath("//main//form")
    before = list(Charge.objects.values())
    for path in (f"{A1}2via/reemitir/", f"{A2}2via/reemitir/", f"{A2}pix/", f"{A2}atualizar/"):
        assert client.post(path).status_code == 403
    for path in (f"{A1}pagar/", "/central/formas-de-pagamento/"):
        assert client.get(path).status_code == 403
    assert list(Charge.objects.values()) == before


def test_p08_another_customers_invoice_is_unknown(central):
    client = central("titular@boavista.test")
    missing = client.get("/central/faturas/999999/2via/")
    for path in ("2via/", "boleto.pdf", "pix/", "pix/situacao/", "pagar/"):
        answer = client.get(f"/central/faturas/01001/{path}")
        assert answer.status_code == 404
    assert client.get("/central/faturas/01001/2via/").content == missing.content
    for path in ("2via/reemitir/", "pix/", "atualizar/", "pagar/", "pagar/desistir/"):
        assert client.post(f"/central/faturas/01001/{path}").status_code == 404


def test_p08_few_queries(central, django_assert_max_num_queries):
    client = central()
    for path in (f"{A1}2via/", f"{A2}2via/", f"{A1}pix/", f"{A1}pagar/"):
        with django_assert_max_num_queries(15):
            assert client.get(path).status_code == 200


def test_p08_an_invoice_without_boleto_gets_one(central, page):
    client = central()
    receivable = Receivable.objects.get(invoice__number=1001)
    Charge.objects.filter(receivable=receivable).delete()
    shown = page(client, f"{A1}2via/")
    [form] = [f for f in shown.forms if (f.action or "").endswith("reemitir/")]
    answer = client.post(f"{A1}2via/reemitir/", dict(form.form_values()), follow=True)
    assert answer.status_code == 200
    assert Charge.objects.filter(receivable=receivable, kind="boleto").count() == 1
