"""What stands around a password: failures that are counted, second factors, open sessions."""

from __future__ import annotations

from django.db import models

from accounts.models.user import User


class Attempt(models.Model):
    """Something that may be done only so often: a failed sign-in, a request for a link.

    `key` is a SHA-256 of whom it is counted for, so that no address is kept. Counted in the
    database, or each web process would allow the full number.
    """

    kind = models.CharField("tipo", max_length=20)
    key = models.CharField("de quem", max_length=64)
    at = models.DateTimeField("quando")

    class Meta:
        verbose_name = "tentativa"
        verbose_name_plural = "tentativas"
        indexes = [
            models.Index(fields=["kind", "key", "at"], name="attempt_of"),
            models.Index(fields=["at"], name="attempt_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"


class SecondFactor(models.Model):
    """A user's TOTP (RFC 6238, SHA-1, 6 digits, 30 s); in force from `confirmed_at` on.

    `secret` is base32, encrypted with lib.crypto. `last_step` is the time step of the last code
    that was taken: neither it nor an earlier one is taken again.
    """

    user = models.OneToOneField(
        User, models.CASCADE, related_name="second_factor", verbose_name="usuário"
    )
    secret = models.TextField("segredo", editable=False)
    confirmed_at = models.DateTimeField("ativado em", null=True, blank=True)
    last_step = models.BigIntegerField("último intervalo usado", default=0, editable=False)

    class Meta:
        verbose_name = "verificação em duas etapas"
        verbose_name_plural = "verificações em duas etapas"

    def __str__(self) -> str:
        return str(self.user)


class RecoveryCode(models.Model):
    """A code for whoever lost the phone; the hash of it, and when it was used."""

    user = models.ForeignKey(
        User, models.CASCADE, related_name="recovery_codes", verbose_name="usuário"
    )
    digest = models.CharField("resumo", max_length=64, editable=False)
    used_at = models.DateTimeField("usado em", null=True, blank=True)

    class Meta:
        verbose_name = "código de recuperação"
        verbose_name_plural = "códigos de recuperação"
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code")]

    def __str__(self) -> str:
        return str(self.user)


class UserSession(models.Model):
    """A browser that is signed in; ending it deletes the session it names.

    `digest` is the SHA-256 of the session key, so that this table opens no door.
    """

    user = models.ForeignKey(
        User, models.CASCADE, related_name="user_sessions", verbose_name="usuário"
    )
    digest = models.CharField("resumo", max_length=64, unique=True, editable=False)
    user_agent = models.CharField("navegador", max_length=300, blank=True)
    ip = models.GenericIPAddressField("IP", null=True, blank=True)
    is_remembered = models.BooleanField("manter conectado", default=False)
    created_at = models.DateTimeField("aberta em")
    seen_at = models.DateTimeField("último uso")
    ended_at = models.DateTimeField("encerrada em", null=True, blank=True)

    class Meta:
        verbose_name = "sessão"
        verbose_name_plural = "sessões"

    def __str__(self) -> str:
        return f"{self.user} {self.created_at}"
