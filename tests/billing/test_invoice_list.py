"""The invoice list: what it shows, in which order, and the same by every road that leads there."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Sum
from factories import AccountFactory, CompanyFactory, ContractFactory, OrganizationFactory

from accounts.models import Account
from billing.models import Invoice, InvoiceTally, NumberSeries, Party, PartySnapshot
from billing.selectors import invoices as selector
from billing.selectors.invoices import (
    PAGE_SIZES,
    SORTS,
    InvoiceFilters,
    InvoicePage,
    invoice_page,
)
from lib.br import fold
from lib.errors import InvalidInput

pytestmark = pytest.mark.django_db

DAY = date(2026, 8, 10)
MOMENT = datetime(2026, 8, 10, 12, tzinfo=UTC)
STATUSES = (
    ("to_emit", "unpaid", False),
    ("to_receive", "unpaid", False),
    ("to_receive", "partially_paid", False),
    ("received", "paid", False),
    ("received", "refunded", False),
    ("received", "partially_refunded", False),
    ("cancelled", "unpaid", False),
    ("cancelled", "unpaid", True),
)
on_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="only PostgreSQL keeps tallies and walks indexes"
)


@pytest.fixture
def books(account: Account) -> Books:
    return Books(account)


class Books:
    """An account's invoices, written straight into the table."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.organization = OrganizationFactory(account=account)
        self.customer = CompanyFactory(account=account, name="Padaria Aurora")
        self.series = NumberSeries.objects.get(organization=self.organization)
        self.snapshot = PartySnapshot.objects.create(
            party=self.organization, digest="0", data={}, created_at=MOMENT
        )

    def build(self, **fields: Any) -> Invoice:
        customer: Party = fields.pop("customer", self.customer)
        title = fields.pop("title", "Mensalidade")
        state = fields.get("state", "to_emit")
        if state in ("to_receive", "received"):
            number = fields.pop("number", None) or self.series.take(1)
            fields |= {
                "series": self.series,
                "number": number,
                "emitted_at": MOMENT,
                "customer_snapshot": self.snapshot,
                "organization_snapshot": self.snapshot,
            }
        value = fields.pop("value", Decimal("100.00"))
        given = {
            "issue_date": DAY,
            "estimated_issue_date": DAY,
            "due_date": DAY + timedelta(days=10),
            "created_at": MOMENT,
        }
        return Invoice(
            account=self.account,
            organization=self.organization,
            customer=customer,
            title=title,
            fold=f"{fold(title)} {customer.fold}",
            total_amount=value,
            total_tax=0,
            gross_value=value,
            payment_value=value,
            **(given | fields),
        )

    def add(self, **fields: Any) -> Invoice:
        [invoice] = Invoice.objects.bulk_create([self.build(**fields)])
        return invoice

    def page(self, sort: str = "-created", **fields: Any) -> InvoicePage:
        options = {name: fields.pop(name) for name in ("page", "page_size") if name in fields}
        return invoice_page(self.account, filters=InvoiceFilters(**fields), sort=sort, **options)

    def ids(self, **fields: Any) -> list[int]:
        return [row.id for row in self.page(**fields).rows]


@pytest.fixture
def many(books: Books) -> list[Invoice]:
    """237 invoices with ties in every column, a few without due date."""
    rng = random.Random(1)
    made = []
    for _ in range(237):
        state, payment, void = rng.choice(STATUSES)
        made.append(
            books.build(
                state=state,
                payment_status=payment,
                void=void,
                title=rng.choice(["Mensalidade", "Anulado: Plano", "plano"]),
                value=Decimal(rng.choice([5990, 9990, 14990, rng.randrange(100, 99999)])) / 100,
                issue_date=DAY + timedelta(days=rng.randrange(4)),
                due_date=rng.choice([None, *[DAY + timedelta(days=n) for n in range(1, 9)]]),
                created_at=MOMENT + timedelta(hours=rng.randrange(3)),
            )
        )
    Invoice.objects.bulk_create(made)
    return list(Invoice.objects.order_by("id"))


