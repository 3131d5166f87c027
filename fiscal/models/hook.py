"""Gatilhos: addresses that are told of documents, and the notices on their way (fiscal-api §13)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models.account import TenantModel
from fiscal.models.company import Company
from fiscal.models.document import FiscalDocument
from fiscal.models.event import Inutilizacao
from lib.states import StateField

# §13.3. Those of documents that come later are taken already, and not fired yet.
HOOK_EVENTS = (
    "nfe",
    "nfse",
    "nfsen",
    "nfce_contingencia",
    "nfce_correcao_timeout",
    "nfce_consulta_automatica",
    "nfe_recebida",
    "nfe_recebida_falha_consulta",
    "nfse_recebida",
    "nfsen_recebida",
    "cte_recebida",
    "inutilizacao",
    "cte",
    "mdfe",
    "nfcom",
    "dce",
)
WINDOW = timedelta(days=2)  # §13.4, of the reputation


class FiscalHook(TenantModel):
    """An address of an integrator for one event, of a company or of the whole account.

    `ambiente` is blank when the account's own token made it: then both environments are told of.
    `authorization` is a closed text (lib.crypto, purpose "fiscal.hook"). `recent` holds [successes,
    failures] by hour (UTC, ISO) of the last two days. `failing_since` is the first failure after
    the last success; `bad_since` is since when most of `recent` are failures. `nudged_at` is set
    while a delivery task is on its way.
    """

    class State(models.TextChoices):
        ACTIVE = "ativo", "Ativo"
        DISABLED = "desativado", "Desativado"

    public_id = models.CharField("id", max_length=12, unique=True)
    company = models.ForeignKey(
        Company,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="hooks",
        verbose_name="empresa",
    )
    ambiente = models.CharField("ambiente", max_length=11, blank=True)
    event = models.CharField("evento", max_length=30)
    url = models.CharField("URL", max_length=2000)
    authorization = models.TextField("autorização", blank=True, editable=False)
    authorization_header = models.CharField("cabeçalho", max_length=60, default="Authorization")
    state = StateField("situação", choices=State.choices, default=State.ACTIVE, protected=True)
    disabled_at = models.DateTimeField("desativado em", null=True, blank=True)
    recent = models.JSONField("últimos dois dias", default=dict, blank=True, editable=False)
    failing_since = models.DateTimeField("falhando desde", null=True, blank=True)
    bad_since = models.DateTimeField("maioria de falhas desde", null=True, blank=True)
    last_tried_at = models.DateTimeField("última tentativa", null=True, blank=True)
    nudged_at = models.DateTimeField("chamado em", null=True, blank=True, editable=False)
    created_at = models.DateTimeField("criado em")

    class Meta:
        verbose_name = "gatilho"
        verbose_name_plural = "gatilhos"
        indexes = [
            models.Index(
                fields=["account", "event"], condition=Q(state="ativo"), name="fiscalhook_told"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.url}"

    @property
    def is_active(self) -> bool:
        return bool(self.state == self.State.ACTIVE)

    @transition(field=state, source=State.ACTIVE, target=State.DISABLED)
    def disable(self, *, at: datetime) -> None:
        self.disabled_at = at

    def note(self, *, is_success: bool, at: datetime) -> None:
        """Count an attempt, and what it says of the address (§13.4)."""
        before = self.counts(at=at)
        hour = at.replace(minute=0, second=0, microsecond=0).isoformat()
        kept = self._window(at)
        good, bad = kept.get(hour, (0, 0))
        kept[hour] = (good + is_success, bad + (not is_success))
        self.recent = {name: list(pair) for name, pair in kept.items()}
        self.last_tried_at = at
        self.failing_since = None if is_success else self.failing_since or at
        successes, failures = self.counts(at=at)
        if failures <= successes:
            self.bad_since = None
        elif not any(before):
            # Two days without any attempt say nothing against it.
            self.bad_since = at
        else:
            self.bad_since = self.bad_since or at

    def counts(self, *, at: datetime) -> tuple[int, int]:
        """Successes and failures of the last two days, to the hour."""
        pairs = self._window(at).values()
        return sum(good for good, _ in pairs), sum(bad for _, bad in pairs)

    def counted_since(self, *, at: datetime) -> datetime:
        return max(self.created_at, at - WINDOW)

    def _window(self, at: datetime) -> dict[str, tuple[int, int]]:
        since = at - WINDOW - timedelta(hours=1)
        rows: dict[str, Any] = self.recent
        return {
            hour: (pair[0], pair[1])
            for hour, pair in rows.items()
            if datetime.fromisoformat(hour) > since
        }


# What a notice may be about; each has exactly one of them.
NOTICE_SUBJECTS = (
    "document",
    "inutilizacao",
    "service_note",
    "received_nfe",
    "received_nfse",
    "distribution",
)


def _one_of(*names: str) -> Q:
    """Exactly one of the columns is not null."""
    found = Q()
    for wanted in names:
        found |= Q(**{f"{name}__isnull": name != wanted for name in names})
    return found


class HookNotice(TenantModel):
    """One thing to be told to one address, written in the transaction of the change.

    What is told is the document as the API answers it when the request is made, so that a late
    attempt never tells of a state that has passed. Whoever sends it has moved `next_attempt_at`
    into the future first: a killed worker only delays it.
    """

    class State(models.TextChoices):
        PENDING = "aguardando", "Aguardando"
        DELIVERED = "entregue", "Entregue"
        DEAD = "desistiu", "Não entregue"

    hook = models.ForeignKey(
        FiscalHook, models.CASCADE, related_name="notices", verbose_name="gatilho"
    )
    document = models.ForeignKey(
        FiscalDocument,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="documento",
    )
    inutilizacao = models.ForeignKey(
        Inutilizacao,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="inutilização",
    )
    service_note = models.ForeignKey(
        "fiscal.ServiceNote",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="nota de serviço",
    )
    received_nfe = models.ForeignKey(
        "fiscal.ReceivedNfe",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="NF-e recebida",
    )
    received_nfse = models.ForeignKey(
        "fiscal.ReceivedNfse",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="NFS-e recebida",
    )
    distribution = models.ForeignKey(
        "fiscal.DistributionCursor",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="consulta que falhou",
    )
    state = StateField("resultado", choices=State.choices, default=State.PENDING, protected=True)
    tries = models.PositiveSmallIntegerField("tentativas", default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    last_attempt_at = models.DateTimeField("última tentativa", null=True, blank=True)
    last_status = models.PositiveSmallIntegerField("HTTP", null=True, blank=True)
    last_ms = models.PositiveIntegerField("duração (ms)", null=True, blank=True)
    last_error = models.CharField("erro", max_length=300, blank=True)
    last_body = models.TextField("último corpo enviado", blank=True)
    last_answer = models.TextField("início da última resposta (4 KB)", blank=True)
    created_at = models.DateTimeField("criado em", db_index=True)

    class Meta:
        verbose_name = "aviso de gatilho"
        verbose_name_plural = "avisos de gatilhos"
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="aguardando") | Q(next_attempt_at__isnull=False),
                name="hooknotice_pending_has_a_time",
            ),
            models.CheckConstraint(
                condition=_one_of(*NOTICE_SUBJECTS), name="hooknotice_one_subject"
            ),
        ]
        indexes = [
            models.Index(
                fields=["hook", "next_attempt_at", "id"],
                condition=Q(state="aguardando"),
                name="hooknotice_due",
            )
        ]

    def __str__(self) -> str:
        return f"Aviso {self.pk}"

    @transition(field=state, source="*", target=State.DELIVERED)
    def deliver(self) -> None:
        """Also after another worker gave it up: what arrived has arrived."""
        self.next_attempt_at = None

    @transition(field=state, source=State.PENDING, target=State.PENDING)
    def retry(self, *, at: datetime) -> None:
        self.next_attempt_at = at

    @transition(field=state, source=State.PENDING, target=State.DEAD)
    def bury(self) -> None:
        self.next_attempt_at = None
