"""Price index values: from a file or the Central Bank into the database (IDX-9)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from billing.engine.schedule import add_months
from billing.models import SGS_SERIES, PriceIndex, PriceIndexValue
from billing.selectors.indexes import last_month, missing_months
from lib import br, clock
from lib.errors import FieldError, GatewayRefused, InvalidInput
from lib.http import get_json
from lib.tabular import BadFile, Limits, check_file, find_encoding

log = logging.getLogger(__name__)

FIRST_MONTH = date(1999, 1, 1)  # a year before the first readjustment allowed (IDX-4)
OVERLAP_MONTHS = 24  # read again each time, so that corrections are seen
MAX_PERCENT = 100  # beyond it, in a month, it is a level or a slip, not a variation
_ATTEMPTS = 3
_LIMITS = Limits(size=2_000_000)

_LINE = re.compile(r'"?([0-9]{1,2}/[0-9/]{4,7}|[0-9-]{10})"?\s*[;,\t]\s*"?([^";\t]*)"?;?')
_DAY = re.compile(r"(?:([0-9]{1,2})/)?([0-9]{1,2})/([0-9]{4})")  # the day may be left out
_NUMBER = re.compile(r"-?[0-9]{1,6}(?:[.,][0-9]{1,6})?")
_UNPUBLISHED = ("", "-", "...")
_SOURCE_LINE = re.compile(r'"?(fonte|source)\b', re.IGNORECASE)


@dataclass(frozen=True)
class Correction:
    """A published month whose value changed; percents."""

    month: date
    before: Decimal
    after: Decimal


@dataclass
class StoreReport:
    """What storing did. `gaps` are months without value between the first and the last stored."""

    index: str
    created: int = 0
    unchanged: int = 0
    corrected: list[Correction] = field(default_factory=list)
    gaps: list[date] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# --- storing -------------------------------------------------------------------------------------


def store_values(index: str, values: Mapping[date, Decimal], *, source: str) -> StoreReport:
    """Keep the monthly variations of an index, in percent; any day of the month stands for it.

    A month whose value changed gets a new version, told in the report and in the log; readjustments
    already executed stay as they are. Safe to repeat and to run twice at the same time. Raises
    InvalidInput, with every fault, and then stores nothing.
    """
    index = known_index(index)
    months = _checked(values)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            report = _store(index, months, source)
            break
        except IntegrityError:
            # Another process stored the same months meanwhile: look again, they are there now.
            if attempt == _ATTEMPTS:
                raise
    for item in report.corrected:
        log.warning(
            "index.corrected",
            extra={
                "index": index,
                "month": item.month.isoformat(),
                "before": str(item.before),
                "after": str(item.after),
            },
        )
    return report


def known_index(index: str) -> str:
    """The index's own code; InvalidInput for one that does not exist."""
    code = re.sub(r"[^a-z]", "", br.fold(index))
    if code not in PriceIndex.values:
        known = ", ".join(PriceIndex.values)
        raise InvalidInput(f"Índice desconhecido: {index}. Use: {known}.")
    return code


def _checked(values: Mapping[date, Decimal]) -> dict[date, Decimal]:
    """Values by first day of the month, or InvalidInput with all that is wrong."""
    months: dict[date, Decimal] = {}
    faults = []
    current = clock.today().replace(day=1)
    for day, percent in sorted(values.items()):
        month = day.replace(day=1)
        fault = _fault(month, percent, current=current)
        if months.setdefault(month, percent) != percent:
            fault = f"há dois valores para o mês: {_br(months[month])} e {_br(percent)}."
        if fault:
            faults.append(FieldError(f"{month:%m/%Y}", fault))
    if not months:
        raise InvalidInput("Não há nenhum valor de índice.")
    if faults:
        raise InvalidInput("Há valores de índice inválidos; nada foi gravado.", erros=faults)
    return months


def _fault(month: date, percent: Decimal, *, current: date) -> str:
    if month > current:
        return "mês que ainda não terminou nem foi publicado."
    if not percent.is_finite() or abs(percent) > MAX_PERCENT:
        return f"variação de {_br(percent)}% no mês; use a variação mensal em %, até 100."
    if percent != round(percent, 6):
        return f"{_br(percent)} tem mais de 6 casas decimais."
    return ""


def _br(value: Decimal) -> str:
    return str(value).replace(".", ",")


@transaction.atomic
def _store(index: str, months: dict[date, Decimal], source: str) -> StoreReport:
    rows = PriceIndexValue.objects.filter(index=index, month__in=months, is_current=True)
    current = {row.month: row for row in rows.select_for_update().order_by("month")}
    report = StoreReport(index)
    new = []
    for month, percent in months.items():
        row = current.get(month)
        if row is not None and row.percent == percent:
            report.unchanged += 1
            continue
        if row is None:
            report.created += 1
        else:
            report.corrected.append(Correction(month, row.percent, percent))
        new.append(_version(index, month, percent, source, after=row))
    replaced = [current[item.month].pk for item in report.corrected]
    PriceIndexValue.objects.filter(pk__in=replaced).update(is_current=False)
    PriceIndexValue.objects.bulk_create(new)
    report.gaps = missing_months(index)
    return report