@pytest.fixture(params=["few", "many"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of finding a page, whatever the number of rows."""
    if request.param == "many":
        if connection.vendor != "postgresql":
            pytest.skip("only PostgreSQL walks indexes")
        monkeypatch.setattr(selector, "FEW", -1)
    return str(request.param)


def expected_order(invoices: list[Invoice], sort: str) -> list[int]:
    column, descending = SORTS[sort.removeprefix("-")], sort.startswith("-")
    newest_first = sorted(invoices, key=lambda i: -i.pk)
    last = datetime.max if column == "created_at" else date.max

    def key(invoice: Invoice) -> Any:
        value = getattr(invoice, column)
        return (value is None, last if value is None else value)

    # Python's sort keeps ties as they were, backwards too.
    return [invoice.pk for invoice in sorted(newest_first, key=key, reverse=descending)]


def test_pages_follow_each_other_in_the_order_asked_with_ties_by_id_descending(
    books: Books, many: list[Invoice], road: str, subtests: pytest.Subtests
) -> None:
    for sort in [sign + name for name in SORTS for sign in ("", "-")]:
        with subtests.test(sort=sort):
            pages = [books.page(sort=sort, page=n, page_size=10) for n in range(1, 25)]

            shown = [row.id for page in pages for row in page.rows]
            assert shown == expected_order(many, sort)
            assert {page.total_pages for page in pages} == {24}


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({"void": "void"}, lambda i: i.void),
    ({"void": "not_void"}, lambda i: not i.void),
    (
        {"payment": "paid"},
        lambda i: i.payment_status in ("paid", "refunded", "partially_refunded"),
    ),
    (
        {"payment": "unpaid"},
        lambda i: i.payment_status in ("unpaid", "partially_paid") and i.state != "cancelled",
    ),
    ({"state": "cancelled"}, lambda i: i.state == "cancelled"),
    ({"state": "to_emit", "payment": "unpaid"}, lambda i: i.state == "to_emit"),
    ({"state": "to_emit", "payment": "paid"}, lambda i: False),
    (
        {"issued_from": DAY + timedelta(1), "issued_to": DAY + timedelta(2)},
        lambda i: DAY + timedelta(1) <= i.issue_date <= DAY + timedelta(2),
    ),
    ({"due_to": DAY + timedelta(4)}, lambda i: i.due_date and i.due_date <= DAY + timedelta(4)),
    (
        {"due_from": DAY + timedelta(4), "void": "not_void"},
        lambda i: i.due_date and i.due_date >= DAY + timedelta(4) and not i.void,
    ),
    (
        {"overdue_on": DAY + timedelta(5)},
        lambda i: (
            i.state == "to_receive" and i.due_date is not None and i.due_date < DAY + timedelta(5)
        ),
    ),
]


def test_filters_let_through_what_they_say_and_count_and_sum_it(
    books: Books, many: list[Invoice], road: str, subtests: pytest.Subtests
) -> None:
    for filters, passes in FILTERS:
        with subtests.test(filters=filters):
            _let_through(books, filters, [invoice for invoice in many if passes(invoice)])


def _let_through(books: Books, filters: dict[str, Any], passing: list[Invoice]) -> None:
    for sort in ("id", "title", "-title", "due", "-due", "status", "-status", "value"):
        first = books.page(sort=sort, page_size=10, **filters)
        last = books.page(sort=sort, page_size=10, page=first.total_pages, **filters)

        order = expected_order(passing, sort)
        assert [row.id for row in first.rows] == order[:10], sort
        assert [row.id for row in last.rows] == order[(first.total_pages - 1) * 10 :], sort
        assert first.count == len(passing)
        assert first.total_amount == sum((i.total_amount for i in passing), Decimal("0.00"))
        assert first.total_pages == max(1, -(-len(passing) // 10))
        assert (first.has_next, last.has_next) == (len(passing) > 10, False)


def test_a_row_has_the_columns_of_the_list(books: Books) -> None:
    invoice = books.add(
        state="to_receive",
        number=77,
        title="Plano",
        value=Decimal("1234.56"),
        start_date=DAY,
        end_date=DAY + timedelta(days=29),
    )

    [row] = books.page().rows

    assert row == selector.InvoiceRow(
        id=invoice.pk,
        label="00077",
        title="Plano",
        start_date=DAY,
        end_date=DAY + timedelta(days=29),
        due_date=DAY + timedelta(days=10),
        created_at=MOMENT,
        value=Decimal("1234.56"),
        status="unpaid",
        state="to_receive",
        approval_status="approved",
        customer_id=books.customer.pk,
        customer_name="Padaria Aurora",
    )


SHOWN = (
    "unpaid", "unpaid", "partially_paid", "paid", "refunded", "partially_refunded", "cancelled",
    "void",
)  # fmt: skip


@pytest.mark.parametrize(("status", "shown"), list(zip(STATUSES, SHOWN, strict=True)))
def test_the_status_tells_void_and_cancelled_from_payment(
    books: Books, status: tuple[str, str, bool], shown: str
) -> None:
    state, payment, void = status
    books.add(state=state, payment_status=payment, void=void)

    [row] = books.page().rows

    assert row.status == shown


def test_another_accounts_invoices_are_never_listed_counted_or_found(books: Books) -> None:
    ours = books.add(title="Nossa")
    foreign = Books(AccountFactory(slug="outra"))
    theirs = foreign.add(title="Nossa")

    assert books.ids() == [ours.pk]
    assert books.page().total_amount == Decimal("100.00")
    assert books.ids(search="nossa") == [ours.pk]
    assert books.ids(search=str(theirs.pk)) == []
    assert books.ids(customer_id=foreign.customer.pk) == []
    assert foreign.ids() == [theirs.pk]


def test_customer_and_contract_narrow_the_list(books: Books) -> None:
    other = CompanyFactory(account=books.account)
    contract = ContractFactory(account=books.account, organization=books.organization, party=other)
    books.add()
    theirs = books.add(customer=other, value=Decimal("7.05"))
    contracted = books.add(customer=other, contract=contract, value=Decimal("0.10"))

    page = books.page(customer_id=other.pk)
    fixed = invoice_page(books.account, filters=InvoiceFilters(), customer_id=other.pk)

    assert [row.id for row in page.rows] == [contracted.pk, theirs.pk]
    assert (page.count, page.total_amount) == (2, Decimal("7.15"))
    assert fixed == page
    assert books.ids(contract_id=contract.pk) == [contracted.pk]


@pytest.mark.parametrize("text", ["1002", "01002", " 1002 "])
def test_digits_find_the_invoice_of_that_number_before_any_text(books: Books, text: str) -> None:
    found = books.add(state="to_receive", number=1002)
    books.add(title="Referente a 1002")

    assert books.ids(search=text) == [found.pk]


def test_digits_find_ids_and_clients_numbers_and_otherwise_words(books: Books) -> None:
    by_id = books.add()
    by_client = books.add(client_number="777001")
    by_word = books.add(title="Referente a 777002")

    assert books.ids(search=f"{by_id.pk:07d}") == [by_id.pk]
    assert books.ids(search="777001") == [by_client.pk]
    assert books.ids(search="777002") == [by_word.pk]
    assert books.ids(search="9" * 30) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AURORA", True),
        ("auro", True),
        ("Ação", True),
        ("acao aurora", True),
        ("aurora padaria mensal", False),
        ("urora", False),
        ("de", True),
        ("d", False),
        ("ação%", False),
        ("'; drop", False),
        ("\\ \x00", False),
        ("(1/2)", True),
    ],
)
def test_every_word_must_begin_a_word_of_title_or_customer_without_case_or_accents(
    books: Books, road: str, text: str, found: bool
) -> None:
    invoice = books.add(title="Taxa de AÇÃO (1/2)")
    books.add(title="Outra", customer=CompanyFactory(account=books.account, name="Outro"))

    assert books.ids(search=text) == ([invoice.pk] if found else [])


def test_a_search_keeps_the_other_filters(books: Books, road: str) -> None:
    books.add(title="Mensalidade")
    void = books.add(title="Anulado: Mensalidade", state="cancelled", void=True)

    assert books.ids(search="mensal", void="void") == [void.pk]
    assert books.ids(search=str(void.pk), void="not_void") == []


def test_within_a_customer_the_search_leaves_the_name_out(books: Books) -> None:
    named = books.add(title="Plano Aurora")
    books.add(title="Mensalidade")

    page = invoice_page(
        books.account, filters=InvoiceFilters(search="aurora"), customer_id=books.customer.pk
    )

    assert [row.id for row in page.rows] == [named.pk]


def test_a_document_finds_its_customers_invoices(books: Books) -> None:
    company = CompanyFactory(account=books.account, document="11222333000181")
    theirs = books.add(customer=company)
    books.add()

    assert books.ids(search="11.222.333/0001-81") == [theirs.pk]


@on_postgres
def test_a_search_that_finds_very_many_lists_the_newest_in_the_order_asked(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (30, 10, 40, 20):
        books.add(value=Decimal(value))
    monkeypatch.setattr(selector, "FEW", -1)
    monkeypatch.setattr(selector, "SEARCH_LIMIT", 3)

    page = books.page(search="aurora", sort="value")

    assert [row.value for row in page.rows] == [Decimal(10), Decimal(20), Decimal(40)]
    assert (page.count, page.is_capped, page.total_amount) == (3, True, None)


def test_pages_and_sizes_out_of_range_are_brought_back(books: Books, road: str) -> None:
    newest = [books.add().pk for _ in range(12)][::-1]

    assert books.ids(page=99, page_size=10) == newest[10:]
    assert books.page(page=99, page_size=10).page == 2
    assert books.page(page=0).page == books.page(page=-5).page == 1
    sizes = {asked: books.page(page_size=asked).page_size for asked in (-1, 9, 10, 30, 99, 5000)}
    assert sizes == {-1: 10, 9: 10, 10: 10, 30: 25, 99: 50, 5000: 100}
    assert PAGE_SIZES == (10, 25, 50, 100)


def test_an_empty_list_is_one_empty_page(books: Books, road: str) -> None:
    page = books.page(page=3)

    assert page == InvoicePage([], 1, 25, 1, 0, Decimal("0.00"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sort": "color"}, "ordenacao"),
        ({"sort": "--id"}, "ordenacao"),
        ({"void": "maybe"}, "anulacao"),
        ({"payment": "late"}, "pagamento"),
        ({"state": "void"}, "situacao"),
    ],
)
def test_what_the_list_does_not_offer_is_refused(
    books: Books, fields: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        books.page(**fields)

    [fault] = refusal.value.erros
    assert fault.campo == field
    assert "Use: " in fault.mensagem


def test_the_number_of_queries_does_not_grow_with_the_rows(
    books: Books, many: list[Invoice], road: str, django_assert_max_num_queries: Any
) -> None:
    for sort in SORTS:
        with django_assert_max_num_queries(4):
            books.page(sort=sort, page=3, page_size=10)
        with django_assert_max_num_queries(6):
            books.page(sort=sort, search="mensal", page_size=10)


def tallies() -> dict[tuple[Any, ...], tuple[int, Decimal]]:
    rows = InvoiceTally.objects.values_list("issue_date", "due_date", "status_code")
    sums = rows.annotate(Sum("count"), Sum("amount"))
    return {tuple(key): (n, amount) for *key, n, amount in sums if n or amount}


def counted() -> dict[tuple[Any, ...], tuple[int, Decimal]]:
    rows = Invoice.objects.values_list("issue_date", "due_date", "status_code")
    sums = rows.annotate(Count("id"), Sum("total_amount"))
    return {tuple(key): (n, amount) for *key, n, amount in sums}


@on_postgres
def test_tallies_follow_every_change_of_the_invoices(books: Books, many: list[Invoice]) -> None:
    assert tallies() == counted()

    Invoice.objects.filter(state="to_emit").update(due_date=DAY, total_amount=Decimal("3.33"))
    assert tallies() == counted()

    before = InvoiceTally.objects.count()
    Invoice.objects.update(notes="nada que se conte")
    assert InvoiceTally.objects.count() == before

    Invoice.objects.filter(state="cancelled").delete()
    assert tallies() == counted()

    Invoice.objects.all().delete()
    assert tallies() == {}
