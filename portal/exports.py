"""The form of an export, and a long work as its page tells it (P19, B19)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms

from accounts.models import Job, JobError
from accounts.services.jobs import is_silent
from billing.services.exports.asking import LABELS, Period, What, label_of
from billing.services.exports.files import Stored, stored_of
from lib.br import date_br, parse_date
from portal.forms import PortalForm

ORDER = "A data de início deve ser igual ou anterior à data de término."
MOST_ERRORS = 200
_DATE = {"inputmode": "numeric", "autocomplete": "off", "data-data": "", "maxlength": "10"}


class DateField(forms.CharField):
    """A day as people type it: 12/08/2026 or 12082026."""

    widget = forms.TextInput(attrs=_DATE)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if text in self.empty_values:
            return None
        try:
            return parse_date(str(text))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class ExportForm(PortalForm):
    """What, and of which months."""

    o_que = forms.ChoiceField(
        label="O que exportar",
        choices=list(LABELS.items()),
        widget=forms.RadioSelect,
        initial=What.INVOICES,
        error_messages={"invalid_choice": "Escolha o que exportar."},
    )
    de = DateField(label="De", help_text="dd/mm/aaaa")
    ate = DateField(label="Até", help_text="dd/mm/aaaa")
    labels_for_required = {
        "o_que": "Escolha o que exportar.",
        "de": "Informe a data de início.",
        "ate": "Informe a data de término.",
    }

    @classmethod
    def of_this_year(cls, today: date) -> ExportForm:
        """As it is first shown: this year."""
        first, last = date(today.year, 1, 1), date(today.year, 12, 31)
        return cls(initial={"o_que": What.INVOICES, "de": date_br(first), "ate": date_br(last)})

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        first, last = given.get("de"), given.get("ate")
        if first and last and first > last:
            self.add_error("ate", ORDER)
            self._mark_errors()
        return given

    @property
    def period(self) -> Period:
        return Period(self.cleaned_data["de"], self.cleaned_data["ate"])


@dataclass(frozen=True)
class Shown:
    """A job for its page; `left` is a guess, None where there is nothing to guess from."""

    job: Job
    title: str
    stored: Stored | None
    errors: list[JobError]
    is_silent: bool
    elapsed: timedelta | None
    left: timedelta | None

    @property
    def done(self) -> int:
        return self.job.n_ok + self.job.n_failed

    @property
    def percent(self) -> int:
        return 100 * self.done // self.job.total if self.job.total else 0

    @property
    def text(self) -> str:
        """“132 de 312 (42%)”; what is in words as long as nothing was counted."""
        if self.job.total:
            return f"{self.done} de {self.job.total} ({self.percent}%)"
        return str(self.job.get_state_display())

    @property
    def spoken(self) -> str:
        """“Em andamento: 132 de 312 (42%)”, once."""
        state = str(self.job.get_state_display())
        return f"{state}: {self.text}" if self.job.total else state

    @property
    def chip(self) -> str:
        """The chip's class."""
        states = Job.State
        return {
            states.DONE: "ok", states.RUNNING: "info", states.FAILED: "erro",
            states.DONE_WITH_ERRORS: "atencao",
        }.get(states(self.job.state), "")  # fmt: skip

    @property
    def can_retry(self) -> bool:
        return bool(self.job.is_final and self.job.state != Job.State.DONE)


def shown(job: Job, *, now: datetime) -> Shown:
    """The job with all that its page tells; one query."""
    errors = list(job.errors.order_by("pk")[:MOST_ERRORS])
    elapsed = (job.finished_at or now) - job.started_at if job.started_at else None
    done, left = job.n_ok + job.n_failed, None
    if elapsed is not None and done and job.total and not job.is_final:
        left = elapsed / done * (job.total - done)
    return Shown(job, label_of(job), stored_of(job, now=now), errors, is_silent(job), elapsed, left)


def clock_text(value: timedelta | None) -> str:
    """`1 h 02 min`, `3 min 05 s` or `12 s`; a dash for nothing."""
    if value is None:
        return "—"
    seconds = max(0, int(value.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
