"""People who sign in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property

from accounts.models.account import Account


class UserManager(BaseUserManager["User"]):
    """Users are known by e-mail, case-insensitively."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user; without password the account can only be entered by invitation."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_superuser=True, **fields)


class User(AbstractBaseUser):
    """A person. Staff act for accounts through `Membership`; customers through their parties.

    `is_superuser` is the operator of the installation, who sees every account.
    """

    email = models.EmailField("e-mail", unique=True)
    name = models.CharField("nome", max_length=200, blank=True)
    is_active = models.BooleanField("ativo", default=True)
    is_superuser = models.BooleanField("operador da instalação", default=False)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = "usuário"
        verbose_name_plural = "usuários"
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_ci")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_staff(self) -> bool:
        """May enter the back-office: the operator, or a member of some account's staff."""
        return self.is_superuser or bool(self.roles)

    @cached_property
    def roles(self) -> dict[int, str]:
        """Staff role by account id, active accounts only; read once for each loaded user."""
        return dict(
            self.memberships.filter(account__is_active=True).values_list("account_id", "role")
        )

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's admin asks here; the answer comes from the one permission table."""
        from accounts.access import may_use_model

        return self.is_active and may_use_model(self, perm)

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff


class Membership(models.Model):
    """A user's staff role in an account."""

    class Role(models.TextChoices):
        ADMIN = "admin", "Administração"
        FINANCEIRO = "financeiro", "Financeiro"
        FISCAL = "fiscal", "Fiscal"
        SUPORTE = "suporte", "Suporte"

    user = models.ForeignKey(
        User, models.CASCADE, related_name="memberships", verbose_name="usuário"
    )
    account = models.ForeignKey(
        Account, models.CASCADE, related_name="memberships", verbose_name="conta"
    )
    role = models.CharField("papel", max_length=20, choices=Role.choices)

    class Meta:
        verbose_name = "papel na equipe"
        verbose_name_plural = "papéis na equipe"
        constraints = [
            models.UniqueConstraint(fields=["user", "account"], name="membership_user_account")
        ]

    def __str__(self) -> str:
        return f"{self.user} – {self.get_role_display()}"
