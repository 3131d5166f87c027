"""One row of every model that has a screen, all in one account."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import models
from factories import (
    CompanyFactory,
    ContractFactory,
    MembershipFactory,
    OrganizationFactory,
    RuleFactory,
    TransactionFactory,
    UserFactory,
)
from support.boleto_rows import boleto_rows
from support.cnab_rows import cnab_rows
from support.dispute_rows import dispute_rows
from support.dunning_rows import dunning_rows
from support.email_rows import email_rows
from support.fiscal_rows import fiscal_rows
from support.invoices import emitted_invoice
from support.payment_rows import payment_rows
from support.provider_rows import provider_rows
from support.self_care_rows import self_care_rows

from accounts.models import (
    Account,
    ApiToken,
    AuditEvent,
    Heartbeat,
    IdempotencyRecord,
    Job,
    JobError,
    Membership,
    TaskCall,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from accounts.services.tokens import create_token
from billing.models import (
    Asset,
    Attachment,
    BillingRun,
    ChargeTemplate,
    Contact,
    Contract,
    CustomerAccess,
    DocumentTemplate,
    DocumentTemplateVersion,
    EmailTemplate,
    FinancialAccount,
    FollowUp,
    Invoice,
    InvoiceLine,
    InvoiceNote,
    InvoiceRule,
    InvoiceTally,
    InvoiceTemplate,
    InvoiceWithholding,
    Nfse,
    NfseServiceItem,
    NfseTemplate,
    NumberSeries,
    OrganizationProfile,
    Party,
    PartySnapshot,
    PdfCache,
    Plan,
    PlanProduct,
    PriceIndexValue,
    Readjustment,
    Receivable,
    RuleService,
    RunEntry,
    ScheduledUpdate,
    ServiceItem,
    TemplateService,
    Transaction,
)
from billing.services.templates import publish_version
from lib import clock

Rows = dict[type[models.Model], Any]
_numbers = count(1)


def one_of_each(account: Account) -> Rows:
    """Every name holds the account's slug in capitals, to be looked for in pages."""
    mark, n = account.slug.upper(), next(_numbers)
    organization = OrganizationFactory(account=account, name=f"{mark} organização {n}")
    customer = CompanyFactory(account=account, name=f"{mark} cliente {n}")
    contract = ContractFactory(
        account=account, organization=organization, party=customer, name=f"{mark} contrato {n}"
    )
    rule = RuleFactory(contract=contract, title=f"{mark} regra {n}", services=[("1", "100.00")])
    service = rule.services.get()
    service.description = f"{mark} serviço {n}"
    service.save()
    item = service.service_item
    item.name = f"{mark} item {n}"
    item.save()
    invoice = emitted_invoice(organization, customer, title=f"{mark} fatura {n}")
    rows = {
        Account: account,
        Party: customer,
        OrganizationProfile: organization.profile,
        NumberSeries: organization.series.get(),
        Contract: contract,
        InvoiceRule: rule,
        RuleService: service,
        ServiceItem: item,
        Invoice: invoice,
        InvoiceLine: invoice.lines.get(),
        Receivable: invoice.receivables.get(),
        FollowUp: invoice.follow_ups.get(),
        PartySnapshot: invoice.customer_snapshot,
        Transaction: TransactionFactory(customer=customer, title=f"{mark} transação {n}"),
        WebhookEvent: WebhookEvent.objects.of(account).latest("pk"),
        AuditEvent: AuditEvent.objects.of(account).latest("pk"),
    }
    makers = (
        _agreements, _work, _resources, _notices, boleto_rows, cnab_rows, dispute_rows,
        dunning_rows, email_rows, payment_rows, provider_rows, self_care_rows,
    )  # fmt: skip
    rows |= _people(account, customer, mark)
    for more in makers:
        rows |= more(rows, mark)
    return rows | fiscal_rows(account, mark, n)


def _notices(rows: Rows, mark: str) -> Rows:
    account, event, now = rows[Account], rows[WebhookEvent], clock.now()
    endpoint = WebhookEndpoint.objects.create(
        account=account, url="https://exemplo.com.br/", description=f"{mark} webhook", secret="s"
    )
    delivery = WebhookDelivery.objects.create(
        account=account,
        event=event,
        endpoint=endpoint,
        object_type=event.object_type,
        object_id=event.object_id,
        tries=1,
        n_attempts=1,
        next_attempt_at=now,
        last_error=f"{mark} erro",
        created_at=now,
    )
    attempt = WebhookAttempt.objects.create(
        delivery=delivery,
        number=1,
        stage=WebhookAttempt.Stage.SEND,
        at=now,
        duration_ms=1,
        error=f"{mark} erro",
        url=endpoint.url,
        request_body="{}",
    )
    return {WebhookEndpoint: endpoint, WebhookDelivery: delivery, WebhookAttempt: attempt}


def _people(account: Account, customer: Party, mark: str) -> Rows:
    user = UserFactory(name=f"{mark} pessoa")
    token, _ = create_token(account, name=f"{mark} token", scope="billing")
    return {
        User: user,
        Membership: MembershipFactory(user=user, account=account, role="suporte"),
        CustomerAccess: CustomerAccess.objects.create(
            account=account,
            user=UserFactory(name=f"{mark} cliente"),
            customer=customer,
            role="titular",
        ),
        Contact: Contact.objects.create(account=account, party=customer, name=f"{mark} contato"),
        ApiToken: token,
    }


