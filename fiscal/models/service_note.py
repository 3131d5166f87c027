"""NFS-e, national and municipal, and what was sent for them (fiscal-engine §2.2, §12).

A table of its own: a service note has no access key of 44, no cStat, series that are letters and
numbers of fifteen digits, and its number is given by the authority (docs/decisions/0026).
"""

from __future__ import annotations

from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models.account import TenantModel
from fiscal.models.company import Company
from lib.states import ConcurrentTransitionMixin, StateField


class NoteState(models.TextChoices):
    """States of the engine guide; `NOTE_PUBLISHED` says what the API tells of them."""

    RECEBIDO = "recebido", "Recebida"
    ASSINADO = "assinado", "Assinada"
    TRANSMITINDO = "transmitindo", "Transmitindo"
    EM_LOTE = "em_lote", "Em lote"
    INDEFINIDO = "indefinido", "Indefinida"
    AUTORIZADO = "autorizado", "Autorizada"
    REJEITADO = "rejeitado", "Rejeitada"
    CANCELAMENTO_EM_ANALISE = "cancelamento_em_analise", "Cancelamento em análise"
    CANCELADO = "cancelado", "Cancelada"
    SUBSTITUIDO = "substituido", "Substituída"
    CONFLITO = "conflito", "Em conflito"


N = NoteState
NOTE_PUBLISHED = {
    N.RECEBIDO: "processando_autorizacao",
    N.ASSINADO: "processando_autorizacao",
    N.TRANSMITINDO: "processando_autorizacao",
    N.EM_LOTE: "processando_autorizacao",
    N.INDEFINIDO: "processando_autorizacao",
    N.CONFLITO: "processando_autorizacao",
    N.AUTORIZADO: "autorizado",
    N.CANCELAMENTO_EM_ANALISE: "autorizado",
    N.REJEITADO: "erro_autorizacao",
    N.CANCELADO: "cancelado",
    N.SUBSTITUIDO: "substituido",
}
NOTE_LIVE = (N.AUTORIZADO, N.CANCELAMENTO_EM_ANALISE)


