"""API tokens: shown once, kept as a hash."""

from __future__ import annotations

from django.db import models

from accounts.models.account import TenantModel


class ApiToken(TenantModel):
    """A named, scoped, revocable key of an integration. Only its SHA-256 is stored."""

    class Scope(models.TextChoices):
        BILLING = "billing", "Cobrança (/api/v1)"
        FISCAL = "fiscal", "Documentos fiscais (/v2)"
        MASTER = "master", "Administração"

    class Ambiente(models.TextChoices):
        HOMOLOGACAO = "homologacao", "Homologação"
        PRODUCAO = "producao", "Produção"

    name = models.CharField("nome", max_length=100)
    scope = models.CharField("escopo", max_length=10, choices=Scope.choices)
    company_cnpj = models.CharField("CNPJ da empresa", max_length=14, blank=True)
    ambiente = models.CharField("ambiente", max_length=11, choices=Ambiente.choices, blank=True)
    prefix = models.CharField("início", max_length=8)
    digest = models.CharField("resumo", max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField("criado em", auto_now_add=True)
    last_used_at = models.DateTimeField("último uso", null=True, blank=True)
    revoked_at = models.DateTimeField("revogado em", null=True, blank=True)

    class Meta:
        verbose_name = "token de API"
        verbose_name_plural = "tokens de API"
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(scope="fiscal")
                | (~models.Q(company_cnpj="") & ~models.Q(ambiente="")),
                name="apitoken_fiscal_names_company",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_authenticated(self) -> bool:
        """The API framework takes the token itself as the acting user."""
        return True
