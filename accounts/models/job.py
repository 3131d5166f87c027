"""Long work that people can watch, cancel and resume."""

from __future__ import annotations

from django.db import models
from django_fsm import transition

from accounts.models.account import TenantModel
from accounts.models.user import User
from lib.states import StateField


class TaskCall(models.Model):
    """A task of which one is enough: `called_at` is set from its call to its beginning.

    See accounts.services.calls. Of no account: the task works for all.
    """

    task = models.CharField("tarefa", max_length=100, primary_key=True)
    called_at = models.DateTimeField("chamada em", null=True, blank=True)

    class Meta:
        verbose_name = "chamada de tarefa"
        verbose_name_plural = "chamadas de tarefas"

    def __str__(self) -> str:
        return self.task


# kind → its name on screens.
LABELS = {
    "billing.run": "Rodada de faturamento",
    "billing.notes": "Emissão de notas fiscais",
    "billing.retorno": "Baixas de um retorno bancário",
    "portal.export": "Exportação de dados",
}


class Job(TenantModel):
    """A long task with progress. The worker writes `heartbeat_at`; silence means it died."""

    class State(models.TextChoices):
        QUEUED = "queued", "Na fila"
        RUNNING = "running", "Em andamento"
        DONE = "done", "Concluída"
        DONE_WITH_ERRORS = "done_with_errors", "Concluída com erros"
        FAILED = "failed", "Falhou"
        CANCELLED = "cancelled", "Cancelada"

    kind = models.CharField("tipo", max_length=50)
    params = models.JSONField("parâmetros", default=dict, blank=True)
    state = StateField("situação", choices=State.choices, default=State.QUEUED, protected=True)
    total = models.PositiveIntegerField("total", default=0)
    n_ok = models.PositiveIntegerField("concluídos", default=0)
    n_failed = models.PositiveIntegerField("com erro", default=0)
    attempts = models.PositiveSmallIntegerField("tentativas", default=0)
    result = models.JSONField("resultado", null=True, blank=True)
    message = models.TextField("mensagem", blank=True)
    cancel_requested = models.BooleanField("cancelamento pedido", default=False)
    started_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, verbose_name="iniciada por"
    )
    notify = models.BooleanField("avisar por e-mail", default=False, db_default=False)
    created_at = models.DateTimeField("criada em", auto_now_add=True)
    started_at = models.DateTimeField("início", null=True, blank=True)
    heartbeat_at = models.DateTimeField("último sinal", null=True, blank=True)
    finished_at = models.DateTimeField("término", null=True, blank=True)

    class Meta:
        verbose_name = "tarefa"
        verbose_name_plural = "tarefas"
        indexes = [models.Index(fields=["state", "heartbeat_at"], name="job_state_heartbeat")]

    def __str__(self) -> str:
        return f"{self.label} nº {self.pk}"

    @property
    def label(self) -> str:
        """What the task does, for people; the kind itself where nobody named it."""
        return LABELS.get(self.kind, self.kind)

    @property
    def is_final(self) -> bool:
        return self.state not in (self.State.QUEUED, self.State.RUNNING)

    @transition(field=state, source=[State.QUEUED, State.RUNNING], target=State.RUNNING)
    def start(self, *, at: object) -> None:
        """Begin, or take over from a worker that died."""
        self.attempts += 1
        self.started_at = self.started_at or at  # type: ignore[assignment]
        self.heartbeat_at = at  # type: ignore[assignment]

    @transition(field=state, source=State.RUNNING, target=State.DONE)
    def finish(self, *, at: object) -> None:
        self.finished_at = at  # type: ignore[assignment]

    @transition(field=state, source=State.RUNNING, target=State.DONE_WITH_ERRORS)
    def finish_with_errors(self, *, at: object) -> None:
        self.finished_at = at  # type: ignore[assignment]

    @transition(field=state, source=[State.QUEUED, State.RUNNING], target=State.FAILED)
    def fail(self, *, at: object, message: str) -> None:
        self.finished_at = at  # type: ignore[assignment]
        self.message = message

    @transition(field=state, source=[State.QUEUED, State.RUNNING], target=State.CANCELLED)
    def cancel(self, *, at: object) -> None:
        self.finished_at = at  # type: ignore[assignment]


class JobError(models.Model):
    """One item of a job that failed, with its cause in pt-BR."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="errors", verbose_name="tarefa")
    item = models.CharField("item", max_length=200)
    cause = models.TextField("causa")

    class Meta:
        verbose_name = "erro de tarefa"
        verbose_name_plural = "erros de tarefas"

    def __str__(self) -> str:
        return self.item
