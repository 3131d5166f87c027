"""Documents of models 55 and 65, and what was sent for them (fiscal-engine §1 and §2.1)."""

from __future__ import annotations

from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models.account import TenantModel
from fiscal.models.company import Company
from lib.states import ConcurrentTransitionMixin, StateField


class State(models.TextChoices):
    """States of the engine guide; `PUBLISHED` says what the API tells of them."""

    RECEBIDO = "recebido", "Recebido"
    ASSINADO = "assinado", "Assinado"
    TRANSMITINDO = "transmitindo", "Transmitindo"
    EM_LOTE = "em_lote", "Em lote"
    INDEFINIDO = "indefinido", "Indefinido"
    CONTINGENCIA = "contingencia", "Emitido em contingência"
    EPEC = "epec", "EPEC registrado"
    AUTORIZADO = "autorizado", "Autorizado"
    REJEITADO = "rejeitado", "Rejeitado"
    DENEGADO = "denegado", "Denegado"
    CANCELADO = "cancelado", "Cancelado"
    INUTILIZADO = "inutilizado", "Inutilizado"
    CONFLITO = "conflito", "Em conflito"


PUBLISHED = {
    State.RECEBIDO: "processando_autorizacao",
    State.ASSINADO: "processando_autorizacao",
    State.TRANSMITINDO: "processando_autorizacao",
    State.EM_LOTE: "processando_autorizacao",
    State.INDEFINIDO: "processando_autorizacao",
    State.CONTINGENCIA: "autorizado",
    State.EPEC: "processando_autorizacao",
    State.AUTORIZADO: "autorizado",
    State.REJEITADO: "erro_autorizacao",
    State.DENEGADO: "denegado",
    State.CANCELADO: "cancelado",
    State.INUTILIZADO: "erro_autorizacao",
    State.CONFLITO: "processando_autorizacao",
}
WAITING = (State.RECEBIDO, State.ASSINADO, State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO,
           State.CONTINGENCIA, State.EPEC)  # fmt: skip
# Where a document of tpEmis 4 can only be once its EPEC is registered.
ANNOUNCED = (State.EPEC, State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO)
S = State