class ServiceNote(ConcurrentTransitionMixin, TenantModel):
    """One declaration of service (RPS or DPS) and the NFS-e made of it.

    `series`, `rps_number` and `rps_kind` are ours, given at signing; `number`, `verification_code`
    and `key` are the authority's. `errors` holds {codigo, mensagem, correcao}; `declared` and
    `returned` the amounts to be compared (NAC-10); `memory` how taxes were computed.
    `next_attempt_at` is set while something is to be done.
    """

    class Tipo(models.TextChoices):
        NFSE = "nfse", "NFS-e municipal"
        NFSEN = "nfsen", "NFS-e nacional"

    company = models.ForeignKey(
        Company, models.PROTECT, related_name="service_notes", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    tipo = models.CharField("tipo", max_length=5, choices=Tipo.choices)
    ref = models.CharField("referência", max_length=255)
    state = StateField("situação", choices=N.choices, default=N.RECEBIDO, protected=True)
    provider = models.CharField("provedor", max_length=40, blank=True)
    municipality = models.CharField("município emissor (IBGE)", max_length=7, blank=True)
    payload = models.JSONField("dados enviados", default=dict, encoder=DjangoJSONEncoder)
    series = models.CharField("série do RPS", max_length=5, blank=True)
    rps_number = models.PositiveBigIntegerField("número do RPS", null=True, blank=True)
    rps_kind = models.PositiveSmallIntegerField("tipo do RPS", default=1)
    batch_number = models.PositiveBigIntegerField("lote", default=0)
    sent_id = models.CharField("identificador enviado", max_length=60, blank=True)
    digest_value = models.CharField("digest", max_length=44, blank=True)
    protocol = models.CharField("protocolo", max_length=60, blank=True)
    dh_emi = models.DateTimeField("emissão", null=True, blank=True)
    competence = models.DateField("competência", null=True, blank=True)
    number = models.CharField("número", max_length=15, blank=True)
    verification_code = models.CharField("código de verificação", max_length=60, blank=True)
    key = models.CharField("chave", max_length=50, null=True, blank=True)  # noqa: DJ001  unique
    issued_at = models.DateTimeField("emitida em", null=True, blank=True)  # by the authority
    url = models.CharField("página da nota", max_length=500, blank=True)
    url_pdf = models.CharField("PDF da prefeitura", max_length=500, blank=True)
    last_code = models.CharField("código", max_length=10, blank=True)
    last_message = models.TextField("mensagem", blank=True)
    errors = models.JSONField("erros", default=list, blank=True)
    notes = models.JSONField("avisos", default=list, blank=True)
    declared = models.JSONField("valores declarados", default=dict, blank=True)
    returned = models.JSONField("valores devolvidos", default=dict, blank=True)
    memory = models.JSONField("memória de cálculo", default=list, blank=True)
    taker_document = models.CharField("documento do tomador", max_length=40, blank=True)
    taker_name = models.CharField("tomador", max_length=300, blank=True)
    taker_email = models.CharField("e-mail do tomador", max_length=80, blank=True)
    total = models.DecimalField("valor dos serviços", max_digits=15, decimal_places=2, default=0)
    replaces = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="replaced_by",
        verbose_name="substitui",
    )
    # Number or key of the replaced note, also where it is none of ours.
    replaces_number = models.CharField("nota substituída", max_length=50, blank=True)
    cancelled_at = models.DateTimeField("cancelada em", null=True, blank=True)
    n_attempts = models.PositiveIntegerField("tentativas", default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    created_at = models.DateTimeField("criada em")
    updated_at = models.DateTimeField("alterada em", auto_now=True)

    class Meta:
        verbose_name = "nota de serviço"
        verbose_name_plural = "notas de serviço"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "tipo", "ref"], name="servicenote_ref"
            ),
            models.UniqueConstraint(
                fields=[
                    "company",
                    "ambiente",
                    "tipo",
                    "municipality",
                    "series",
                    "rps_kind",
                    "rps_number",
                ],
                condition=Q(rps_number__isnull=False),
                name="servicenote_rps",
            ),
            models.UniqueConstraint(fields=["key", "company", "ambiente"], name="servicenote_key"),
            models.CheckConstraint(
                condition=~Q(state__in=["autorizado", "cancelamento_em_analise", "substituido"])
                | ~Q(number=""),
                name="servicenote_issued_has_number",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["recebido", "rejeitado"]) | Q(rps_number__isnull=False),
                name="servicenote_signed_has_rps",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="servicenote_due",
            ),
            models.Index(fields=["account", "-created_at", "-id"], name="servicenote_listed"),
            models.Index(
                fields=["company", "ambiente", "tipo", "-dh_emi"], name="servicenote_issued"
            ),
            models.Index(fields=["company", "number"], name="servicenote_number"),
        ]

    def __str__(self) -> str:
        return self.number or self.ref

    @property
    def status(self) -> str:
        """What the API says."""
        return NOTE_PUBLISHED[NoteState(self.state)]

    @property
    def is_live(self) -> bool:
        return self.state in NOTE_LIVE

    @transition(
        field=state, source=[N.RECEBIDO, N.REJEITADO, N.ASSINADO, N.INDEFINIDO], target=N.ASSINADO
    )
    def sign(self, *, sent_id: str, digest_value: str) -> None:
        """Signed, schema-valid bytes under this number are in the archive."""
        self.sent_id, self.digest_value = sent_id, digest_value

    @transition(field=state, source=[N.ASSINADO, N.INDEFINIDO], target=N.TRANSMITINDO)
    def begin(self, *, again_at: datetime) -> None:
        """An attempt is open; whoever finds it past `again_at` asks what became of it."""
        self.n_attempts += 1
        self.next_attempt_at = again_at

    @transition(field=state, source=N.TRANSMITINDO, target=N.ASSINADO)
    def not_sent(self, *, again_at: datetime) -> None:
        """No byte left the machine."""
        self.next_attempt_at = again_at

    @transition(field=state, source=[N.TRANSMITINDO, N.EM_LOTE], target=N.INDEFINIDO)
    def lose(self, *, again_at: datetime | None) -> None:
        """The outcome is unknown; only a query may follow (REC-1)."""
        self.next_attempt_at = again_at

    @transition(field=state, source=N.INDEFINIDO, target=N.ASSINADO)
    def absent(self, *, again_at: datetime) -> None:
        """The authority has no trace of it: the same bytes may be sent again."""
        self.next_attempt_at = again_at

    @transition(field=state, source=[N.TRANSMITINDO, N.INDEFINIDO], target=N.EM_LOTE)
    def queue(self, *, protocol: str, again_at: datetime) -> None:
        """A lot was taken and is answered later (ABR-5)."""
        self.protocol, self.next_attempt_at = protocol, again_at

    @transition(
        field=state,
        source=[N.TRANSMITINDO, N.EM_LOTE, N.INDEFINIDO, N.CONFLITO],
        target=N.AUTORIZADO,
    )
    def authorize(self, *, number: str, verification_code: str, issued_at: datetime | None) -> None:
        self.number, self.verification_code = number, verification_code
        self.issued_at, self.next_attempt_at = issued_at, None
        self.errors = []

    @transition(
        field=state,
        source=[N.RECEBIDO, N.ASSINADO, N.TRANSMITINDO, N.EM_LOTE, N.INDEFINIDO],
        target=N.REJEITADO,
    )
    def reject(self, *, errors: list[dict[str, str | None]]) -> None:
        """Refused, by a rule of ours or by the authority. The RPS number stays with it."""
        self.errors, self.next_attempt_at = errors, None

    @transition(field=state, source=[N.TRANSMITINDO, N.EM_LOTE, N.INDEFINIDO], target=N.CONFLITO)
    def dispute(self, *, errors: list[dict[str, str | None]]) -> None:
        """The authority holds another note under our number: a person decides."""
        self.errors, self.next_attempt_at = errors, None

    @transition(field=state, source=N.AUTORIZADO, target=N.CANCELAMENTO_EM_ANALISE)
    def ask_cancellation(self, *, again_at: datetime) -> None:
        """Somebody at the city decides (ABR-7, 101103)."""
        self.next_attempt_at = again_at

    @transition(field=state, source=N.CANCELAMENTO_EM_ANALISE, target=N.AUTORIZADO)
    def deny_cancellation(self) -> None:
        self.next_attempt_at = None

    @transition(
        field=state,
        source=[N.AUTORIZADO, N.CANCELAMENTO_EM_ANALISE, N.INDEFINIDO, N.TRANSMITINDO, N.CONFLITO],
        target=N.CANCELADO,
    )
    def cancel(self, *, at: datetime | None) -> None:
        self.cancelled_at, self.next_attempt_at = at, None

    @transition(field=state, source=[N.AUTORIZADO, N.CANCELAMENTO_EM_ANALISE], target=N.SUBSTITUIDO)
    def replace(self, *, at: datetime | None) -> None:
        """Another note took its place (one act with the authorization of that note)."""
        self.cancelled_at, self.next_attempt_at = at, None