def _agreements(rows: Rows, mark: str) -> Rows:
    account, organization = rows[Account], rows[OrganizationProfile].party
    rule, item = rows[InvoiceRule], rows[ServiceItem]
    plan = Plan.objects.create(account=account, organization=organization, name=f"{mark} plano")
    preset = InvoiceTemplate.objects.create(
        account=account, organization=organization, name=f"{mark} modelo"
    )
    amounts = {"units": Decimal(1), "unit_value": Decimal("100.00"), "value": Decimal("100.00")}
    clause = ScheduledUpdate.objects.create(
        rule=rule, price_index="ipca", execution_date=date(2027, 1, 1)
    )
    return {
        Plan: plan,
        PlanProduct: PlanProduct.objects.create(plan=plan, service_item=item, **amounts),
        InvoiceTemplate: preset,
        TemplateService: TemplateService.objects.create(
            template=preset, position=1, service_item=item, **amounts
        ),
        ScheduledUpdate: clause,
        Readjustment: Readjustment.objects.create(
            account=account,
            scheduled_update=clause,
            rule=rule,
            execution_date=date(2026, 1, 1),
            outcome="executed",
            price_index="ipca",
            months={"2025-01": "0.16"},
            factor="1.0016",
            values=[],
            executed_at=clock.now(),
        ),
    }


def _resources(rows: Rows, mark: str) -> Rows:
    account, invoice = rows[Account], rows[Invoice]
    owned = {"account": account, "organization": invoice.organization}
    bank = FinancialAccount.objects.create(
        **owned, bank_code="341", bank_branch="4321", bank_account=str(next(_numbers))
    )
    note = Nfse.objects.create(
        **owned,
        invoice=invoice,
        customer=invoice.customer,
        customer_type="Company",
        customer_name=f"{mark} cliente",
        nfse_number="1",
        generated_at=clock.now(),
    )
    return {
        EmailTemplate: EmailTemplate.objects.create(
            **owned, name=f"{mark} e-mail", subject="Fatura", body="Prezado cliente"
        ),
        FinancialAccount: bank,
        ChargeTemplate: ChargeTemplate.objects.create(
            **owned, name=f"{mark} boleto", financial_account=bank
        ),
        NfseTemplate: NfseTemplate.objects.create(**owned, name=f"{mark} nota"),
        Nfse: note,
        NfseServiceItem: NfseServiceItem.objects.create(nfse=note, description=f"{mark} serviço"),
        InvoiceNote: InvoiceNote.objects.create(
            account=account, invoice=invoice, kind="nfsen", nfse=note,
            error=f"{mark} recusa", created_at=clock.now(),
        ),
        InvoiceWithholding: InvoiceWithholding.objects.create(
            invoice=invoice, tax="IR", organization_id=invoice.organization_id,
            customer_id=invoice.customer_id, month=date(2026, 8, 1), amount=Decimal("100.00"),
            base=Decimal("100.00"), rate=Decimal("1.5"), withheld=0, explanation=f"{mark} regra",
        ),
    }  # fmt: skip


def _work(rows: Rows, mark: str) -> Rows:
    account, invoice = rows[Account], rows[Invoice]
    n, now = next(_numbers), clock.now()
    job = Job.objects.create(account=account, kind="billing.run")
    run = BillingRun.objects.create(
        account=account, until=date(2026, 8, 31), today=date(2026, 8, 12), started_at=now
    )
    template = DocumentTemplate.objects.create(
        account=account, organization=invoice.organization, name=f"{mark} impresso"
    )
    version = publish_version(template.pk, account=account, html="<p>Fatura</p>").version
    beat, _ = Heartbeat.objects.get_or_create(name="worker", defaults={"at": now})
    return {
        Job: job,
        JobError: JobError.objects.create(job=job, item=f"{mark} linha", cause="Motivo."),
        Heartbeat: beat,
        TaskCall: TaskCall.objects.get_or_create(task="some.task", defaults={"called_at": now})[0],
        IdempotencyRecord: IdempotencyRecord.objects.create(
            account=account, key=f"chave-{n}", fingerprint="f", created_at=now
        ),
        BillingRun: run,
        RunEntry: RunEntry.objects.create(run=run, outcome="created", detail=f"{mark} detalhe"),
        PriceIndexValue: PriceIndexValue.objects.create(
            index="ipca",
            month=date(1980, 1, 1) + timedelta(days=31 * n),
            percent=Decimal("0.16"),
            source="teste",
            published_at=now,
        ),
        DocumentTemplate: template,
        DocumentTemplateVersion: version,
        InvoiceTally: InvoiceTally.objects.create(
            account=account, issue_date=date(2026, 1, 1), status_code=0, count=0, amount=0
        ),
        Asset: Asset.objects.create(
            account=account,
            sha256=f"{next(_numbers):064d}",
            content_type="image/png",
            created_at=clock.now(),
            data=b"png",
        ),
        PdfCache: PdfCache.objects.create(
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
        ),
        Attachment: Attachment.objects.create(
            account=account,
            invoice=invoice,
            filename=f"{mark}.pdf",
            content_type="application/pdf",
            size=1,
            storage_key="k",
            sha256="c",
        ),
    }
