"""Empty the demonstration's account, and nothing else.

What the database refuses to delete stays: the audit trail, the frozen data of parties, the versions
of printed templates, and therefore the account, those parties and those templates.
"""

from __future__ import annotations

from django.db import models

from accounts.models import (
    Account,
    ApiToken,
    Job,
    JobError,
    Membership,
    WebhookEndpoint,
    WebhookEvent,
)
from billing.models import (
    Attachment,
    BankAgreement,
    BillingRun,
    Charge,
    Chargeback,
    ChargeTemplate,
    CnabFile,
    CnabRecord,
    CollectionTask,
    Contact,
    Contract,
    CustomerAccess,
    CustomerCredit,
    DocumentTemplate,
    DunningPause,
    EmailMessage,
    EmailSuppression,
    EmailTemplate,
    FinancialAccount,
    FollowUp,
    GatewayAccount,
    InboundEvent,
    Invoice,
    InvoiceLine,
    InvoiceLink,
    InvoiceNote,
    InvoiceRule,
    InvoiceTemplate,
    InvoiceWithholding,
    Nfse,
    NfseServiceItem,
    NfseTemplate,
    NotificationRuler,
    NumberSeries,
    Party,
    Payment,
    PaymentAllocation,
    PdfCache,
    Plan,
    PlanProduct,
    ProviderCustomer,
    Readjustment,
    Receivable,
    Refund,
    RulerExecution,
    RuleService,
    RunEntry,
    SavedMethod,
    ScheduledUpdate,
    ServiceItem,
    Suspension,
    TemplateService,
    Transaction,
)
from fiscal.services import demo as issuers

# Children before what they point to; the path leads to the account.
_ORDER: tuple[tuple[type[models.Model], str], ...] = (
    (PdfCache, "invoice__account"),
    (FollowUp, "invoice__account"),
    (Attachment, "account"),
    (InvoiceLine, "invoice__account"),
    (CollectionTask, "account"),
    (RulerExecution, "account"),
    (DunningPause, "account"),
    (Suspension, "account"),
    (NotificationRuler, "account"),
    (EmailMessage, "account"),
    (EmailSuppression, "account"),
    (InvoiceLink, "account"),
    (CnabRecord, "account"),
    (CnabFile, "account"),
    (Transaction, "account"),
    (CustomerCredit, "account"),
    (Chargeback, "account"),
    (Refund, "account"),
    (PaymentAllocation, "payment__account"),
    (Payment, "account"),
    (Charge, "account"),
    (SavedMethod, "account"),
    (ProviderCustomer, "account"),
    (InboundEvent, "account"),
    (Receivable, "account"),
    (InvoiceWithholding, "invoice__account"),
    (NfseServiceItem, "nfse__account"),
    (Nfse, "account"),
    (Invoice, "account"),
    (RunEntry, "run__account"),
    (BillingRun, "account"),
    (JobError, "job__account"),
    (Job, "account"),
    (WebhookEvent, "account"),
    (WebhookEndpoint, "account"),
    (Readjustment, "account"),
    (ScheduledUpdate, "rule__account"),
    (ScheduledUpdate, "template__account"),
    (RuleService, "rule__account"),
    (InvoiceRule, "account"),
    (TemplateService, "template__account"),
    (InvoiceTemplate, "account"),
    (Contract, "account"),
    (PlanProduct, "plan__account"),
    (Plan, "account"),
    (ServiceItem, "account"),
    (ChargeTemplate, "account"),
    (BankAgreement, "account"),
    (GatewayAccount, "account"),
    (FinancialAccount, "account"),
    (EmailTemplate, "account"),
    (NfseTemplate, "account"),
    (NumberSeries, "organization__account"),
    (ApiToken, "account"),
    (CustomerAccess, "account"),
    (Contact, "account"),
    (Membership, "account"),
)


def wipe(account: Account) -> None:
    """Delete every row of the account that may be deleted."""
    InvoiceNote.objects.filter(account=account).delete()  # they hold fiscal's rows
    issuers.wipe(account)
    for model, path in _ORDER:
        model._default_manager.filter(**{path: account}).delete()
    DocumentTemplate.objects.filter(account=account, versions=None).delete()
    Party.objects.filter(account=account, snapshots=None, document_templates=None).delete()
