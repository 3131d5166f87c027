from fiscal.models.authority import AuthorityStatus, Consumption, Contingency
from fiscal.models.company import Certificate, Company, Regime, Series
from fiscal.models.document import PUBLISHED, WAITING, Archive, Attempt, FiscalDocument, State
from fiscal.models.event import EventState, FiscalEvent, Inutilizacao, VoidState

__all__ = [
    "PUBLISHED",
    "WAITING",
    "Archive",
    "Attempt",
    "AuthorityStatus",
    "Certificate",
    "Company",
    "Consumption",
    "Contingency",
    "EventState",
    "FiscalDocument",
    "FiscalEvent",
    "Inutilizacao",
    "Regime",
    "Series",
    "State",
    "VoidState",
]
