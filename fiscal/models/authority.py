"""How the authorities are: shared by all companies (fiscal-engine §8.6, §8.7, §9)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class AuthorityStatus(models.Model):
    """The last status of a service, the failures of the last minute and the breaker."""

    authority = models.CharField("autoridade", max_length=10)  # SP, SVRS, SVC-AN, AN…
    uf = models.CharField("UF", max_length=2)
    modelo = models.PositiveSmallIntegerField("modelo")
    ambiente = models.CharField("ambiente", max_length=11)
    c_stat = models.CharField("cStat", max_length=10, blank=True)
    x_motivo = models.TextField("xMotivo", blank=True)
    checked_at = models.DateTimeField("consultada em", null=True, blank=True)
    n_failures = models.PositiveSmallIntegerField("falhas no minuto", default=0)
    failing_since = models.DateTimeField("falhando desde", null=True, blank=True)
    open_until = models.DateTimeField("sem chamadas até", null=True, blank=True)
    n_up = models.PositiveSmallIntegerField("respostas 107 seguidas", default=0)

    class Meta:
        verbose_name = "situação de autoridade"
        verbose_name_plural = "situação das autoridades"
        constraints = [
            models.UniqueConstraint(
                fields=["authority", "uf", "modelo", "ambiente"], name="authoritystatus_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.authority} {self.uf} {self.modelo} {self.ambiente}"


class Contingency(models.Model):
    """A time in contingency of a UF, model and environment (CON-1); open without `left_at`."""

    class Mode(models.IntegerChoices):
        EPEC = 4, "EPEC"
        SVC_AN = 6, "SVC-AN"
        SVC_RS = 7, "SVC-RS"
        OFFLINE = 9, "Offline"

    uf = models.CharField("UF", max_length=2)
    modelo = models.PositiveSmallIntegerField("modelo")
    ambiente = models.CharField("ambiente", max_length=11)
    company = models.ForeignKey(
        "fiscal.Company", models.CASCADE, null=True, blank=True, verbose_name="só da empresa"
    )
    mode = models.PositiveSmallIntegerField("forma de emissão", choices=Mode.choices)
    reason = models.CharField("motivo", max_length=256)
    entered_by = models.CharField("por", max_length=100, blank=True)  # blank: automatic
    entered_at = models.DateTimeField("desde")
    left_at = models.DateTimeField("até", null=True, blank=True)

    class Meta:
        verbose_name = "contingência"
        verbose_name_plural = "contingências"
        constraints = [
            models.UniqueConstraint(
                fields=["uf", "modelo", "ambiente"],
                condition=Q(left_at=None, company=None),
                name="contingency_one_open",
            ),
            models.UniqueConstraint(
                fields=["uf", "modelo", "ambiente", "company"],
                condition=Q(left_at=None, company__isnull=False),
                name="contingency_one_open_of_company",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.uf} {self.modelo}: {self.get_mode_display()}"


class Consumption(models.Model):
    """Calls of one taxpayer to one service about one subject in a window (656, §8.6)."""

    base = models.CharField("base do CNPJ", max_length=14)
    ambiente = models.CharField("ambiente", max_length=11)
    service = models.CharField("serviço", max_length=30)
    subject = models.CharField("assunto", max_length=64, blank=True)
    window_start = models.DateTimeField("desde")
    count = models.PositiveIntegerField("chamadas", default=0)
    blocked_until = models.DateTimeField("bloqueado até", null=True, blank=True)

    class Meta:
        verbose_name = "consumo de serviço"
        verbose_name_plural = "consumo de serviços"
        constraints = [
            models.UniqueConstraint(
                fields=["base", "ambiente", "service", "subject"], name="consumption_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.base} {self.service} {self.subject}"


class MunicipalParameter(models.Model):
    """What the national system says of a city (convênio, rates…), kept for a day (NAC-13).

    `name` is the path below parametrizacao, such as `3550308/convenio`.
    """

    ambiente = models.CharField("ambiente", max_length=11)
    name = models.CharField("parâmetro", max_length=120)
    answer = models.JSONField("resposta", default=dict, blank=True)
    status = models.PositiveSmallIntegerField("HTTP")
    asked_at = models.DateTimeField("perguntado em")

    class Meta:
        verbose_name = "parâmetro municipal"
        verbose_name_plural = "parâmetros municipais"
        constraints = [
            models.UniqueConstraint(fields=["ambiente", "name"], name="municipalparameter_once")
        ]

    def __str__(self) -> str:
        return self.name
