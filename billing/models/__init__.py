from billing.models.catalog import Plan, PlanProduct, ServiceItem
from billing.models.collection import ChargeTemplate, FinancialAccount
from billing.models.contract import Contract
from billing.models.email import EmailTemplate
from billing.models.index import (
    SGS_SERIES,
    PriceIndex,
    PriceIndexValue,
    Readjustment,
    ScheduledUpdate,
)
from billing.models.invoice import Attachment, FollowUp, Invoice, InvoiceLine, Transaction
from billing.models.invoice_note import InvoiceNote, InvoiceWithholding
from billing.models.nfse import Nfse, NfseServiceItem, NfseTemplate
from billing.models.party import (
    Contact,
    CustomerAccess,
    OrganizationProfile,
    Party,
    PartySnapshot,
)
from billing.models.receivable import Receivable
from billing.models.rule import (
    BillingOptions,
    InvoiceRule,
    InvoiceTemplate,
    Management,
    PaymentMethod,
    RuleService,
    TemplateService,
)
from billing.models.run import BillingRun, RunEntry
from billing.models.series import NumberSeries
from billing.models.tally import InvoiceTally
from billing.models.template import Asset, DocumentTemplate, DocumentTemplateVersion, PdfCache

__all__ = [
    "SGS_SERIES",
    "Asset",
    "Attachment",
    "BillingOptions",
    "BillingRun",
    "ChargeTemplate",
    "Contact",
    "Contract",
    "CustomerAccess",
    "DocumentTemplate",
    "DocumentTemplateVersion",
    "EmailTemplate",
    "FinancialAccount",
    "FollowUp",
    "Invoice",
    "InvoiceLine",
    "InvoiceNote",
    "InvoiceRule",
    "InvoiceTally",
    "InvoiceTemplate",
    "InvoiceWithholding",
    "Management",
    "Nfse",
    "NfseServiceItem",
    "NfseTemplate",
    "NumberSeries",
    "OrganizationProfile",
    "Party",
    "PartySnapshot",
    "PaymentMethod",
    "PdfCache",
    "Plan",
    "PlanProduct",
    "PriceIndex",
    "PriceIndexValue",
    "Readjustment",
    "Receivable",
    "RuleService",
    "RunEntry",
    "ScheduledUpdate",
    "ServiceItem",
    "TemplateService",
    "Transaction",
]
