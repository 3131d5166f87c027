"""Documents issued against a company, as the authorities deliver them (§11, fiscal-api §7, §8).

`ReceivedDocument` keeps what came, byte for byte; the other rows are what it says, and could be
made again from it.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models.account import TenantModel
from fiscal.models.company import Company
from fiscal.models.event import EventSteps
from lib.states import ConcurrentTransitionMixin


class Source(models.TextChoices):
    """Who delivers."""

    NFE = "nfe", "NF-e (Ambiente Nacional)"
    NFSEN = "nfsen", "NFS-e Nacional (ADN)"
    NFSE = "nfse", "NFS-e da prefeitura"


class DistributionCursor(TenantModel):
    """How far a company has read what one source delivers (DIS-1, DIS-2).

    `ult_nsu` moves only in the transaction that keeps what came before it. `last_version` is the
    last `versao` given to a row of that source. `next_at` is when to ask again; without it nobody
    asks. `gap_after` and `gap_until` bound what an answer told us to skip (656): each NSU of it is
    fetched by itself.
    """

    company = models.ForeignKey(
        Company, models.PROTECT, related_name="cursors", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    source = models.CharField("origem", max_length=5, choices=Source.choices)
    ult_nsu = models.PositiveBigIntegerField("último NSU lido", default=0)
    max_nsu = models.PositiveBigIntegerField("maior NSU existente", default=0)
    gap_after = models.PositiveBigIntegerField("buscar um a um depois de", default=0)
    gap_until = models.PositiveBigIntegerField("buscar um a um até", default=0)
    last_version = models.PositiveBigIntegerField("última versão", default=0)
    next_at = models.DateTimeField("próxima consulta", null=True, blank=True)
    blocked_until = models.DateTimeField("sem consultas até", null=True, blank=True)
    asked_at = models.DateTimeField("última consulta", null=True, blank=True)
    answered_at = models.DateTimeField("última resposta", null=True, blank=True)
    n_failures = models.PositiveIntegerField("falhas seguidas", default=0)
    last_error = models.CharField("último erro", max_length=300, blank=True)
    created_at = models.DateTimeField("criado em")

    class Meta:
        verbose_name = "consulta de documentos recebidos"
        verbose_name_plural = "consultas de documentos recebidos"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "source"], name="distributioncursor_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at", "id"],
                condition=Q(next_at__isnull=False),
                name="distributioncursor_due",
            )
        ]

    def __str__(self) -> str:
        where = {"homologacao": "homologação", "producao": "produção"}.get(self.ambiente, "")
        return f"{self.get_source_display()}: {self.company.nome} ({where})"


class ReceivedNfe(TenantModel):
    """An NF-e in which the company has an interest, as the last thing that came says (§8.2).

    `versao` grows with each change and is never used twice in (company, ambiente). `is_complete`:
    the whole XML is kept, and its signature and protocol are good; `faults` says what is not.
    """

    class Situacao(models.TextChoices):
        AUTORIZADA = "autorizada", "Autorizada"
        CANCELADA = "cancelada", "Cancelada"
        DENEGADA = "denegada", "Denegada"

    class Manifestacao(models.TextChoices):
        CIENCIA = "ciencia", "Ciência da operação"
        CONFIRMACAO = "confirmacao", "Confirmação da operação"
        DESCONHECIMENTO = "desconhecimento", "Desconhecimento da operação"
        NAO_REALIZADA = "nao_realizada", "Operação não realizada"

    company = models.ForeignKey(
        Company, models.PROTECT, related_name="received_nfes", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    chave = models.CharField("chave", max_length=44)
    nsu = models.PositiveBigIntegerField("NSU")
    versao = models.PositiveBigIntegerField("versão")
    issuer_document = models.CharField("documento do emitente", max_length=14, blank=True)
    issuer_name = models.CharField("emitente", max_length=300, blank=True)
    recipient_document = models.CharField("documento do destinatário", max_length=20, blank=True)
    total = models.DecimalField("valor total", max_digits=15, decimal_places=2, null=True)
    issued_at = models.DateTimeField("emissão", null=True, blank=True)
    authorized_at = models.DateTimeField("autorização", null=True, blank=True)
    protocolo = models.CharField("protocolo", max_length=17, blank=True)
    tp_nf = models.PositiveSmallIntegerField("tipo (0 entrada, 1 saída)", null=True, blank=True)
    digest_value = models.CharField("digest", max_length=44, blank=True)
    situacao = models.CharField(
        "situação", max_length=10, choices=Situacao.choices, default=Situacao.AUTORIZADA
    )
    manifestacao = models.CharField(
        "manifestação", max_length=15, choices=Manifestacao.choices, blank=True
    )
    is_complete = models.BooleanField("XML completo", default=False)
    correction_number = models.PositiveSmallIntegerField("carta de correção nº", null=True)
    correction_text = models.TextField("carta de correção", blank=True)
    corrected_at = models.DateTimeField("corrigida em", null=True, blank=True)
    cancelled_at = models.DateTimeField("cancelada em", null=True, blank=True)
    cancellation_reason = models.TextField("justificativa do cancelamento", blank=True)
    faults = models.JSONField("o que não confere", default=list, blank=True)
    created_at = models.DateTimeField("recebida em")
    updated_at = models.DateTimeField("alterada em")

    class Meta:
        verbose_name = "NF-e recebida"
        verbose_name_plural = "NF-e recebidas"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "chave"], name="receivednfe_once"
            ),
            models.UniqueConstraint(
                fields=["company", "ambiente", "versao"], name="receivednfe_version"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="receivednfe_listed"),
            models.Index(fields=["chave"], name="receivednfe_key"),
        ]

    def __str__(self) -> str:
        return self.chave


class ReceivedNfse(TenantModel):
    """A service note taken by the company, from the national system or from a city (§7).

    `chave` is the national key (50), or NFSe + issuer + city + number + code of a city's note.
    `body` is the extended answer (`received_fields`), read once from the XML.
    """

    class Status(models.TextChoices):
        AUTORIZADO = "autorizado", "Autorizada"
        CANCELADO = "cancelado", "Cancelada"

    company = models.ForeignKey(
        Company, models.PROTECT, related_name="received_nfses", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    source = models.CharField("origem", max_length=5, choices=Source.choices)
    chave = models.CharField("chave", max_length=140)
    nsu = models.PositiveBigIntegerField("NSU")
    versao = models.PositiveBigIntegerField("versão")
    status = models.CharField(
        "situação", max_length=10, choices=Status.choices, default=Status.AUTORIZADO
    )
    number = models.CharField("número", max_length=15, blank=True)
    municipality = models.CharField("município (IBGE)", max_length=7, blank=True)
    issuer_document = models.CharField("documento do prestador", max_length=14, blank=True)
    issuer_name = models.CharField("prestador", max_length=300, blank=True)
    total = models.DecimalField("valor dos serviços", max_digits=15, decimal_places=2, null=True)
    issued_at = models.DateTimeField("emissão", null=True, blank=True)
    cancelled_at = models.DateTimeField("cancelada em", null=True, blank=True)
    body = models.JSONField("dados", default=dict, blank=True)
    faults = models.JSONField("o que não confere", default=list, blank=True)
    created_at = models.DateTimeField("recebida em")
    updated_at = models.DateTimeField("alterada em")

    class Meta:
        verbose_name = "NFS-e recebida"
        verbose_name_plural = "NFS-e recebidas"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "source", "chave"], name="receivednfse_once"
            ),
            models.UniqueConstraint(
                fields=["company", "ambiente", "source", "versao"], name="receivednfse_version"
            ),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="receivednfse_listed")]

    def __str__(self) -> str:
        return self.chave


class ReceivedDocument(TenantModel):
    """One thing that was delivered, byte for byte, known or unknown (DIS-2, DIS-3, KEEP-2).

    `schema` is what routes it. `error` says why it could not be read; it is kept all the same.
    `nsu` is empty for what was asked for by its key; a city's notes have a count of our own.
    """

    company = models.ForeignKey(
        Company, models.PROTECT, related_name="received_documents", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    source = models.CharField("origem", max_length=5, choices=Source.choices)
    nsu = models.PositiveBigIntegerField("NSU", null=True, blank=True)
    schema = models.CharField("schema", max_length=60)
    chave = models.CharField("chave", max_length=140, blank=True)
    content = models.BinaryField("conteúdo (zlib)")
    size = models.PositiveIntegerField("tamanho")
    sha256 = models.CharField("SHA-256", max_length=64)
    error = models.CharField("erro de leitura", max_length=300, blank=True)
    created_at = models.DateTimeField("recebido em")

    class Meta:
        verbose_name = "documento recebido"
        verbose_name_plural = "documentos recebidos"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "source", "nsu"], name="receiveddocument_nsu"
            )
        ]
        indexes = [
            models.Index(
                fields=["company", "ambiente", "chave", "nsu"], name="receiveddocument_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.schema} {self.nsu}"


class Manifestation(ConcurrentTransitionMixin, EventSteps, TenantModel):
    """The company's word on an NF-e issued against it: an event of the recipient (§10).

    A manifestação, which goes to the Ambiente Nacional, or another event that a recipient may say.
    (received, tp_evento, n_seq) is its natural key; the same kind is never registered twice.
    `is_adopted`: another program of the company registered it.
    """

    received = models.ForeignKey(
        ReceivedNfe, models.PROTECT, related_name="manifestations", verbose_name="NF-e"
    )
    tp_evento = models.CharField("evento", max_length=6)
    n_seq = models.PositiveSmallIntegerField("sequência", default=1)
    justificativa = models.CharField("justificativa", max_length=255, blank=True)
    is_adopted = models.BooleanField("registrada por outro programa", default=False)
    proc = models.BinaryField("procEventoNFe (zlib)", null=True, blank=True)
    registered_at = models.DateTimeField("registrada em", null=True, blank=True)
    created_at = models.DateTimeField("criada em")

    class Meta:
        verbose_name = "manifestação do destinatário"
        verbose_name_plural = "manifestações do destinatário"
        constraints = [
            models.UniqueConstraint(
                fields=["received", "tp_evento", "n_seq"],
                condition=~Q(state="rejeitado"),
                name="manifestation_once",
            ),
            models.CheckConstraint(
                condition=~Q(state="registrado") | ~Q(c_stat=""), name="manifestation_has_answer"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="manifestation_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tp_evento} {self.received_id}"
