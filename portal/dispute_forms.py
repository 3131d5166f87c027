"""Forms of disputes: what is wrong, in words and with files; and what is written later (P09)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from billing.models import Dispute, InvoiceLine
from billing.services.disputes import words
from billing.services.disputes.uploads import ACCEPT, MAX_BYTES, TOO_BIG, Upload, check_uploads
from lib.errors import DomainError
from portal.forms import PortalForm

FILES_HINT = "PDF, PNG, JPG ou XLSX. Até 3 arquivos de 5 MB cada um."
LINES = "Escolha itens desta fatura."


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Some files, each checked by its content; cleaned to a list of Upload."""

    widget = FilesInput(attrs={"accept": ACCEPT})

    def clean(self, data: Any, initial: Any = None) -> list[Upload]:
        sent: list[UploadedFile | None] = [*data] if isinstance(data, list | tuple) else [data]
        found = []
        for one in sent:
            if not one:
                continue
            if (one.size or 0) > MAX_BYTES:
                raise ValidationError(TOO_BIG)
            found.append(Upload(one.name or "", one.read()))
        refused(lambda: check_uploads(found))
        return found


def refused(check: Callable[[], Any]) -> Any:
    """What `check` answers; its refusal as one of a form."""
    try:
        return check()
    except DomainError as error:
        raise ValidationError(error.mensagem) from error


class OpenForm(PortalForm):
    """What a dispute begins with; `itens` are ids of the invoice's lines."""

    motivo = forms.ChoiceField(
        label="O que está errado?",
        choices=Dispute.Reason.choices,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": "Informe o que está errado."},
    )
    itens = forms.TypedMultipleChoiceField(
        label="Itens da fatura", coerce=int, required=False, widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": LINES},
    )  # fmt: skip
    texto = forms.CharField(
        label="Explique por que não concorda",
        required=False,  # empty is too short, too
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=f"De {words.LEAST} a {words.MOST} caracteres.",
    )
    anexos = FilesField(label="Anexos", required=False, help_text=FILES_HINT)
    labels_for_required = {"motivo": "Informe o que está errado."}

    def __init__(self, *args: Any, lines: Sequence[InvoiceLine], **kwargs: Any) -> None:
        self.lines = lines
        super().__init__(*args, **kwargs)

    def full_clean(self) -> None:
        """With the invoice's lines as the choices of this form alone."""
        field: Any = self.fields["itens"]
        field.choices = [(one.pk, str(one)) for one in self.lines]
        super().full_clean()

    @property
    def chosen_lines(self) -> list[tuple[InvoiceLine, bool]]:
        """Every line, and whether it is marked."""
        sent = {str(value) for value in self["itens"].value() or ()}
        return [(one, str(one.pk) in sent) for one in self.lines]

    @property
    def reasons(self) -> list[tuple[str, str, bool]]:
        """(value, words, marked) of every reason."""
        return [
            (value, text, self["motivo"].value() == value) for value, text in Dispute.Reason.choices
        ]

    def clean_texto(self) -> str:
        text = self.cleaned_data["texto"]
        refused(lambda: words.explanation(text))
        return str(text)


class MessageForm(PortalForm):
    """A message in the thread."""

    texto = forms.CharField(
        label="Sua mensagem",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=f"Até {words.MOST} caracteres.",
    )
    anexos = FilesField(label="Anexos", required=False, help_text=FILES_HINT)

    def clean_texto(self) -> str:
        text = self.cleaned_data["texto"]
        refused(lambda: words.message(text))
        return str(text)