def _version(
    index: str, month: date, percent: Decimal, source: str, *, after: PriceIndexValue | None
) -> PriceIndexValue:
    return PriceIndexValue(
        index=index,
        month=month,
        percent=percent,
        source=source[:30],
        version=after.version + 1 if after else 1,
        published_at=clock.now(),
    )


# --- from a file ---------------------------------------------------------------------------------


def import_index(index: str, path: Path) -> StoreReport:
    """Store the months of a CSV in the layout of SGS. Raises BadFile or InvalidInput."""
    known_index(index)
    return store_values(index, read_values(path), source="arquivo")


def read_values(path: Path) -> dict[date, Decimal]:
    """Monthly variations of a CSV `data;valor`: from the SGS service or its site.

    Dates dd/mm/aaaa, mm/aaaa or aaaa-mm-dd; decimals with comma or dot; quotes, separator and
    encoding as they come. Lines before the first date are titles. Raises BadFile with every line
    that cannot be read.
    """
    if check_file(path, _LIMITS) != "csv":
        raise BadFile("Salve o arquivo do índice como .csv (data;valor).")
    with path.open(encoding=find_encoding(path)) as file:
        values, faults = _read_lines(file)
    if faults:
        raise BadFile("Há linhas que não puderam ser lidas; nada foi gravado.", erros=faults)
    if not values:
        raise BadFile("O arquivo não tem linhas com data e valor, como 01/01/2025;0,16.")
    return values


def _read_lines(lines: Iterable[str]) -> tuple[dict[date, Decimal], list[FieldError]]:
    values: dict[date, Decimal] = {}
    faults = []
    has_begun = False
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        found = _LINE.fullmatch(text)
        has_begun = has_begun or found is not None
        if not has_begun or not text or _SOURCE_LINE.match(text):
            continue
        try:
            _add(values, found)
        except ValueError as error:
            faults.append(FieldError(f"linha {number}", f"“{text[:60]}”: {error}"))
    return values, faults


def _add(values: dict[date, Decimal], found: re.Match[str] | None) -> None:
    if found is None:
        raise ValueError("use data;valor, como 01/01/2025;0,16.")
    month, number = _month(found[1]), found[2].strip()
    if number in _UNPUBLISHED:
        return
    if not _NUMBER.fullmatch(number):
        raise ValueError("valor inválido; use a variação do mês em %, como 0,16.")
    percent = Decimal(number.replace(",", "."))
    if values.setdefault(month, percent) != percent:
        raise ValueError(f"o mês já veio com outro valor ({_br(values[month])}).")


def _month(text: str) -> date:
    short = _DAY.fullmatch(text)
    if short:
        text = f"{short[1] or 1:0>2}/{short[2]:0>2}/{short[3]}"
    return br.parse_date(text).replace(day=1)


# --- from the Central Bank -----------------------------------------------------------------------


def fetch_index(index: str, *, since: date | None = None) -> StoreReport:
    """Read an index from SGS (IDX-9) and store it.

    Without `since`, from two years before the last stored month, so that corrections are seen; all
    of it the first time. Raises GatewayUnavailable (try later), GatewayRefused or InvalidInput.
    """
    code = known_index(index)
    start = since or _start(code)
    today = clock.today()
    if start > today:
        raise InvalidInput(f"A data inicial {br.date_br(start)} está no futuro.")
    answer = get_json(
        settings.SGS_URL.format(series=SGS_SERIES[PriceIndex(code)]),
        params={
            "formato": "json",
            "dataInicial": br.date_br(start),
            "dataFinal": br.date_br(today),
        },
    )
    return store_values(code, _from_answer(answer), source="SGS")


def _start(index: str) -> date:
    last = last_month(index)
    return FIRST_MONTH if last is None else max(FIRST_MONTH, add_months(last, -OVERLAP_MONTHS))


def _from_answer(answer: Any) -> dict[date, Decimal]:
    """`[{"data": "01/01/2025", "valor": "0.16"}, …]`, values as text, never float."""
    values: dict[date, Decimal] = {}
    try:
        for item in answer:
            if not _NUMBER.fullmatch(item["valor"]):
                raise ValueError(item["valor"])
            month = br.parse_date(item["data"]).replace(day=1)
            percent = Decimal(item["valor"].replace(",", "."))
            if values.setdefault(month, percent) != percent:
                raise ValueError(item["data"])
    except (TypeError, KeyError, ValueError) as error:
        raise GatewayRefused("o Banco Central respondeu em formato inesperado") from error
    return values
