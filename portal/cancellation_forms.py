"""Forms that end contracts: the last day, and why, if the customer wants to say it (P13, P14)."""

from __future__ import annotations

from typing import Any

from django import forms

from billing.services.cancellations import DAY, LONGEST_COMMENT, Ending, Offer
from lib.br import parse_date
from lib.errors import InvalidInput
from portal.forms import PortalForm

REASONS = (
    "Não preciso mais do serviço",
    "Preço",
    "Troquei de fornecedor",
    "Problemas com o serviço",
    "Encerramento da empresa",
    "Outro",
)


class _ReasonForm(PortalForm):
    """Neither reason nor comment is asked for twice, or at all."""

    motivo = forms.ChoiceField(
        label="Motivo",
        required=False,
        choices=[("", "Prefiro não dizer"), *((text, text) for text in REASONS)],
        error_messages={"invalid_choice": "Escolha um dos motivos da lista."},
    )
    comentario = forms.CharField(
        label="Comentário",
        required=False,
        max_length=LONGEST_COMMENT,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    versao = forms.CharField(required=False, widget=forms.HiddenInput)

    def take(self, error: InvalidInput) -> None:
        """Show what the service refused beside its field."""
        for fault in error.erros:
            self.add_error(fault.campo if fault.campo in self.fields else None, fault.mensagem)
        self._mark_errors()


class OneForm(_ReasonForm):
    """`ultimo_dia` is one of the days of `offer`."""

    ultimo_dia = forms.CharField(label="Último dia de serviço", required=False)

    def __init__(self, *args: Any, offer: Offer, **kwargs: Any) -> None:
        self.offer = offer
        super().__init__(*args, **kwargs)

    def clean_ultimo_dia(self) -> Any:
        try:
            return parse_date(self.cleaned_data["ultimo_dia"])
        except ValueError as error:
            raise forms.ValidationError(DAY) from error

    @property
    def days(self) -> list[tuple[Ending, bool]]:
        """The days that are offered, and which one is chosen."""
        chosen = str(self["ultimo_dia"].value() or "")
        days = [f"{one.on:%Y-%m-%d}" for one in self.offer.endings]
        chosen = chosen if chosen in days else days[0]
        pairs = zip(self.offer.endings, days, strict=True)
        return [(ending, day == chosen) for ending, day in pairs]


class EverythingForm(_ReasonForm):
    """`confirmacao` must be ticked; the service says so where it is not."""

    confirmacao = forms.BooleanField(label="Confirmação", required=False)
