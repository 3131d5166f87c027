from accounts.models.account import Account, Heartbeat, TenantManager, TenantModel, TenantQuerySet
from accounts.models.audit import AuditEvent
from accounts.models.idempotency import IdempotencyRecord
from accounts.models.job import Job, JobError, TaskCall
from accounts.models.sign_in import Attempt, RecoveryCode, SecondFactor, UserSession
from accounts.models.token import ApiToken
from accounts.models.user import Membership, User
from accounts.models.webhook import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)

__all__ = [
    "Account",
    "ApiToken",
    "Attempt",
    "AuditEvent",
    "Heartbeat",
    "IdempotencyRecord",
    "Job",
    "JobError",
    "Membership",
    "RecoveryCode",
    "SecondFactor",
    "TaskCall",
    "TenantManager",
    "TenantModel",
    "TenantQuerySet",
    "User",
    "UserSession",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
]