class ServiceSeries(TenantModel):
    """The next RPS or DPS number of a series, taken under its lock and used in that transaction.

    `municipality` is blank for the national system.
    """

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="service_series", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    tipo = models.CharField("tipo", max_length=5, choices=ServiceNote.Tipo.choices)
    municipality = models.CharField("município (IBGE)", max_length=7, blank=True)
    series = models.CharField("série", max_length=5)
    next_number = models.PositiveBigIntegerField("próximo número", default=1)
    next_batch = models.PositiveBigIntegerField("próximo lote", default=1)

    class Meta:
        verbose_name = "série de RPS"
        verbose_name_plural = "séries de RPS"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "tipo", "municipality", "series"],
                name="serviceseries_once",
            ),
            models.CheckConstraint(condition=Q(next_number__gte=1), name="serviceseries_range"),
        ]

    def __str__(self) -> str:
        return f"{self.tipo} {self.series} ({self.ambiente})"


class RpsBatch(TenantModel):
    """A file of RPS for a city without web service, and the city's answer (fiscal-api §6).

    The files are in the archive; `notes` of the batch are service notes that wait `em_lote`.
    """

    company = models.ForeignKey(
        Company, models.PROTECT, related_name="rps_batches", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    ref = models.CharField("referência", max_length=255)
    layout = models.CharField("layout", max_length=40)
    payload = models.JSONField("dados enviados", default=dict, encoder=DjangoJSONEncoder)
    notes = models.ManyToManyField(ServiceNote, related_name="batches", verbose_name="notas")
    answered_at = models.DateTimeField("respondido em", null=True, blank=True)
    created_at = models.DateTimeField("criado em")

    class Meta:
        verbose_name = "lote de RPS"
        verbose_name_plural = "lotes de RPS"
        constraints = [
            models.UniqueConstraint(fields=["company", "ambiente", "ref"], name="rpsbatch_ref")
        ]

    def __str__(self) -> str:
        return self.ref
