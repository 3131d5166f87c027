"""What can be made again from the archive: prints and monthly files (fiscal-engine §15, §17)."""

from __future__ import annotations

from django.db import models

from accounts.models.account import TenantModel
from fiscal.models.company import Company
from fiscal.models.document import FiscalDocument
from fiscal.models.service_note import ServiceNote


class _Print(models.Model):
    """A rendered print; `source_hash` says from what it was made (PDF-1).

    Never trusted: a row of another source, or whose bytes changed, is rendered again.
    """

    name = models.CharField("impresso", max_length=10)
    source_hash = models.CharField("resumo da origem", max_length=64)
    content_hash = models.CharField("resumo do conteúdo", max_length=64)
    size = models.PositiveIntegerField("tamanho (bytes)")
    created_at = models.DateTimeField("gerado em")
    last_accessed = models.DateTimeField("último acesso")
    data = models.BinaryField()  # last: SQLite walks through it to reach what comes behind

    class Meta:
        abstract = True


class PrintCache(_Print):
    """Of a document; `name` is `danfe` or `cce-N`."""

    document = models.ForeignKey(
        FiscalDocument, models.CASCADE, related_name="prints", verbose_name="documento"
    )

    class Meta:
        verbose_name = "impresso fiscal em cache"
        verbose_name_plural = "impressos fiscais em cache"
        constraints = [models.UniqueConstraint(fields=["document", "name"], name="printcache_key")]
        indexes = [
            models.Index(fields=["last_accessed", "size"], name="printcache_last_accessed"),
            models.Index(fields=["created_at"], name="printcache_created"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.document_id}"


class ServicePrint(_Print):
    """Of a service note."""

    note = models.ForeignKey(
        ServiceNote, models.CASCADE, related_name="prints", verbose_name="nota de serviço"
    )

    class Meta:
        verbose_name = "impresso de nota de serviço em cache"
        verbose_name_plural = "impressos de notas de serviço em cache"
        constraints = [models.UniqueConstraint(fields=["note", "name"], name="serviceprint_key")]
        indexes = [
            models.Index(fields=["last_accessed", "size"], name="serviceprint_last_accessed")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.note_id}"


class Backup(TenantModel):
    """The files of a company's month in produção: a ZIP of XML and one of DANFEs (§15, KEEP-2).

    `xmls` and `danfes` are names in the storage, empty while there is no finished file. A build
    goes on from task to task: `work` is the unfinished file, `position` the last name inside it.
    """

    class Part(models.TextChoices):
        XMLS = "xmls", "XML"
        DANFES = "danfes", "DANFE"

    company = models.ForeignKey(Company, models.PROTECT, related_name="backups")
    month = models.CharField("mês (AAAAMM)", max_length=6)
    xmls = models.CharField("arquivo de XML", max_length=200, blank=True)
    danfes = models.CharField("arquivo de DANFE", max_length=200, blank=True)
    part = models.CharField("em preparo", max_length=6, choices=Part.choices, blank=True)
    work = models.CharField("arquivo em preparo", max_length=200, blank=True)
    position = models.CharField("último documento incluído", max_length=120, blank=True)
    n_files = models.PositiveIntegerField("arquivos", default=0)
    started_at = models.DateTimeField("começado em", null=True, blank=True)
    next_attempt_at = models.DateTimeField("continua em", null=True, blank=True)
    built_at = models.DateTimeField("pronto em", null=True, blank=True)

    class Meta:
        verbose_name = "backup"
        verbose_name_plural = "backups"
        constraints = [models.UniqueConstraint(fields=["company", "month"], name="backup_month")]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="backup_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.company_id} {self.month}"
