from fiscal.models.authority import AuthorityStatus, Consumption, Contingency
from fiscal.models.company import Certificate, Company, Regime, Series
from fiscal.models.document import PUBLISHED, WAITING, Archive, Attempt, FiscalDocument, State
from fiscal.models.event import EventState, FiscalEvent, Inutilizacao, VoidState
from fiscal.models.hook import HOOK_EVENTS, FiscalHook, HookNotice
from fiscal.models.mail import BlockedEmail, MailMessage, MailState
from fiscal.models.printing import Backup, PrintCache

__all__ = [
    "HOOK_EVENTS",
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
    "EventState",
    "FiscalDocument",
    "FiscalEvent",
    "FiscalHook",
    "HookNotice",
    "Inutilizacao",
    "MailMessage",
    "MailState",
    "PrintCache",
    "Regime",
    "Series",
    "State",
    "VoidState",
]
