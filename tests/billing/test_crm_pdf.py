"""GET /crm/invoice/{id}/pdf (PDF-7)."""

from __future__ import annotations

import hashlib

import pytest
from django.test import Client
from factories import CompanyFactory, OrganizationFactory
from support.invoices import new_invoice
from support.pdfs import PLAIN, text_of, use_template

from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token, revoke_token
from billing.models import Invoice, PdfCache

WRONG = "0" * 32


def header(token):
    return {"Authorization": f"Token token={token}"}


@pytest.fixture
def token(account):
    return create_token(account, name="CRM", scope="billing")[1]


@pytest.fixture
def api(token):
    return Client(headers=header(token))


@pytest.fixture
def invoice(account):
    return _invoice(account)


def _invoice(account):
    organization = OrganizationFactory(account=account)
    use_template(organization, PLAIN)
    return new_invoice(organization, CompanyFactory(account=account))


def url(pk):
    return f"/crm/invoice/{pk}/pdf"


@pytest.mark.django_db
def test_the_pdf_is_shown_with_its_name_and_hash(api, invoice):
    answer = api.get(url(invoice.pk))

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'inline; filename="Invoice_{invoice.pk:05d}.pdf"'
    assert answer["Content-Length"] == str(len(answer.content))
    assert answer["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert answer["Cache-Control"] == "private, max-age=0, must-revalidate"
    assert text_of(answer.content).startswith(f"{invoice.pk:05d} Mensalidade")


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["application/pdf", "text/html", "image/png", "*/*", "nada"])
def test_whatever_the_client_accepts_it_gets_the_pdf(api, invoice, accept):
    answer = api.get(url(invoice.pk) + "?format=xml", headers={"Accept": accept})

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    "condition", ["{etag}", "W/{etag}", '"outro", {etag}', 'W/"outro" ,W/{etag}', "*"]
)
def test_a_client_that_has_these_bytes_is_told_so(api, invoice, method, condition):
    first = api.get(url(invoice.pk))
    given = condition.format(etag=first["ETag"])

    answer = getattr(api, method)(url(invoice.pk), headers={"If-None-Match": given})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == first["ETag"]
    assert answer["Cache-Control"] == first["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("condition", ['"outro"', "", "sem aspas", 'W/""'])
def test_a_client_with_other_bytes_gets_the_new_ones(api, invoice, condition):
    answer = api.get(url(invoice.pk), headers={"If-None-Match": condition})

    assert answer.status_code == 200


@pytest.mark.django_db
def test_after_a_change_the_old_tag_no_longer_counts(api, invoice):
    etag = api.get(url(invoice.pk))["ETag"]
    Invoice.objects.filter(pk=invoice.pk).update(title="Outra")

    answer = api.get(url(invoice.pk), headers={"If-None-Match": etag})

    assert answer.status_code == 200
    assert answer["ETag"] != etag


@pytest.mark.django_db
def test_head_answers_the_headers_alone(api, invoice):
    full = api.get(url(invoice.pk))

    answer = api.head(url(invoice.pk))

    assert (answer.status_code, answer.content) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Content-Disposition", "ETag", "Cache-Control"):
        assert answer[name] == full[name]


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers",
    [
        {},
        header(WRONG),
        header("curto"),
        {"Authorization": "Basic YTpi"},
        {"Authorization": f"Bearer {WRONG}"},
    ],
)
@pytest.mark.parametrize("pk", ["{pk}", "999999", "abc"])
def test_without_a_good_token_it_is_401_without_a_body(invoice, headers, pk):
    answer = Client(headers=headers).get(url(pk.format(pk=invoice.pk)))

    assert (answer.status_code, answer.content) == (401, b"")
    assert not PdfCache.objects.exists()


@pytest.mark.django_db
def test_a_revoked_token_and_one_of_another_scope_are_401(account, invoice):
    revoked, raw = create_token(account, name="antigo", scope="billing")
    revoke_token(revoked.pk, account=account, actor=SYSTEM)
    _, master = create_token(account, name="mestre", scope="master")

    for token in (raw, master):
        answer = Client(headers=header(token)).get(url(invoice.pk))
        assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.django_db
def test_another_tenants_invoice_is_404_like_one_that_does_not_exist(api, other_account):
    theirs = _invoice(other_account)

    for pk in (theirs.pk, theirs.pk + 1000):
        answer = api.get(url(pk))
        assert (answer.status_code, answer.content) == (404, b"")
    assert not PdfCache.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "pk",
    ["0", "-1", "abc", "1.0", "1e3", "%31%20", "+1", "٣", "9" * 19, "9" * 400, "null", "1%00"],
)
def test_what_is_no_id_is_404_without_a_body(api, invoice, pk):
    answer = api.get(url(pk))

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.django_db
def test_there_is_no_address_with_a_slash_at_the_end_and_no_redirect(api, invoice):
    assert api.get(url(invoice.pk) + "/").status_code == 404


@pytest.mark.django_db
def test_only_reading_is_possible(api, invoice):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(api, method)(url(invoice.pk)).status_code == 405


@pytest.mark.django_db
def test_a_failing_template_is_422_with_its_cause(api, invoice):
    use_template(invoice.organization, "{{ 1 / 0 }}")

    answer = api.get(url(invoice.pk), headers={"Accept": "application/pdf"})

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == {"errors": "Não foi possível gerar o PDF: divisão por zero."}
    assert not PdfCache.objects.exists()
