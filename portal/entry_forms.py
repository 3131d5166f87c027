"""Forms around a password: the door, invitations, another password, codes, people."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.services.password_rules import LONGEST, MISMATCH, faults_of
from billing.models import CustomerAccess
from billing.services.emails.recipients import is_address
from portal.forms import PortalForm, TextField

INVALID_EMAIL = "E-mail inválido. Confira se tem @ e domínio."


class EmailField(forms.CharField):
    """An address as typed, without spaces around it."""

    def __init__(self, *, check: bool = True, autocomplete: str = "email") -> None:
        attrs = {"autocomplete": autocomplete, "spellcheck": "false", "autocapitalize": "none"}
        super().__init__(label="E-mail", max_length=254, widget=forms.EmailInput(attrs))
        self.is_checked = check
        self.error_messages["max_length"] = INVALID_EMAIL

    def clean(self, value: Any) -> str:
        text = str(super().clean(value))
        if self.is_checked and not is_address(text):
            raise forms.ValidationError(INVALID_EMAIL)
        return text


class PasswordField(forms.CharField):
    """A password: every character counts, and it never comes back to the page."""

    def __init__(self, label: str, *, autocomplete: str) -> None:
        widget = forms.PasswordInput({"autocomplete": autocomplete, "data-senha": ""})
        super().__init__(label=label, max_length=LONGEST, strip=False, widget=widget)


class SignInForm(PortalForm):
    """What is no address is answered like a wrong one."""

    email = EmailField(check=False, autocomplete="username")
    password = PasswordField("Senha", autocomplete="current-password")
    remember = forms.BooleanField(label="Manter conectado neste dispositivo", required=False)
    labels_for_required = {"email": "Informe o e-mail.", "password": "Informe a senha."}


class AddressForm(PortalForm):
    """Only an address."""

    email = EmailField(autocomplete="username")
    labels_for_required = {"email": "Informe o e-mail."}


class PasswordForm(PortalForm):
    """The password of a known person."""

    password = PasswordField("Sua senha", autocomplete="current-password")
    labels_for_required = {"password": "Informe sua senha."}


class NewPasswordForm(PortalForm):
    """Another password, twice. `email` is whose it will be."""

    password = PasswordField("Nova senha", autocomplete="new-password")
    again = PasswordField("Repita a nova senha", autocomplete="new-password")
    labels_for_required = {"password": "Informe a nova senha.", "again": "Repita a nova senha."}

    def __init__(self, *args: Any, email: str = "", **kwargs: Any) -> None:
        self.email = email
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = "Pelo menos 12 caracteres."

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        password, again = data.get("password"), data.get("again")
        if password:
            for text in faults_of(password, email=self.email):
                self.add_error("password", text)
        if password and again and password != again:
            self.add_error("again", MISMATCH)
        return data


class _Acknowledged(forms.Form):
    privacy = forms.BooleanField(label="Li o aviso de privacidade")


_READ = {"privacy": "Informe que leu o aviso de privacidade."}


class FirstPasswordForm(NewPasswordForm, _Acknowledged):
    """“Crie sua senha”, with the notice read."""

    labels_for_required = {
        "password": "Informe a senha.", "again": "Informe a senha outra vez.", **_READ,
    }  # fmt: skip
    field_order = ("password", "again", "privacy")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].label, self.fields["again"].label = "Senha", "Repita a senha"


class KnownPasswordForm(PasswordForm, _Acknowledged):
    """Of an invited person who has a password already."""

    labels_for_required = {**PasswordForm.labels_for_required, **_READ}
    field_order = ("password", "privacy")


class CodeForm(PortalForm):
    """What the telephone shows."""

    code = forms.CharField(
        label="Código de 6 dígitos",
        max_length=20,
        widget=forms.TextInput(
            {"inputmode": "numeric", "autocomplete": "one-time-code", "spellcheck": "false"}
        ),
    )
    labels_for_required = {"code": "Informe o código de 6 dígitos."}


class RecoveryForm(PortalForm):
    """One of the codes on paper."""

    code = forms.CharField(
        label="Código de recuperação",
        max_length=40,
        widget=forms.TextInput(
            {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters"}
        ),
    )
    labels_for_required = {"code": "Informe um código de recuperação."}


class InviteForm(PortalForm):
    """Somebody who shall come in."""

    nome = TextField(label="Nome", max_length=200, required=False)
    email = EmailField()
    papel = forms.ChoiceField(
        label="Papel", choices=CustomerAccess.Role.choices, initial=CustomerAccess.Role.LEITURA
    )
    labels_for_required = {"email": "Informe o e-mail.", "papel": "Informe o papel."}


class RoleForm(PortalForm):
    """What somebody may do."""

    papel = forms.ChoiceField(label="Papel", choices=CustomerAccess.Role.choices)
    labels_for_required = {"papel": "Informe o papel."}
