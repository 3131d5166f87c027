"""Texts of the e-mails that tell customers about invoices."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.kept import KeepsSent
from billing.models.party import Party

_NAMED = re.compile(r"[^<>]*<([^<>]+)>")


def check_address(value: str) -> None:
    """`ana@exemplo.com.br`, or `Ana Souza <ana@exemplo.com.br>`."""
    named = _NAMED.fullmatch(value.strip())
    try:
        if not value.strip().isprintable():  # a header ends where a line does
            raise ValidationError("")
        validate_email(named[1].strip() if named else value.strip())
    except ValidationError as error:
        raise ValidationError(f"E-mail inválido: {value.strip()[:80]}") from error


def check_addresses(value: str) -> None:
    """Addresses separated by commas or semicolons; a trailing separator is no fault."""
    for address in re.split(r"[,;]", value):
        if address.strip():
            check_address(address)


class EmailTemplate(TenantModel, KeepsSent):
    """An e-mail of an organization; subject and body carry substitution tags (billing-api §6.12).

    `include_…` say what is attached when it is sent (EM-4).
    """

    organization = models.ForeignKey(
        Party, models.CASCADE, related_name="email_templates", verbose_name="organização"
    )
    name = models.CharField("nome", max_length=200)
    subject = models.CharField("assunto", max_length=300)
    body = models.TextField("mensagem")
    sender = models.CharField(
        "remetente", max_length=300, blank=True, validators=[check_address],
        help_text="Vazio: o remetente da instalação.",
    )  # fmt: skip
    cc = models.CharField(
        "cópia para", max_length=1000, blank=True, validators=[check_addresses],
        help_text="E-mails separados por vírgula.",
    )  # fmt: skip
    description = models.TextField("descrição", blank=True)
    include_billet = models.BooleanField("anexa o boleto", default=True)
    include_nfse_pdf = models.BooleanField("anexa o PDF da NFS-e", default=False)
    include_nfse_xml = models.BooleanField("anexa o XML da NFS-e", default=False)
    include_attachments = models.BooleanField("anexa os arquivos da fatura", default=False)
    include_invoice_pdf = models.BooleanField("anexa o PDF da fatura", default=False)
    default_template = models.BooleanField("padrão", default=False)
    subscription_default_template = models.BooleanField("padrão das assinaturas", default=False)
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    class Meta:
        verbose_name = "modelo de e-mail"
        verbose_name_plural = "modelos de e-mail"
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(default_template=True),
                name="emailtemplate_default",
                violation_error_message="Esta organização já tem um modelo de e-mail padrão.",
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(subscription_default_template=True),
                name="emailtemplate_subscription_default",
                violation_error_message=(
                    "Esta organização já tem um modelo de e-mail padrão das assinaturas."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name
