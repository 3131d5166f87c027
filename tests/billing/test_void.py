"""Voiding: the invoice should not have existed (VOID-1, VOID-2; scenario 7)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from factories import TransactionFactory
from support.invoices import (
    TODAY,
    actions,
    emitted_invoice,
    events,
    everything,
    generated,
    july,
    new_invoice,
)

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import (
    CannotEmit,
    CannotVoid,
    CannotVoidPaid,
    CannotVoidVoided,
    CannotVoidWithNote,
)
from billing.models import (
    DocumentTemplate,
    DocumentTemplateVersion,
    Invoice,
    PdfCache,
    Receivable,
    Transaction,
)
from billing.selectors.invariants import violations
from billing.services.invoices import cancel_invoice, emit_invoice, void_invoice
from billing.services.receivables import receive, undo_receipt
from billing.services.transactions import TransactionData, delete_transaction, edit_transaction
from lib import clock
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


def void(invoice, reason="Valor errado"):
    return void_invoice(invoice.pk, account=invoice.account, actor=SYSTEM, reason=reason)


def charges(customer, *values):
    day = datetime(2026, 7, 10, 12, tzinfo=UTC)
    return [
        TransactionFactory(customer=customer, created_at=day, retail_cost=Decimal(value))
        for value in values
    ]


def test_void_1_frees_the_transactions_and_keeps_the_lines_as_history(organization, customer):
    charges(customer, "10.00", "20.00")
    invoice = generated(customer)

    voided = void(invoice)

    assert (voided.state, voided.void, voided.void_reason) == ("cancelled", True, "Valor errado")
    assert voided.title == "Anulado: Fatura por 01/07/2026 - 31/07/2026"
    assert (voided.number, voided.gross_value) == (1, Decimal("30.00"))
    assert [line.is_released for line in voided.lines.order_by("position")] == [True, True]
    assert Transaction.objects.filter(invoice=None).count() == 2
    assert voided.receivables.get().state == Receivable.State.CANCELLED
    assert not voided.follow_ups.exists()
    assert events(invoice) == ["emit", "cancel"]
    assert actions(invoice) == ["fatura.gerada", "fatura.anulada"]
    assert AuditEvent.objects.get(action="fatura.anulada").after == {
        "state": "cancelled",
        "motivo": "Valor errado",
        "transactions": 2,
    }


def test_scenario_7_the_wrong_one_is_removed_and_the_rest_billed_again(organization, customer):
    wrong, right = charges(customer, "999.00", "20.00")
    first = generated(customer)
    void(first)

    delete_transaction(wrong.pk, account=customer.account, actor=SYSTEM)
    edit_transaction(
        right.pk,
        TransactionData(title="Uso", retail_cost=Decimal("25.00")),
        account=customer.account,
        actor=SYSTEM,
    )
    second = generated(customer)

    assert second.gross_value == Decimal("25.00")
    assert second.number == 2
    history = first.lines.order_by("position").values_list("value", "transaction_id")
    assert list(history) == [(Decimal("999.00"), None), (Decimal("20.00"), right.pk)]


def test_an_invoice_not_yet_emitted_is_voided_too(organization, customer):
    voided = void(new_invoice(organization, customer))

    assert (voided.state, voided.number) == ("cancelled", None)


def test_pdf_4_the_cached_pdf_goes(organization, customer):
    invoice = emitted_invoice(organization, customer)
    template = DocumentTemplate.objects.create(
        account=customer.account, organization=organization, name="Modelo"
    )
    now = clock.now()
    version = DocumentTemplateVersion.objects.create(
        template=template, number=1, html="", sha256="0" * 64, created_at=now
    )
    PdfCache.objects.create(
        invoice=invoice,
        template_version=version,
        language="pt-BR",
        source_hash="a",
        content_hash="b",
        data=b"%PDF",
        size=4,
        pages=1,
        created_at=now,
        last_accessed=now,
    )

    void(invoice)

    assert PdfCache.objects.count() == 0


@pytest.mark.parametrize("reason", ["", "   \n"])
def test_a_void_without_reason_is_refused(organization, customer, reason):
    invoice = emitted_invoice(organization, customer)
    before = everything(customer.account)

    with pytest.raises(InvalidInput) as refused:
        void(invoice, reason)

    assert refused.value.mensagem == "Informe o motivo."
    assert refused.value.erros[0].campo == "motivo"
    assert everything(customer.account) == before


def paid(invoice):
    receive(invoice.receivables.first().pk, account=invoice.account, actor=SYSTEM)


def cancelled(invoice):
    cancel_invoice(invoice.pk, account=invoice.account, actor=SYSTEM)


def with_note(invoice):
    invoice.nfe = {"nfe_issued": True}
    invoice.client_number = "501"
    invoice.save()


@pytest.mark.parametrize(
    ("prepare", "error", "codigo", "message"),
    [
        (
            paid,
            CannotVoidPaid,
            "cannot_void_paid",
            "Faturas pagas não podem ser anuladas. Use o reembolso ou crie um crédito.",
        ),
        (void, CannotVoidVoided, "cannot_void_voided", "Esta fatura já foi anulada."),
        (
            with_note,
            CannotVoidWithNote,
            "cannot_void_with_note",
            "Cancele a NF 501 antes de anular.",
        ),
        (cancelled, CannotVoid, "situacao_invalida", "O faturamento não pode ser anulado."),
    ],
)
@pytest.mark.parametrize("parcels", [1, 2])
def test_a_refused_void_changes_nothing(
    organization, customer, prepare, error, codigo, message, parcels
):
    invoice = emitted_invoice(organization, customer, due_dates=[TODAY] * parcels)
    prepare(invoice)
    before = everything(customer.account)

    with pytest.raises(error) as refused:
        void(invoice)

    assert (refused.value.codigo, refused.value.mensagem) == (codigo, message)
    assert refused.value.http_status == 409
    assert everything(customer.account) == before


def test_once_the_receipt_is_undone_the_invoice_can_be_voided(organization, customer):
    invoice = emitted_invoice(organization, customer)
    receivable = receive(invoice.receivables.get().pk, account=customer.account, actor=SYSTEM)
    undo_receipt(receivable.pk, account=customer.account, actor=SYSTEM)

    assert void(invoice).void


def test_a_void_cannot_be_emitted_again(organization, customer):
    invoice = void(new_invoice(organization, customer))

    with pytest.raises(CannotEmit):
        emit_invoice(invoice.pk, account=customer.account, actor=SYSTEM)


def test_a_long_title_still_starts_with_anulado(organization, customer):
    voided = void(new_invoice(organization, customer, title="x" * 200))

    assert voided.title == "Anulado: " + "x" * 191


def test_inv_11_another_account_does_not_find_the_invoice(organization, customer, other_account):
    invoice = emitted_invoice(organization, customer)
    before = everything(customer.account)

    with pytest.raises(NotFound):
        void_invoice(invoice.pk, account=other_account, actor=SYSTEM, reason="Erro")

    assert everything(customer.account) == before


def test_the_freed_transactions_make_the_same_preview_again(organization, customer):
    charges(customer, "10.00")
    request = july(customer)
    first = generated(customer)

    void(first)

    assert july(customer) == request
    assert generated(customer).pk != first.pk
    assert Invoice.objects.count() == 2