class FiscalDocument(ConcurrentTransitionMixin, TenantModel):
    """One document: its payload, its number, its key and where it stands.

    The signed bytes are in the archive, written once for each signature. `superseded_by` is the
    document that took the place of this one in a contingency: both have the same `ref`, and only
    the last one answers to it. `next_attempt_at` is set while something is to be done.
    """

    company = models.ForeignKey(
        Company, models.PROTECT, related_name="documents", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    modelo = models.PositiveSmallIntegerField("modelo")
    ref = models.CharField("referência", max_length=255)
    state = StateField("situação", choices=State.choices, default=State.RECEBIDO, protected=True)
    # A number of the body is exact: it is kept as text, which reading takes as well.
    payload = models.JSONField("dados enviados", default=dict, encoder=DjangoJSONEncoder)
    serie = models.PositiveSmallIntegerField("série", null=True, blank=True)
    numero = models.PositiveIntegerField("número", null=True, blank=True)
    chave = models.CharField("chave", max_length=44, null=True, blank=True)  # noqa: DJ001  unique
    cnf = models.CharField("cNF", max_length=8, blank=True)
    tp_emis = models.PositiveSmallIntegerField("forma de emissão", default=1)
    dh_emi = models.DateTimeField("emissão", null=True, blank=True)
    digest_value = models.CharField("digest", max_length=28, blank=True)
    dh_cont = models.DateTimeField("entrada em contingência", null=True, blank=True)
    x_just = models.CharField("motivo da contingência", max_length=256, blank=True)
    is_effected = models.BooleanField("contingência efetivada", default=False)
    id_lote = models.CharField("lote", max_length=15, blank=True)
    recibo = models.CharField("recibo", max_length=15, blank=True)
    protocolo = models.CharField("protocolo", max_length=17, blank=True)
    authorized_at = models.DateTimeField("autorizado em", null=True, blank=True)
    c_stat = models.CharField("cStat", max_length=4, blank=True)
    x_motivo = models.TextField("xMotivo", blank=True)
    notes = models.JSONField("avisos", default=list, blank=True)
    recipient_document = models.CharField("documento do destinatário", max_length=20, blank=True)
    recipient_name = models.CharField("destinatário", max_length=60, blank=True)
    recipient_email = models.CharField("e-mail do destinatário", max_length=60, blank=True)
    total = models.DecimalField("valor total", max_digits=15, decimal_places=2, default=0)
    is_imported = models.BooleanField("importado", default=False)
    superseded_by = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="supersedes",
        verbose_name="substituído por",
    )
    n_attempts = models.PositiveIntegerField("tentativas", default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    created_at = models.DateTimeField("criado em")
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "documento fiscal"
        verbose_name_plural = "documentos fiscais"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "modelo", "ref"],
                condition=Q(superseded_by=None),
                name="fiscaldocument_ref",
            ),
            models.UniqueConstraint(
                fields=["company", "ambiente", "modelo", "serie", "numero"],
                name="fiscaldocument_number",
            ),
            # Not of the whole installation: another account may hold the same company, and the key
            # says nothing of the environment (docs/decisions/0019).
            models.UniqueConstraint(
                fields=["chave", "company", "ambiente"], name="fiscaldocument_chave"
            ),
            models.CheckConstraint(
                condition=~Q(state="autorizado") | ~Q(protocolo=""),
                name="fiscaldocument_authorized_has_protocol",
            ),
            models.CheckConstraint(
                condition=~Q(state="recebido") | Q(numero=None),
                name="fiscaldocument_received_has_no_number",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["recebido", "rejeitado"]) | Q(numero__isnull=False),
                name="fiscaldocument_signed_has_number",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="fiscaldocument_due",
            ),
            models.Index(fields=["account", "-created_at", "-id"], name="fiscaldocument_listed"),
            models.Index(
                fields=["company", "ambiente", "modelo", "-dh_emi"], name="fiscaldocument_issued"
            ),
        ]

    def __str__(self) -> str:
        return self.chave or self.ref

    @property
    def status(self) -> str:
        """What the API says."""
        return PUBLISHED[State(self.state)]

    @property
    def is_offline(self) -> bool:
        return self.tp_emis == 9

    @property
    def is_epec(self) -> bool:
        return self.tp_emis == 4

    @property
    def awaits_epec(self) -> bool:
        """Signed to be announced (CON-5): its authority would refuse it before that (468)."""
        return self.is_epec and self.state == State.ASSINADO

    @property
    def is_announced(self) -> bool:
        """Its EPEC is registered, and itself not yet (known to be) at its authority."""
        return self.is_epec and self.state in ANNOUNCED

    @transition(
        field=state,
        source=[S.RECEBIDO, S.ASSINADO, S.REJEITADO, S.INDEFINIDO],
        target=S.ASSINADO,
    )
    def sign(self, *, chave: str, digest_value: str) -> None:
        """A signed, schema-valid XML of this number is in the archive."""
        self.chave, self.digest_value = chave, digest_value

    @transition(field=state, source=[S.RECEBIDO, S.TRANSMITINDO, S.EM_LOTE, S.CONTINGENCIA,
                                     S.INDEFINIDO, S.ASSINADO], target=S.REJEITADO)  # fmt: skip
    def reject(self, *, c_stat: str, x_motivo: str) -> None:
        """Refused: by a rule of ours (`local`) or by the authority. The number stays with it."""
        self.c_stat, self.x_motivo, self.next_attempt_at = c_stat, x_motivo, None

    @transition(
        field=state,
        source=[S.ASSINADO, S.CONTINGENCIA, S.EPEC, S.INDEFINIDO],
        target=S.TRANSMITINDO,
    )
    def begin(self, *, again_at: datetime) -> None:
        """An attempt is open; whoever finds it past `again_at` asks what became of it."""
        self.n_attempts += 1
        self.next_attempt_at = again_at

    @transition(field=state, source=S.TRANSMITINDO, target=S.ASSINADO)
    def not_sent(self, *, again_at: datetime) -> None:
        """No byte left the machine."""
        self.next_attempt_at = again_at

    @transition(field=state, source=[S.TRANSMITINDO, S.INDEFINIDO], target=S.CONTINGENCIA)
    def wait_offline(self, *, again_at: datetime) -> None:
        """An offline document that could not be delivered yet."""
        self.next_attempt_at = again_at

    @transition(field=state, source=[S.TRANSMITINDO, S.EM_LOTE], target=S.INDEFINIDO)
    def lose(self, *, again_at: datetime) -> None:
        """The outcome is unknown; only a query may follow (REC-1)."""
        self.next_attempt_at = again_at

    @transition(field=state, source=S.INDEFINIDO, target=S.ASSINADO)
    def absent(self, *, again_at: datetime) -> None:
        """The authority has no trace of it (217): the same bytes may be sent again."""
        self.next_attempt_at = again_at

    @transition(field=state, source=S.TRANSMITINDO, target=S.EM_LOTE)
    def queue(self, *, recibo: str, again_at: datetime) -> None:
        self.recibo, self.next_attempt_at = recibo, again_at

    @transition(field=state, source=[S.TRANSMITINDO, S.EM_LOTE, S.INDEFINIDO, S.CONTINGENCIA,
                                     S.EPEC, S.CONFLITO], target=S.AUTORIZADO)  # fmt: skip
    def authorize(self, *, protocolo: str, at: datetime | None, c_stat: str, x_motivo: str) -> None:
        """100 or 150, with our key and our digest (ANS-3)."""
        self.protocolo, self.authorized_at = protocolo, at
        self.c_stat, self.x_motivo = c_stat, x_motivo
        self.next_attempt_at = None

    @transition(
        field=state, source=[S.TRANSMITINDO, S.EM_LOTE, S.INDEFINIDO, S.CONFLITO], target=S.DENEGADO
    )
    def deny(self, *, protocolo: str, c_stat: str, x_motivo: str) -> None:
        self.protocolo, self.c_stat, self.x_motivo = protocolo, c_stat, x_motivo
        self.next_attempt_at = None

    @transition(field=state, source=[S.TRANSMITINDO, S.EM_LOTE, S.INDEFINIDO], target=S.CONFLITO)
    def dispute(self, *, c_stat: str, x_motivo: str) -> None:
        """The authority holds something else under this key or number: a person decides."""
        self.c_stat, self.x_motivo, self.next_attempt_at = c_stat, x_motivo, None

    @transition(field=state, source=[S.ASSINADO, S.INDEFINIDO, S.REJEITADO], target=S.CONTINGENCIA)
    def enter_offline(self, *, again_at: datetime) -> None:
        self.next_attempt_at = again_at

    @transition(field=state, source=[S.ASSINADO, S.TRANSMITINDO, S.INDEFINIDO], target=S.EPEC)
    def register_epec(self, *, again_at: datetime) -> None:
        """Its EPEC is registered: the document is to be delivered, now or once more (CON-5)."""
        self.next_attempt_at = again_at

    @transition(field=state, source=[S.AUTORIZADO, S.INDEFINIDO, S.TRANSMITINDO, S.CONFLITO],
                target=S.CANCELADO)  # fmt: skip
    def cancel(self, *, c_stat: str, x_motivo: str) -> None:
        """The event is registered, or a query shows it."""
        self.c_stat, self.x_motivo, self.next_attempt_at = c_stat, x_motivo, None

    @transition(field=state, source=[S.REJEITADO, S.ASSINADO, S.INDEFINIDO, S.CONFLITO],
                target=S.INUTILIZADO)  # fmt: skip
    def void(self, *, protocolo: str, c_stat: str, x_motivo: str) -> None:
        """Its number was voided (102, 563 or 256); every attempt is closed."""
        self.protocolo, self.c_stat, self.x_motivo = protocolo, c_stat, x_motivo
        self.next_attempt_at = None


