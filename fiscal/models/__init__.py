from fiscal.models.attempt import Attempt, ServiceAttempt
from fiscal.models.authority import (
    AuthorityStatus,
    Consumption,
    Contingency,
    MunicipalParameter,
)
from fiscal.models.company import Certificate, Company, Regime, Series
from fiscal.models.document import PUBLISHED, WAITING, Archive, FiscalDocument, State
from fiscal.models.event import EventState, FiscalEvent, Inutilizacao, VoidState
from fiscal.models.hook import HOOK_EVENTS, FiscalHook, HookNotice
from fiscal.models.mail import BlockedEmail, MailMessage, MailState
from fiscal.models.printing import Backup, PrintCache, ServicePrint
from fiscal.models.received import (
    DistributionCursor,
    Manifestation,
    ReceivedDocument,
    ReceivedNfe,
    ReceivedNfse,
    Source,
)
from fiscal.models.service_note import (
    NOTE_LIVE,
    NOTE_PUBLISHED,
    NoteState,
    RpsBatch,
    ServiceNote,
    ServiceSeries,
)
from fiscal.models.service_order import OrderState, ServiceOrder

__all__ = [
    "HOOK_EVENTS",
    "NOTE_LIVE",
    "NOTE_PUBLISHED",
    "PUBLISHED",
    "WAITING",
    "Archive",
    "Attempt",
    "AuthorityStatus",
    "Backup",
    "BlockedEmail",
    "Certificate",
    "Company",
    "Consumption",
    "Contingency",
    "DistributionCursor",
    "EventState",
    "FiscalDocument",
    "FiscalEvent",
    "FiscalHook",
    "HookNotice",
    "Inutilizacao",
    "MailMessage",
    "MailState",
    "Manifestation",
    "MunicipalParameter",
    "NoteState",
    "OrderState",
    "PrintCache",
    "ReceivedDocument",
    "ReceivedNfe",
    "ReceivedNfse",
    "Regime",
    "RpsBatch",
    "Series",
    "ServiceAttempt",
    "ServiceNote",
    "ServiceOrder",
    "ServicePrint",
    "ServiceSeries",
    "Source",
    "State",
    "VoidState",
]
