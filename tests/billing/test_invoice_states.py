"""Creation of invoices and their states (billing-engine §1.1 and §3.1)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import (
    CompanyFactory,
    ContractFactory,
    OrganizationFactory,
    ServiceItemFactory,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.invoices import (
    TODAY,
    actions,
    check_sums,
    draft,
    emitted_invoice,
    events,
    everything,
    line,
    new_invoice,
)

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.errors import (
    CannotApprove,
    CannotBlock,
    CannotCancel,
    CannotEmit,
    CannotUndoCancellation,
    CannotUndoEmission,
    NegativeTotal,
)
from billing.models import FollowUp, Invoice, NumberSeries, Receivable
from billing.selectors.invariants import violations
from billing.services import invoices as service
from billing.services.receivables import receive
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


State = Invoice.State
SERVICES = {
    "emit": (service.emit_invoice, CannotEmit, "O faturamento não pode ser faturado."),
    "undo_emission": (
        service.undo_emission,
        CannotUndoEmission,
        "A emissão do faturamento não pode ser desfeita.",
    ),
    "cancel": (service.cancel_invoice, CannotCancel, "O faturamento não pode ser cancelado."),
    "undo_cancellation": (
        service.undo_cancellation,
        CannotUndoCancellation,
        "O cancelamento do faturamento não pode ser desfeito.",
    ),
    "block": (service.block_invoice, CannotBlock, "O faturamento não pode ser bloqueado."),
    "approve": (service.approve_invoice, CannotApprove, "O faturamento não pode ser aprovado."),
}
ALLOWED = {
    "approved": {"emit", "cancel", "block"},
    "blocked": {"cancel", "approve"},
    "to_receive": {"undo_emission", "cancel"},
    "received": set(),
    "cancelled": {"undo_cancellation"},
    "void": set(),
}


def act(name, invoice):
    return SERVICES[name][0](invoice.pk, account=invoice.account, actor=SYSTEM)


def invoice_in(situation, organization, customer):
    invoice = new_invoice(organization, customer)
    if situation == "blocked":
        act("block", invoice)
    if situation in ("to_receive", "received"):
        act("emit", invoice)
    if situation == "received":
        receive(invoice.receivables.get().pk, account=invoice.account, actor=SYSTEM)
    if situation == "cancelled":
        act("cancel", invoice)
    if situation == "void":
        service.void_invoice(invoice.pk, account=invoice.account, actor=SYSTEM, reason="Erro")
    return Invoice.objects.get(pk=invoice.pk)


# --- creation ----------------------------------------------------------------------------------


def test_line_1_an_invoice_is_worth_its_lines_and_a_given_gross_value_is_ignored(
    organization, customer
):
    lines = [line("5.75", "2.5"), line("49.90")]

    invoice = new_invoice(organization, customer, lines=lines, gross_value=Decimal("700.00"))

    assert [row.value for row in invoice.lines.order_by("position")] == [
        Decimal("14.38"),
        Decimal("49.90"),
    ]
    assert invoice.gross_value == Decimal("64.28")
    check_sums(Invoice.objects.get(pk=invoice.pk))


def test_m_4_without_lines_one_line_stands_for_the_gross_value(organization, customer):
    invoice = new_invoice(
        organization,
        customer,
        lines=(),
        gross_value=Decimal("250.00"),
        options={"description": "Consultoria"},
    )

    [row] = invoice.lines.all()
    assert (row.title, row.description, row.service_item_id) == ("Mensalidade", "Consultoria", None)
    assert (row.units, row.unit_value, row.value) == (1, Decimal("250.00"), Decimal("250.00"))
    assert invoice.description == "Consultoria"


def test_split_1_equal_receivables_put_the_odd_cents_on_the_last(organization, customer):
    dates = [date(2026, 8 + k, 20) for k in range(3)]

    invoice = new_invoice(organization, customer, due_dates=dates)

    rows = invoice.receivables.order_by("position").values_list("due_date", "value", "gross_value")
    assert list(rows) == [
        (dates[0], Decimal("33.3333"), Decimal("33.33")),
        (dates[1], Decimal("33.3333"), Decimal("33.33")),
        (dates[2], Decimal("33.3333"), Decimal("33.34")),
    ]


def test_split_2_percentages_follow_the_order_of_due_dates(organization, customer):
    dates = [date(2026, 9, 20), date(2026, 8, 20)]

    invoice = new_invoice(
        organization,
        customer,
        lines=[line("99.99")],
        due_dates=dates,
        percents=[Decimal(70), Decimal(30)],
    )

    rows = invoice.receivables.order_by("position").values_list("due_date", "value", "gross_value")
    assert list(rows) == [
        (dates[1], Decimal(30), Decimal("30.00")),
        (dates[0], Decimal(70), Decimal("69.99")),
    ]
    assert invoice.due_date == dates[1]


def test_m_6_receivables_split_the_net_value_apart_from_the_gross(organization, customer):
    invoice = new_invoice(
        organization,
        customer,
        payment_value=Decimal("93.85"),
        due_dates=[date(2026, 8, 20), date(2026, 9, 20)],
    )

    rows = invoice.receivables.order_by("position").values_list(
        "gross_value", "payment_value", "open_principal"
    )
    assert list(rows) == [
        (Decimal("50.00"), Decimal("46.92"), Decimal("46.92")),
        (Decimal("50.00"), Decimal("46.93"), Decimal("46.93")),
    ]
    check_sums(Invoice.objects.get(pk=invoice.pk))


def test_a_new_invoice_is_audited_searchable_and_not_announced(organization, account):
    customer = CompanyFactory(account=account, name="Padaria Açúcar", fold="padaria acucar")

    invoice = new_invoice(organization, customer, title="Manutenção")

    assert invoice.fold == "manutencao padaria acucar"
    assert (invoice.state, invoice.number) == (State.TO_EMIT, None)
    assert events(invoice) == []
    event = AuditEvent.objects.get(action="fatura.criada")
    assert event.after == {"title": "Manutenção", "total": "100.00", "due_date": "2026-08-20"}


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"due_dates": []}, InvalidInput, "não pode ficar em branco"),
        ({"lines": ()}, InvalidInput, "deve ser numérico"),
        ({"lines": [line("-0.01")]}, NegativeTotal, NegativeTotal.mensagem),
        ({"payment_value": Decimal("-1")}, NegativeTotal, NegativeTotal.mensagem),
        ({"percents": [Decimal("99.98")]}, InvalidInput, "Os vencimentos não totalizam 100%."),
        (
            {"lines": [line("0.01")], "due_dates": [TODAY, TODAY]},
            InvalidInput,
            "Valor das parcelas não pode ser menor do que R$ 0,01",
        ),
        ({"lines": [line("99999999999")] * 101}, InvalidInput, "valor alto demais"),
        ({"lines": [line("100000000000")]}, InvalidInput, "valor alto demais"),
        ({"lines": [line()] * 10_001}, InvalidInput, "máximo de 10000 linhas por fatura"),
    ],
)
def test_a_draft_that_cannot_be_an_invoice_writes_nothing(
    organization, customer, fields, error, message
):
    before = everything(customer.account)

    with pytest.raises(error) as refused:
        new_invoice(organization, customer, **fields)

    assert refused.value.mensagem == message
    assert everything(customer.account) == before


def test_split_3_the_organizations_minimum_is_kept(account, customer):
    organization = OrganizationFactory(account=account, profile__minimum_receivable=Decimal("5.00"))

    with pytest.raises(InvalidInput, match=r"menor do que R\$ 5,00"):
        new_invoice(organization, customer, lines=[line("14.00")], due_dates=[TODAY] * 3)

    assert Invoice.objects.count() == 0


@pytest.mark.parametrize("stranger", ["organization", "customer", "contract", "service"])
def test_inv_11_nothing_of_another_account_enters_an_invoice(
    organization, customer, other_account, stranger
):
    fields = {}
    if stranger == "organization":
        fields["organization_id"] = OrganizationFactory(account=other_account).pk
    if stranger == "customer":
        fields["customer_id"] = CompanyFactory(account=other_account).pk
    if stranger == "contract":
        fields["contract_id"] = ContractFactory(account=other_account).pk
    if stranger == "service":
        fields["lines"] = [line(service_item_id=ServiceItemFactory(account=other_account).pk)]
    wanted = draft(organization, customer)
    wanted = type(wanted)(**(wanted.__dict__ | fields))

    with pytest.raises(NotFound):
        service.create_invoice(wanted, account=customer.account, actor=SYSTEM)

    assert Invoice.objects.count() == 0


def test_a_customer_cannot_issue(account, customer):
    with pytest.raises(NotFound):
        new_invoice(customer, customer)


def test_the_number_of_queries_does_not_grow_with_lines(
    organization, customer, django_assert_max_num_queries
):
    with django_assert_max_num_queries(12):
        new_invoice(organization, customer, lines=[line()] * 500)


amounts = st.decimals(min_value=0, max_value=50_000, places=4)
units = st.decimals(min_value=0, max_value=99, places=4)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(st.tuples(amounts, units, amounts), min_size=1, max_size=6),
    parcels=st.integers(1, 12),
    withheld=st.decimals(min_value=0, max_value=1, places=3),
    weights=st.one_of(st.none(), st.lists(st.integers(1, 9), min_size=12, max_size=12)),
)
def test_inv_2_and_inv_3_hold_whatever_the_amounts(
    organization, customer, lines, parcels, withheld, weights
):
    rows = [
        line(str(price), str(n), tax_amount=tax.quantize(Decimal("0.01")))
        for price, n, tax in lines
    ]
    gross = sum(row.value + row.tax_amount for row in rows)
    net = (gross * (1 - withheld)).quantize(Decimal("0.01"))
    assume(all(total == 0 or total >= parcels for total in (gross, net)))
    percents = _percents(weights[:parcels]) if weights else None

    invoice = new_invoice(
        organization,
        customer,
        lines=rows,
        payment_value=net,
        due_dates=[TODAY] * parcels,
        percents=percents,
    )

    stored = Invoice.objects.get(pk=invoice.pk)
    check_sums(stored)
    assert (stored.gross_value, stored.payment_value) == (gross, net)


def _percents(weights):
    """Percentages of 4 decimals that add up to 100."""
    total = sum(weights)
    shares = [(Decimal(100 * w) / total).quantize(Decimal("0.0001")) for w in weights[:-1]]
    return [*shares, 100 - sum(shares)]


# --- emission ----------------------------------------------------------------------------------


def test_emission_numbers_freezes_collects_and_tells(organization, customer):
    contract = ContractFactory(
        account=customer.account, organization=organization, party=customer, name="C1"
    )
    invoice = new_invoice(organization, customer, contract_id=contract.pk)

    emitted = act("emit", invoice)

    stored = Invoice.objects.get(pk=invoice.pk)
    assert emitted == stored
    assert (stored.state, stored.number, stored.label) == (State.TO_RECEIVE, 1, "00001")
    assert stored.customer_snapshot.data["name"] == customer.name
    assert stored.organization_snapshot.data["company_name"] == organization.company_name
    assert stored.emitted_at is not None
    assert stored.receivables.get().state == Receivable.State.TO_RECEIVE
    assert stored.follow_ups.get().state == FollowUp.State.WAITING
    assert NumberSeries.objects.get(organization=organization).next_number == 2
    assert actions(stored) == ["fatura.criada", "fatura.emitida"]
    # WH-1: values are text.
    assert WebhookEvent.objects.get().payload == {
        "event": "emit",
        "object_type": "Invoice",
        "object_id": stored.pk,
        "contract_token": contract.token,
        "contract_id": contract.pk,
    }


def test_wh_1_without_contract_its_values_are_null(organization, customer):
    emitted_invoice(organization, customer)

    payload = WebhookEvent.objects.get().payload
    assert payload["contract_token"] is None
    assert payload["contract_id"] is None


def test_decisions_3_emission_by_hand_moves_no_date(organization, customer):
    past = date(2026, 1, 10)
    invoice = new_invoice(organization, customer, issue_date=past, due_dates=[past])

    emitted = service.emit_invoice(invoice.pk, account=customer.account, actor=SYSTEM, today=TODAY)

    receivable = emitted.receivables.get()
    assert (emitted.issue_date, emitted.due_date) == (past, past)
    assert (receivable.due_date, receivable.original_due_date) == (past, past)


def test_numbers_follow_each_other_in_each_organization(account, organization, customer):
    other = OrganizationFactory(account=account)

    numbers = [emitted_invoice(o, customer).number for o in (organization, organization, other)]

    assert numbers == [1, 2, 1]


def test_the_first_emission_of_an_organization_without_series_creates_one(organization, customer):
    NumberSeries.objects.all().delete()

    invoice = emitted_invoice(organization, customer)

    assert (invoice.series.code, invoice.number) == ("1", 1)


def test_inv_8_a_refused_emission_gives_its_number_back(organization, customer, monkeypatch):
    invoice = new_invoice(organization, customer)
    before = everything(customer.account)

    def fail(*_, **__):
        raise RuntimeError

    # Patched because nothing after the numbering fails by itself.
    monkeypatch.setattr(service, "announce", fail)
    with pytest.raises(RuntimeError):
        act("emit", invoice)
    monkeypatch.undo()

    assert everything(customer.account) == before
    assert act("emit", invoice).number == 1


def test_the_snapshot_stays_when_the_customer_moves(organization, customer):
    invoice = emitted_invoice(organization, customer)

    customer.city = "Recife"
    customer.save()

    assert Invoice.objects.get(pk=invoice.pk).customer_snapshot.data["city"] == "São Paulo"


def test_pf_10_nothing_to_receive_is_received_at_once(organization, customer):
    invoice = emitted_invoice(organization, customer, lines=[line("0.00")])

    receivable = invoice.receivables.get()
    assert (invoice.state, invoice.payment_status) == (State.RECEIVED, "paid")
    assert (receivable.state, receivable.received_value) == (Receivable.State.RECEIVED, 0)
    assert receivable.received_at == TODAY
    assert events(invoice) == ["emit", "confirm_receival"]


def test_an_invoice_emitted_again_keeps_its_number_and_freezes_anew(organization, customer):
    invoice = emitted_invoice(organization, customer)
    undone = act("undo_emission", invoice)
    emitted_invoice(organization, customer)
    customer.city = "Recife"
    customer.save()

    again = act("emit", invoice)

    assert (undone.state, undone.number, undone.customer_snapshot) == (State.TO_EMIT, 1, None)
    assert (again.number, again.customer_snapshot.data["city"]) == (1, "Recife")
    assert NumberSeries.objects.get(organization=organization).next_number == 3
    assert events(invoice) == ["emit", "undo_emission", "emit"]


def test_undoing_the_emission_takes_back_receivables_and_the_pdf(organization, customer):
    invoice = emitted_invoice(organization, customer)

    act("undo_emission", invoice)

    assert invoice.receivables.get().state == Receivable.State.TO_EMIT
    assert not invoice.follow_ups.exists()
    assert actions(invoice)[-1] == "fatura.emissao_desfeita"


def test_emission_stands_while_a_fiscal_document_does(organization, customer):
    invoice = emitted_invoice(organization, customer, nfe={"nfe_issued": True})
    before = everything(customer.account)

    with pytest.raises(CannotUndoEmission):
        act("undo_emission", invoice)

    assert everything(customer.account) == before


# --- cancellation and approval -----------------------------------------------------------------


@pytest.mark.parametrize("situation", ["approved", "to_receive"])
def test_cancelling_stops_collection_and_undoing_it_resumes(organization, customer, situation):
    invoice = invoice_in(situation, organization, customer)
    follow_ups = invoice.follow_ups.count()

    cancelled = act("cancel", invoice)
    assert cancelled.state == State.CANCELLED
    assert cancelled.cancelled_at is not None
    assert invoice.receivables.get().state == Receivable.State.CANCELLED
    assert not invoice.follow_ups.exists()

    restored = act("undo_cancellation", invoice)
    assert restored.state == invoice.state
    assert restored.receivables.get().state == invoice.state
    assert (restored.number, restored.cancelled_at) == (invoice.number, None)
    assert invoice.follow_ups.count() == follow_ups
    assert events(invoice)[-2:] == ["cancel", "undo_cancellation"]
    assert actions(invoice)[-2:] == ["fatura.cancelada", "fatura.cancelamento_desfeito"]


def test_inv_8_a_cancelled_invoice_keeps_its_number(organization, customer):
    invoice = emitted_invoice(organization, customer)

    act("cancel", invoice)

    assert Invoice.objects.get(pk=invoice.pk).number == 1
    assert emitted_invoice(organization, customer).number == 2


def test_cancelling_by_the_engine_says_so_until_undone(organization, customer):
    invoice = new_invoice(organization, customer)

    cancelled = service.cancel_invoice(
        invoice.pk, account=customer.account, actor=SYSTEM, automatically=True
    )
    restored = act("undo_cancellation", invoice)

    assert (cancelled.cancelled_automatically, restored.cancelled_automatically) == (True, False)


def test_a_partly_received_invoice_is_neither_cancelled_nor_taken_back(organization, customer):
    invoice = emitted_invoice(organization, customer, due_dates=[TODAY, TODAY])
    receive(invoice.receivables.first().pk, account=customer.account, actor=SYSTEM)
    before = everything(customer.account)

    with pytest.raises(CannotCancel):
        act("cancel", invoice)
    with pytest.raises(CannotUndoEmission):
        act("undo_emission", invoice)

    assert everything(customer.account) == before


def test_blocking_and_approving_tell_integrators(organization, customer):
    invoice = new_invoice(organization, customer)

    blocked = act("block", invoice)
    approved = act("approve", invoice)

    assert (blocked.approval_status, approved.approval_status) == ("blocked", "approved")
    assert events(invoice) == ["update", "update"]
    assert actions(invoice)[-2:] == ["fatura.bloqueada", "fatura.aprovada"]


@pytest.mark.parametrize(
    ("issue", "moved"), [(date(2026, 8, 1), TODAY), (date(2026, 9, 1), date(2026, 9, 1))]
)
def test_approving_moves_a_past_issue_date_and_no_due_date(organization, customer, issue, moved):
    invoice = new_invoice(organization, customer, issue_date=issue, due_dates=[issue])
    act("block", invoice)

    approved = service.approve_invoice(
        invoice.pk, account=customer.account, actor=SYSTEM, today=TODAY
    )

    assert (approved.issue_date, approved.estimated_issue_date) == (moved, issue)
    assert approved.due_date == issue


# --- every state, every action -----------------------------------------------------------------


@pytest.mark.parametrize("situation", ALLOWED)
@pytest.mark.parametrize("action", SERVICES)
def test_each_action_is_allowed_exactly_where_the_table_says(
    organization, customer, situation, action
):
    invoice = invoice_in(situation, organization, customer)
    if action in ALLOWED[situation]:
        act(action, invoice)
        return
    before = everything(customer.account)

    with pytest.raises(SERVICES[action][1]) as refused:
        act(action, invoice)

    assert (refused.value.mensagem, refused.value.http_status) == (SERVICES[action][2], 422)
    assert refused.value.codigo == "situacao_invalida"
    assert everything(customer.account) == before


@pytest.mark.parametrize("action", SERVICES)
def test_inv_11_another_account_does_not_find_the_invoice(
    organization, customer, other_account, action
):
    invoice = new_invoice(organization, customer)
    before = everything(customer.account)

    with pytest.raises(NotFound):
        SERVICES[action][0](invoice.pk, account=other_account, actor=SYSTEM)

    assert everything(customer.account) == before