class Archive(TenantModel):
    """Bytes kept as they were sent or received: compressed, written once (KEEP-1, KEEP-2).

    `name` is the published file name (`CHAVE-nfe.xml`, `-can.xml`, `-cce-01.xml`, `-inu.xml`).
    """

    class Kind(models.TextChoices):
        SIGNED = "signed", "XML assinado"
        AUTHORIZED = "authorized", "XML autorizado"
        EVENT = "event", "evento"
        VOID = "void", "inutilização"
        IMPORTED = "imported", "XML importado"
        DECLARED = "declared", "RPS ou DPS assinado"
        NOTE = "note", "NFS-e"
        BATCH = "batch", "arquivo de lote"

    company = models.ForeignKey(Company, models.PROTECT, related_name="archives")
    document = models.ForeignKey(
        FiscalDocument, models.PROTECT, null=True, blank=True, related_name="archives"
    )
    service_note = models.ForeignKey(
        "fiscal.ServiceNote", models.PROTECT, null=True, blank=True, related_name="archives"
    )
    kind = models.CharField("tipo", max_length=10, choices=Kind.choices)
    name = models.CharField("arquivo", max_length=120)
    ambiente = models.CharField("ambiente", max_length=11)
    month = models.CharField("mês (AAAAMM)", max_length=6)
    content = models.BinaryField("conteúdo (zlib)")
    size = models.PositiveIntegerField("tamanho")
    sha256 = models.CharField("SHA-256", max_length=64)
    created_at = models.DateTimeField("guardado em")

    class Meta:
        verbose_name = "arquivo fiscal"
        verbose_name_plural = "arquivos fiscais"
        indexes = [
            models.Index(fields=["document", "kind", "-id"], name="archive_document"),
            models.Index(
                fields=["service_note", "kind", "-id"],
                condition=Q(service_note__isnull=False),
                name="archive_service_note",
            ),
            models.Index(fields=["company", "ambiente", "month", "name"], name="archive_name"),
        ]

    def __str__(self) -> str:
        return self.name
