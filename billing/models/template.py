"""Printed templates and the cache of what they printed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel, User
from billing.models.party import Party


class DocumentTemplate(TenantModel):
    """An invoice layout of an organization (HTML and CSS in versions)."""

    organization = models.ForeignKey(
        Party, models.CASCADE, related_name="document_templates", verbose_name="organização"
    )
    name = models.CharField("nome", max_length=100)
    language = models.CharField("idioma", max_length=10, default="pt-BR")
    is_default = models.BooleanField("padrão", default=False)
    active_version = models.ForeignKey(
        "DocumentTemplateVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="versão ativa",
    )

    class Meta:
        verbose_name = "modelo de documento"
        verbose_name_plural = "modelos de documentos"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="template_name"),
            models.UniqueConstraint(
                fields=["organization", "language"],
                condition=Q(is_default=True),
                name="template_default_per_language",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DocumentTemplateVersion(models.Model):
    """One immutable text of a template (append-only)."""

    template = models.ForeignKey(
        DocumentTemplate, models.PROTECT, related_name="versions", verbose_name="modelo"
    )
    number = models.PositiveIntegerField("versão")
    html = models.TextField("HTML")
    css = models.TextField("CSS", blank=True)
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField("criada em")
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="criada por"
    )

    class Meta:
        verbose_name = "versão de modelo"
        verbose_name_plural = "versões de modelos"
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="templateversion_number")
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"


class Asset(TenantModel):
    """A picture that documents printed, kept by its content (append-only).

    An organization may change its logo; what was emitted before goes on printing the one of its
    snapshot, also after the cache was purged (PDF-5).
    """

    sha256 = models.CharField("resumo", max_length=64)
    content_type = models.CharField("tipo", max_length=30)
    created_at = models.DateTimeField("guardado em")
    data = models.BinaryField()

    class Meta:
        verbose_name = "imagem de documentos"
        verbose_name_plural = "imagens de documentos"
        constraints = [models.UniqueConstraint(fields=["account", "sha256"], name="asset_sha256")]

    def __str__(self) -> str:
        return self.sha256[:12]


class PdfCache(models.Model):
    """A rendered invoice. It can always be rebuilt; `source_hash` says from what it was made."""

    invoice = models.ForeignKey(
        "billing.Invoice", models.CASCADE, related_name="pdfs", verbose_name="fatura"
    )
    template_version = models.ForeignKey(
        DocumentTemplateVersion, models.PROTECT, related_name="+", verbose_name="versão do modelo"
    )
    language = models.CharField(max_length=10, verbose_name="idioma")
    source_hash = models.CharField(max_length=64, verbose_name="resumo da origem")
    content_hash = models.CharField(max_length=64, verbose_name="resumo do conteúdo")
    size = models.PositiveIntegerField(verbose_name="tamanho (bytes)")
    pages = models.PositiveSmallIntegerField(verbose_name="páginas")
    created_at = models.DateTimeField(verbose_name="gerado em")
    last_accessed = models.DateTimeField(verbose_name="último acesso")
    data = models.BinaryField()  # last: SQLite walks through it to reach what comes behind

    class Meta:
        verbose_name = "PDF em cache"
        verbose_name_plural = "PDFs em cache"
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "template_version", "language"], name="pdfcache_key"
            )
        ]
        indexes = [
            models.Index(fields=["last_accessed", "size"], name="pdfcache_last_accessed"),
            models.Index(fields=["created_at"], name="pdfcache_created"),
        ]

    def __str__(self) -> str:
        return f"PDF {self.invoice_id}"
