"""Proforma: preview, choices, generation (PF-1…PF-11; scenarios 1–5 and 10)."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from factories import CompanyFactory, ContractFactory, OrganizationFactory, ServiceItemFactory
from factories import TransactionFactory as BaseTransactionFactory
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.invoices import (
    TODAY,
    check_sums,
    events,
    everything,
    generated,
    july,
)

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import (
    AlreadyBilled,
    DuplicatePeriod,
    GenerateDisabled,
    KeyReused,
    NegativeTotal,
    PreviewChanged,
)
from billing.models import Invoice, Transaction
from billing.selectors.invariants import violations
from billing.selectors.proforma import BilledElsewhere, default_title, defaults, preview
from billing.services.proforma import generate
from billing.services.transactions import (
    TransactionData,
    add_transaction,
    delete_transaction,
    edit_transaction,
)
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


JULY = {"start": date(2026, 7, 1), "end": date(2026, 7, 31)}


def charge(customer, value="100.00", day=10, **fields):
    """A transaction of July 2026 at noon in São Paulo."""
    moment = datetime(2026, 7, day, 15, tzinfo=UTC)
    return BaseTransactionFactory(
        customer=customer, **({"created_at": moment, "retail_cost": Decimal(value)} | fields)
    )


def taxed(customer, value="100.00", percent="10", **fields):
    amount = Decimal(value) * Decimal(percent) / 100
    return charge(customer, value, tax_percentage=Decimal(percent), tax_amount=amount, **fields)


def fixture_of_july(customer):
    """ux §1.6: fifteen of R$ 100,00, ten of them taxed 10%."""
    return [taxed(customer, day=k + 1) for k in range(10)] + [
        charge(customer, day=k + 11) for k in range(5)
    ]


def show(customer, **period):
    return preview(customer.account, customer_id=customer.pk, **(JULY | period))


def run(request, customer, **fields):
    given = {"account": customer.account, "actor": SYSTEM, "today": TODAY}
    return generate(request, **(given | fields))


# --- preview -----------------------------------------------------------------------------------


def test_pf_1_the_form_opens_with_the_last_fourteen_days():
    found = defaults(TODAY)

    assert (found.start, found.end, found.due) == (date(2026, 7, 29), TODAY, TODAY)


@pytest.mark.parametrize(
    ("end", "title"),
    [(31, "Fatura por 01/07/2026 - 31/07/2026"), (1, "Fatura por 01/07/2026")],
)
def test_pf_2_the_default_title_tells_the_period(end, title):
    assert default_title(date(2026, 7, 1), date(2026, 7, end)) == title


def test_pf_3_the_preview_lists_unbilled_charges_and_credits_oldest_first(account, customer):
    late = charge(customer, "10.00", day=20)
    credit = charge(customer, "-4.00", day=15, kind="credit")
    early = taxed(customer, "50.00", "5", day=2)
    charge(customer, kind="payment")
    charge(CompanyFactory(account=account))

    found = show(customer)

    assert [row.id for row in found.rows] == [early.pk, credit.pk, late.pk]
    assert (found.count, found.subtotal) == (3, Decimal("56.00"))
    assert (found.tax, found.total) == (Decimal("2.50"), Decimal("58.50"))


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-07-01T02:59:59.999999+00:00", False),
        ("2026-07-01T03:00:00+00:00", True),
        ("2026-08-01T02:59:59.999999+00:00", True),
        ("2026-08-01T03:00:00+00:00", False),
    ],
)
def test_pf_3_the_period_is_counted_in_the_accounts_zone(customer, moment, inside):
    charge(customer, created_at=datetime.fromisoformat(moment))

    assert show(customer).count == int(inside)


def test_the_last_dates_of_the_calendar_are_no_crash(customer):
    assert show(customer, start=date.min, end=date.max).count == 0


def test_the_preview_tells_which_invoices_hold_the_others(organization, customer):
    charge(customer)
    charge(customer)
    first = generated(customer)
    charge(customer)
    other = charge(customer, day=25)
    second = generated(customer, included_ids=[other.pk], confirm_duplicate=True)

    found = show(customer)

    assert found.count == 1
    assert found.already_billed == [
        BilledElsewhere(first.pk, "00001", 2),
        BilledElsewhere(second.pk, "00002", 1),
    ]


def test_the_preview_takes_three_queries(organization, customer, django_assert_num_queries):
    fixture_of_july(customer)
    generated(customer)
    fixture_of_july(customer)

    with django_assert_num_queries(3):
        show(customer)


def test_inv_11_another_account_sees_no_preview(customer, other_account):
    with pytest.raises(NotFound):
        preview(other_account, customer_id=customer.pk, **JULY)


# --- generation --------------------------------------------------------------------------------


def test_scenario_1_the_invoice_has_the_totals_of_the_preview(organization, customer):
    fixture_of_july(customer)
    shown = show(customer)

    invoice = generated(customer)

    assert (shown.subtotal, shown.tax, shown.total) == (1500, 100, 1600)
    assert (invoice.total_amount, invoice.total_tax, invoice.gross_value) == (1500, 100, 1600)
    assert invoice.lines.count() == 15
    assert (invoice.state, invoice.payment_status) == ("to_receive", "unpaid")
    assert (invoice.start_date, invoice.end_date) == (JULY["start"], JULY["end"])
    assert (invoice.issue_date, invoice.due_date) == (TODAY, date(2026, 8, 20))
    check_sums(Invoice.objects.get(pk=invoice.pk))


def test_pf_8_lines_copy_the_transactions_in_order(organization, customer):
    item = ServiceItemFactory(account=customer.account)
    second = charge(customer, "10.00", day=5)
    first = taxed(customer, "33.33", "5", day=2, title="Uso", description="GB", service_item=item)
    first.tax_amount = Decimal("1.67")
    first.save()

    invoice = generated(customer)

    line, other = invoice.lines.order_by("position")
    assert (line.transaction_id, other.transaction_id) == (first.pk, second.pk)
    assert (line.title, line.description, line.service_item_id) == ("Uso", "GB", item.pk)
    assert (line.units, line.unit_value, line.value) == (1, Decimal("33.33"), Decimal("33.33"))
    assert (line.tax_percentage, line.tax_amount) == (5, Decimal("1.67"))
    assert line.occurred_at == first.created_at


def test_pf_8_number_audit_notice_and_pdf_come_in_the_same_transaction(organization, customer):
    kept, excluded = charge(customer), charge(customer)

    invoice = generated(customer, included_ids=[kept.pk])

    assert invoice.label == "00001"
    assert invoice.follow_ups.get().kind == "pdf"
    assert events(invoice) == ["emit"]
    event = AuditEvent.objects.get(object_type="invoice")
    assert event.action == "fatura.gerada"
    assert event.after == {
        "number": "00001",
        "state": "to_receive",
        "included": [kept.pk],
        "excluded": [excluded.pk],
        "subtotal": "100.00",
        "tax": "0.00",
        "total": "100.00",
    }


def test_scenario_2_three_invoices_of_one_period_bill_everything_once(organization, customer):
    rows = {
        name: [charge(customer, str(value), title=name) for value in (10, 20)]
        for name in ("Móvel", "Internet", "Outros")
    }

    totals = []
    for name in ("Móvel", "Internet"):
        ids = [row.pk for row in rows[name]]
        totals.append(generated(customer, included_ids=ids, confirm_duplicate=True))
    left = show(customer)
    totals.append(generated(customer, confirm_duplicate=True))

    assert {row.title for row in left.rows} == {"Outros"}
    assert [invoice.gross_value for invoice in totals] == [30, 30, 30]
    assert Transaction.objects.filter(invoice=None).count() == 0


def test_scenarios_3_and_4_excluded_transactions_wait_or_are_deleted(organization, customer):
    rows = [charge(customer) for _ in range(20)]
    chosen = [row.pk for row in rows[:18]]

    generated(customer, included_ids=chosen)

    assert [row.id for row in show(customer).rows] == [rows[18].pk, rows[19].pk]  # PF-9
    delete_transaction(rows[18].pk, account=customer.account, actor=SYSTEM)
    assert show(customer).count == 1


def test_scenario_5_a_one_off_of_today(organization, customer):
    charge(customer, created_at=datetime(2026, 8, 12, 15, tzinfo=UTC))
    charge(customer, created_at=datetime(2026, 8, 11, 15, tzinfo=UTC))
    shown = show(customer, start=TODAY, end=TODAY)

    invoice = generated(
        customer,
        start=TODAY,
        end=TODAY,
        due=TODAY + timedelta(days=7),
        included_ids=[row.id for row in shown.rows],
        fingerprint=shown.fingerprint,
    )

    assert invoice.title == "Fatura por 12/08/2026"
    assert invoice.lines.count() == 1


def test_an_invoice_may_be_left_to_be_emitted(organization, customer):
    charge(customer)

    invoice = generated(customer, emit=False, title="Julho")

    assert (invoice.state, invoice.number, invoice.title) == ("to_emit", None, "Julho")
    assert invoice.receivables.get().state == "to_emit"
    assert events(invoice) == []


def test_pf_10_a_total_of_zero_is_paid_at_once(organization, customer):
    charge(customer, "100.00")
    charge(customer, "-100.00", kind="credit")

    invoice = generated(customer)

    assert (invoice.state, invoice.payment_status, invoice.number) == ("received", "paid", 1)


def test_pf_10_a_negative_total_is_refused(organization, customer):
    charge(customer, "100.00")
    charge(customer, "-100.01", kind="credit")
    before = everything(customer.account)

    with pytest.raises(NegativeTotal) as refused:
        generated(customer)

    assert refused.value.codigo == "negative_total"
    assert everything(customer.account) == before


@pytest.mark.parametrize(
    ("fields", "campo", "message"),
    [
        ({"included_ids": []}, "included_ids", "Selecione ao menos uma transação."),
        (
            {"start": date(2026, 8, 1)},
            "start",
            "A data de início deve ser anterior ou igual à de término.",
        ),
        ({"start": None}, "start", "Informe a data de início."),
        ({"end": None}, "end", "Informe a data de término."),
        ({"due": None}, "due", "Informe a data de vencimento."),
        (
            {"due": TODAY - timedelta(days=1)},
            "due",
            "A data de vencimento não pode ser anterior à data de emissão.",
        ),
        ({"title": "x" * 201}, "title", "O título deve ter até 200 caracteres."),
        ({"idempotency_key": "x" * 81}, "idempotency_key", "A chave deve ter até 80 caracteres."),
        (
            {"included_ids": range(10_001)},
            "included_ids",
            "Selecione no máximo 10.000 transações.",
        ),
    ],
)
def test_pf_6_a_form_that_cannot_be_generated_says_why(
    organization, customer, fields, campo, message
):
    charge(customer)
    before = everything(customer.account)

    with pytest.raises(GenerateDisabled) as refused:
        generated(customer, **fields)

    assert [(e.campo, e.mensagem) for e in refused.value.erros] == [(campo, message)]
    assert everything(customer.account) == before


def test_pf_6_all_reasons_come_at_once(organization, customer):
    with pytest.raises(GenerateDisabled) as refused:
        generated(customer, included_ids=[], due=None)

    assert refused.value.mensagem == (
        "Selecione ao menos uma transação. Informe a data de vencimento."
    )


def test_due_today_is_accepted(organization, customer):
    charge(customer)

    assert generated(customer, due=TODAY).due_date == TODAY


# --- what changed since the preview ------------------------------------------------------------


def bill(row):
    generated(row.customer, included_ids=[row.pk])


def edit(row):
    row.retail_cost += 1
    row.save()


def rename(row):
    row.title = "Outro título"
    row.save()


def move(row):
    row.created_at -= timedelta(days=40)
    row.save()


def turn_into_payment(row):
    row.kind = "payment"
    row.save()


@pytest.mark.parametrize(
    ("change", "summary", "text"),
    [
        (bill, "1 já faturada", "já foi faturada na fatura 00001."),
        (edit, "1 alterada", "foi alterada."),
        (rename, "1 alterada", "foi alterada."),
        (turn_into_payment, "1 alterada", "foi alterada."),
        (move, "1 fora do período", "está fora do período."),
        (Transaction.delete, "1 excluída", "foi excluída."),
    ],
)
def test_pf_7_a_changed_transaction_stops_the_generation_and_is_named(
    organization, customer, change, summary, text
):
    row, _ = charge(customer), charge(customer)
    pk = row.pk
    request = july(customer)
    change(row)
    before = everything(customer.account)

    with pytest.raises(PreviewChanged) as refused:
        run(request, customer, actor=SYSTEM)

    error = refused.value
    assert (error.codigo, error.http_status) == ("preview_changed", 409)
    assert error.mensagem == (
        f"Algumas transações mudaram desde a pré-visualização: {summary}. Revise e gere novamente."
    )
    assert [(e.campo, e.mensagem) for e in error.erros] == [(str(pk), f"A transação {pk} {text}")]
    assert everything(customer.account) == before


def test_pf_7_all_differences_are_listed(organization, customer):
    rows = [charge(customer) for _ in range(4)]
    request = july(customer)
    edit(rows[0])
    Transaction.objects.filter(pk__in=[rows[1].pk, rows[2].pk]).delete()

    with pytest.raises(PreviewChanged) as refused:
        run(request, customer)

    assert "2 excluídas, 1 alterada" in refused.value.mensagem
    assert len(refused.value.erros) == 3


def test_pf_7_changes_in_rows_left_out_do_not_matter(organization, customer):
    kept, billed, edited = (charge(customer) for _ in range(3))
    request = july(customer, included_ids=[kept.pk], confirm_duplicate=True)
    edit(edited)
    bill(billed)
    charge(customer, title="nova")

    invoice = run(request, customer)

    assert invoice.gross_value == 100


def test_pf_7_a_transaction_that_the_preview_did_not_show_is_refused(organization, customer):
    charge(customer)
    request = july(customer)
    unseen = charge(customer)

    with pytest.raises(PreviewChanged):
        run(july(customer, fingerprint=request.fingerprint, included_ids=[unseen.pk]), customer)


@pytest.mark.parametrize("fingerprint", ["", "x", "é" * 40])
def test_a_made_up_fingerprint_is_refused(organization, customer, fingerprint):
    charge(customer)

    with pytest.raises(PreviewChanged):
        generated(customer, fingerprint=fingerprint)


def test_a_transaction_of_another_customer_is_not_found(organization, account, customer):
    own, other = charge(customer), charge(CompanyFactory(account=account))
    before = everything(account)

    with pytest.raises(NotFound):
        generated(customer, included_ids=[own.pk, other.pk])

    assert everything(account) == before


@pytest.mark.parametrize("pk", [0, -1, 2**63])
def test_an_id_that_no_transaction_can_have_is_not_found(organization, customer, pk):
    charge(customer)

    with pytest.raises(NotFound):
        generated(customer, included_ids=[pk])


@pytest.mark.parametrize("case", ["customer", "transaction", "organization"])
def test_inv_11_nothing_of_another_account_is_billed(organization, customer, other_account, case):
    charge(customer)
    stranger = CompanyFactory(account=other_account)
    foreign = charge(stranger)
    fields = {
        "customer": {"customer_id": stranger.pk},
        "transaction": {"included_ids": [foreign.pk]},
        "organization": {"organization_id": OrganizationFactory(account=other_account).pk},
    }[case]
    before = everything(customer.account), everything(other_account)

    with pytest.raises((NotFound, PreviewChanged)) as refused:
        generated(customer, **fields)

    assert "já foi faturada" not in str(refused.value)
    assert (everything(customer.account), everything(other_account)) == before


def test_the_organization_must_be_chosen_when_there_are_two(account, organization, customer):
    charge(customer)
    other = OrganizationFactory(account=account)

    with pytest.raises(InvalidInput, match="Informe a organização"):
        generated(customer)

    assert generated(customer, organization_id=other.pk).organization_id == other.pk


# --- repeats -----------------------------------------------------------------------------------


def test_pf_11_the_same_key_returns_the_first_invoice(organization, customer):
    charge(customer)
    request = july(customer, idempotency_key="formulario-1")
    first = run(request, customer)
    before = everything(customer.account)

    assert run(request, customer).pk == first.pk
    assert everything(customer.account) == before


def test_pf_11_the_same_request_without_key_returns_the_first_invoice(organization, customer):
    charge(customer)
    request = july(customer)
    first = run(request, customer)

    assert run(request, customer).pk == first.pk
    assert Invoice.objects.count() == 1


def test_pf_11_after_ten_minutes_the_same_request_is_a_new_one(organization, customer):
    charge(customer)
    request = july(customer)
    first = run(request, customer)
    Invoice.objects.update(created_at=first.created_at - timedelta(minutes=11))

    with pytest.raises(PreviewChanged):
        run(request, customer)

    assert Invoice.objects.count() == 1


def test_b03_5_two_tabs_with_keys_of_their_own_conflict(organization, customer):
    charge(customer)
    request = july(customer, idempotency_key="aba-1")
    run(request, customer)

    with pytest.raises(PreviewChanged):
        run(type(request)(**(request.__dict__ | {"idempotency_key": "aba-2"})), customer)

    assert Invoice.objects.count() == 1


def test_a_key_used_for_another_request_is_refused(organization, account, customer):
    rows = [charge(customer), charge(customer)]
    other = CompanyFactory(account=account)
    charge(other)
    generated(customer, included_ids=[rows[0].pk], idempotency_key="k")

    with pytest.raises(KeyReused):
        generated(customer, included_ids=[rows[1].pk], idempotency_key="k")
    with pytest.raises(KeyReused):
        generated(other, idempotency_key="k")

    assert Invoice.objects.count() == 1


def test_keys_of_different_accounts_do_not_meet(organization, customer, other_account):
    OrganizationFactory(account=other_account)
    stranger = CompanyFactory(account=other_account)
    charge(customer)
    charge(stranger)

    generated(customer, idempotency_key="k")
    generated(stranger, idempotency_key="k")

    assert Invoice.objects.count() == 2


def test_an_overlapping_period_asks_before_going_on(organization, customer):
    charge(customer)
    first = generated(customer)
    charge(customer)
    before = everything(customer.account)

    with pytest.raises(DuplicatePeriod) as asked:
        generated(customer)

    assert asked.value.codigo == "duplicate_period"
    assert asked.value.mensagem == (
        f"Já existe a fatura {first.label} para este período. Deseja continuar?"
    )
    assert everything(customer.account) == before
    assert generated(customer, confirm_duplicate=True).number == 2


# --- speed -------------------------------------------------------------------------------------


def many(customer, n):
    Transaction.objects.bulk_create(
        Transaction(
            account=customer.account,
            customer=customer,
            created_at=datetime(2026, 7, 1, 15, tzinfo=UTC) + timedelta(minutes=k),
            title=f"Chamada {k}",
            retail_cost=Decimal(k % 500) / 100,
            tax_percentage=Decimal(10),
            tax_amount=Decimal("0.10"),
        )
        for k in range(n)
    )


def test_two_thousand_transactions_are_previewed_in_300_ms(organization, customer):
    many(customer, 2000)

    took = []
    for _ in range(3):
        started = time.perf_counter()
        found = show(customer)
        took.append(time.perf_counter() - started)

    assert found.count == 2000
    assert min(took) < 0.3


def test_the_number_of_queries_does_not_grow_with_transactions(
    organization, customer, django_assert_max_num_queries
):
    many(customer, 2000)
    request = july(customer)

    with django_assert_max_num_queries(45):
        invoice = run(request, customer)

    assert invoice.lines.count() == 2000
    assert Transaction.objects.filter(invoice=invoice).count() == 2000
    check_sums(Invoice.objects.get(pk=invoice.pk))


cents = st.decimals(min_value=-50, max_value=500, places=2)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(cents, st.decimals(min_value=0, max_value=99, places=4), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_inv_1_and_inv_2_any_selection_adds_up_to_the_preview(organization, account, rows):
    assume(any(chosen for _, _, chosen in rows))
    customer = CompanyFactory(account=account)
    made = [
        add_transaction(
            TransactionData(
                title="Uso",
                retail_cost=cost,
                tax_percentage=percent,
                created_at=datetime(2026, 7, 9, tzinfo=UTC),
            ),
            customer_id=customer.pk,
            account=account,
            actor=SYSTEM,
        )
        for cost, percent, _ in rows
    ]
    shown = {row.id: row for row in show(customer).rows}
    ids = [row.pk for row, (_, _, chosen) in zip(made, rows, strict=True) if chosen]
    total = sum(shown[pk].retail_cost + shown[pk].tax_amount for pk in ids)
    assume(total >= 0)

    invoice = generated(customer, included_ids=ids)

    check_sums(Invoice.objects.get(pk=invoice.pk))
    assert invoice.gross_value == total
    assert {row.id for row in show(customer).rows} == set(shown) - set(ids)


# --- transactions ------------------------------------------------------------------------------


def add(customer, **fields):
    given = {"title": "Uso", "retail_cost": Decimal("10.00")}
    return add_transaction(
        TransactionData(**(given | fields)),
        customer_id=customer.pk,
        account=customer.account,
        actor=SYSTEM,
    )


def test_tax_1_the_tax_is_rounded_half_up_and_stored(customer):
    row = add(customer, retail_cost=Decimal("33.30"), tax_percentage=Decimal("7.5"))

    stored = Transaction.objects.get(pk=row.pk)
    assert (stored.tax_amount, stored.kind) == (Decimal("2.50"), "charge")


def test_tax_1_the_percentage_defaults_to_the_service(customer):
    item = ServiceItemFactory(account=customer.account, tax_percentage=Decimal("5"))

    assert add(customer, service_item_id=item.pk).tax_amount == Decimal("0.50")
    assert add(customer).tax_amount == 0


def test_a_negative_transaction_is_a_credit(customer):
    row = add(customer, retail_cost=Decimal("-10.05"), tax_percentage=Decimal(10))

    assert (row.kind, row.tax_amount) == ("credit", Decimal("-1.01"))


def test_an_edit_computes_the_tax_again_and_is_audited(customer):
    row = add(customer, tax_percentage=Decimal(10))

    edit_transaction(
        row.pk,
        TransactionData(title="Novo", retail_cost=Decimal("20.00"), tax_percentage=Decimal(10)),
        account=customer.account,
        actor=SYSTEM,
    )

    stored = Transaction.objects.get(pk=row.pk)
    assert (stored.title, stored.tax_amount) == ("Novo", 2)
    event = AuditEvent.objects.get(action="transacao.alterada")
    assert (event.before["retail_cost"], event.after["retail_cost"]) == ("10.00", "20.00")


@pytest.mark.parametrize(
    ("fields", "campo"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"retail_cost": Decimal("100000000000")}, "retail_cost"),
        ({"tax_percentage": Decimal("100.01")}, "tax_percentage"),
        ({"tax_percentage": Decimal("-1")}, "tax_percentage"),
    ],
)
def test_a_transaction_with_faults_is_not_written(customer, fields, campo):
    with pytest.raises(InvalidInput) as refused:
        add(customer, **fields)

    assert [e.campo for e in refused.value.erros] == [campo]
    assert Transaction.objects.count() == 0


def test_a_billed_transaction_is_neither_edited_nor_deleted(organization, customer):
    row = charge(customer)
    generated(customer)
    before = everything(customer.account)
    data = TransactionData(title="x", retail_cost=Decimal(1))

    with pytest.raises(AlreadyBilled, match="já foi faturada na fatura 00001"):
        edit_transaction(row.pk, data, account=customer.account, actor=SYSTEM)
    with pytest.raises(AlreadyBilled):
        delete_transaction(row.pk, account=customer.account, actor=SYSTEM)

    assert everything(customer.account) == before
    assert Transaction.objects.get(pk=row.pk).title == "Uso"


def test_inv_11_another_account_finds_no_transaction(customer, other_account):
    row = charge(customer)
    data = TransactionData(title="x", retail_cost=Decimal(1))
    scope = {"account": other_account, "actor": SYSTEM}

    with pytest.raises(NotFound):
        add_transaction(data, customer_id=customer.pk, **scope)
    with pytest.raises(NotFound):
        edit_transaction(row.pk, data, **scope)
    with pytest.raises(NotFound):
        delete_transaction(row.pk, **scope)

    assert list(Transaction.objects.values_list("title", flat=True)) == ["Uso"]


@pytest.mark.parametrize("stranger", ["service", "contract", "contract of another customer"])
def test_a_transaction_points_to_nothing_of_others(customer, other_account, stranger):
    fields = {
        "service": lambda: {"service_item_id": ServiceItemFactory(account=other_account).pk},
        "contract": lambda: {"contract_id": ContractFactory(account=other_account).pk},
        "contract of another customer": lambda: {
            "contract_id": ContractFactory(account=customer.account).pk
        },
    }[stranger]()

    with pytest.raises(NotFound):
        add(customer, **fields)

    assert Transaction.objects.count() == 0
