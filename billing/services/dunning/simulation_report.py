"""A simulation in figures for people: by step, and what was in fact paid after it (DUN-8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing.models import RulerStep
from billing.services.dunning.simulation import Happening, Result
from lib.br import date_br
from lib.money import brl, decimal_br

PAID_WITHIN = 10  # days after a step in which a receipt is told beside it
ZERO = Decimal("0.00")
CSV_HEADER = (
    "data", "passo", "canal", "acao", "cliente", "fatura", "parcela", "vencimento", "em_aberto",
    "previsto_para", "resultado", "recebida_em",
)  # fmt: skip


@dataclass
class StepFigures:
    """One step: how many parcels and customers it reached, with which sum (BRL).

    `messages` are those sent on their own, `merged` those told in a message of another step or
    parcel; `skipped` counts by reason. `paid` and `paid_amount` are of those that were received up
    to PAID_WITHIN days after.
    """

    parcels: int = 0
    customers: set[int] = field(default_factory=set)
    amount: Decimal = ZERO
    messages: int = 0
    merged: int = 0
    moved: int = 0
    paid: int = 0
    paid_amount: Decimal = ZERO
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, one: Happening) -> None:
        if not one.is_done:
            self.skipped[str(one.result)] += 1
            return
        self.parcels += 1
        self.customers.add(one.customer_id)
        self.amount += one.amount
        self.messages += one.result is Result.DONE
        self.merged += one.result is Result.MERGED
        self.moved += one.was_moved
        if one.paid_on is not None and 0 <= (one.paid_on - one.day).days <= PAID_WITHIN:
            self.paid += 1
            self.paid_amount += one.amount


@dataclass
class Report:
    """Figures by step id, in order of the steps."""

    start: date
    end: date
    steps: dict[int, StepFigures] = field(default_factory=dict)

    def add(self, one: Happening) -> None:
        self.steps.setdefault(one.step.id, StepFigures()).add(one)


def report_of(happenings: Iterable[Happening], *, start: date, end: date) -> Report:
    """All of them counted."""
    report = Report(start, end)
    for one in happenings:
        report.add(one)
    return report


def lines_of(report: Report, steps: Sequence[RulerStep]) -> list[str]:
    """The report in pt-BR, a line for each step and one for what was skipped of it."""
    period = f"De {date_br(report.start)} a {date_br(report.end)}, nada foi gravado:"
    lines = [period]
    for step in steps:
        figures = report.steps.get(step.pk, StepFigures())
        lines.append(f"  {name_of(step)}: {_reached(figures, is_email=step.channel == 'email')}")
        if figures.parcels:
            lines.append(f"    {_paid(figures)}")
        if figures.skipped:
            told = ", ".join(f"{n} {reason}" for reason, n in sorted(figures.skipped.items()))
            lines.append(f"    puladas: {told}")
    return lines


def name_of(step: RulerStep) -> str:
    """`3 dias depois, 9 h, E-mail: Lembrar`."""
    done = f"{step.get_channel_display()}: {step.get_action_display()}"
    return f"{when_of(step)}, {step.hour} h, {done}"


def when_of(step: RulerStep) -> str:
    """`5 dias antes`, `no vencimento`, `1 dia depois`."""
    n = abs(step.offset_days)
    if not n:
        return "no vencimento"
    return f"{n} {'dia' if n == 1 else 'dias'} {'antes' if step.offset_days < 0 else 'depois'}"


def csv_row(one: Happening, step: RulerStep) -> tuple[str, ...]:
    """A happening as a row of CSV_HEADER."""
    return (
        date_br(one.day), when_of(step), step.get_channel_display(),
        step.get_action_display(), one.customer, str(one.invoice_id), str(one.position),
        date_br(one.due), decimal_br(one.amount, 2), date_br(one.planned), str(one.result),
        date_br(one.paid_on) if one.paid_on else "",
    )  # fmt: skip


def _reached(figures: StepFigures, *, is_email: bool) -> str:
    if not figures.parcels:
        return "nenhuma parcela"
    told = (
        f"{figures.parcels} parcela(s) de {len(figures.customers)} cliente(s), "
        f"{brl(figures.amount)}"
    )
    if is_email:
        told += f"; {figures.messages} mensagem(ns), {figures.merged} juntada(s) a outra"
    return f"{told}; {figures.moved} movida(s) de dia"


def _paid(figures: StepFigures) -> str:
    return f"recebidas até {PAID_WITHIN} dias depois: {figures.paid} ({brl(figures.paid_amount)})"
