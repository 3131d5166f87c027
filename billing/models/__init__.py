from billing.models.agreement import BankAgreement, NossoNumeroRange
from billing.models.catalog import Plan, PlanProduct, ServiceItem
from billing.models.charge import Charge
from billing.models.cnab import CnabFile, CnabRecord
from billing.models.collection import ChargeTemplate, FinancialAccount
from billing.models.contract import Contract
from billing.models.dispute import Dispute, DisputeFile, DisputeMessage, ProtocolSeries
from billing.models.email import EmailTemplate
from billing.models.gateway import GatewayAccount, InboundEvent
from billing.models.index import (
    SGS_SERIES,
    PriceIndex,
    PriceIndexValue,
    Readjustment,
    ScheduledUpdate,
)
from billing.models.invoice import Attachment, FollowUp, Invoice, InvoiceLine, Transaction
from billing.models.invoice_note import InvoiceNote, InvoiceWithholding
from billing.models.message import EmailMessage, EmailSuppression, InvoiceLink
from billing.models.nfse import Nfse, NfseServiceItem, NfseTemplate
from billing.models.party import (
    Contact,
    CustomerAccess,
    OrganizationProfile,
    Party,
    PartySnapshot,
)
from billing.models.payment import (
    Chargeback,
    CustomerCredit,
    Payment,
    PaymentAllocation,
    Refund,
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
from billing.models.ruler import (
    CollectionTask,
    DunningPause,
    NotificationRuler,
    RulerExecution,
    RulerStep,
    Suspension,
)
from billing.models.run import BillingRun, RunEntry
from billing.models.saved_method import ProviderCustomer, SavedMethod
from billing.models.self_care import (
    CancellationRequest,
    HelpArticle,
    Invitation,
    NotificationPreference,
    ScheduledCancellation,
)
from billing.models.series import NumberSeries
from billing.models.tally import InvoiceTally
from billing.models.template import Asset, DocumentTemplate, DocumentTemplateVersion, PdfCache

__all__ = [
    "SGS_SERIES",
    "Asset",
    "Attachment",
    "BankAgreement",
    "BillingOptions",
    "BillingRun",
    "CancellationRequest",
    "Charge",
    "ChargeTemplate",
    "Chargeback",
    "CnabFile",
    "CnabRecord",
    "CollectionTask",
    "Contact",
    "Contract",
    "CustomerAccess",
    "CustomerCredit",
    "Dispute",
    "DisputeFile",
    "DisputeMessage",
    "DocumentTemplate",
    "DocumentTemplateVersion",
    "DunningPause",
    "EmailMessage",
    "EmailSuppression",
    "EmailTemplate",
    "FinancialAccount",
    "FollowUp",
    "GatewayAccount",
    "HelpArticle",
    "InboundEvent",
    "Invitation",
    "Invoice",
    "InvoiceLine",
    "InvoiceLink",
    "InvoiceNote",
    "InvoiceRule",
    "InvoiceTally",
    "InvoiceTemplate",
    "InvoiceWithholding",
    "Management",
    "Nfse",
    "NfseServiceItem",
    "NfseTemplate",
    "NossoNumeroRange",
    "NotificationPreference",
    "NotificationRuler",
    "NumberSeries",
    "OrganizationProfile",
    "Party",
    "PartySnapshot",
    "Payment",
    "PaymentAllocation",
    "PaymentMethod",
    "PdfCache",
    "Plan",
    "PlanProduct",
    "PriceIndex",
    "PriceIndexValue",
    "ProtocolSeries",
    "ProviderCustomer",
    "Readjustment",
    "Receivable",
    "Refund",
    "RuleService",
    "RulerExecution",
    "RulerStep",
    "RunEntry",
    "SavedMethod",
    "ScheduledCancellation",
    "ScheduledUpdate",
    "ServiceItem",
    "Suspension",
    "TemplateService",
    "Transaction",
]
