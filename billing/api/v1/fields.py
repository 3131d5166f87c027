"""Values of /api/v1 as they are written on the wire (billing-api §1.7), in and out.

Input fields have `read(value)`: the Python value, or Refused with the message of the catalogue.
Output fields have `show(value)`: what stands in the JSON; None is always null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from rest_framework import serializers

from billing.messages import BLANK, INVALID, NOT_LISTED, NOT_NUMBER, TOO_HIGH
from lib.br import cnpj_mask, date_br
from lib.clock import SAO_PAULO
from lib.money import api_decimal

MAX_ID = 2**63 - 1
UNKNOWN_ID = -1  # a reference that no row can have

_ZONE = ZoneInfo(SAO_PAULO)
_DATES = (
    re.compile(r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})", re.ASCII),
)
_MONTHS = (
    re.compile(r"(?P<m>\d{1,2})/(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})", re.ASCII),
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_OLDEST, _NEWEST = 1900, 2200


class Refused(Exception):
    """A value that its field cannot take; the text is for whoever sent it."""


def parse_date(value: Any) -> date | None:
    """A date in one of the three formats; None for anything else (§1.7)."""
    return _parse(value, _DATES)


def parse_month(value: Any) -> date | None:
    """First day of `mm/yyyy` (or `yyyy-mm`, or of the month of a date); None for anything else."""
    day = _parse(value, _MONTHS) or parse_date(value)
    return day.replace(day=1) if day else None


def _parse(value: Any, patterns: tuple[re.Pattern[str], ...]) -> date | None:
    if not isinstance(value, str):
        return None
    for pattern in patterns:
        if match := pattern.fullmatch(value.strip()):
            parts = {name: int(text) for name, text in match.groupdict().items()}
            if not _OLDEST <= parts["y"] <= _NEWEST:
                return None
            try:
                return date(parts["y"], parts["m"], parts.get("d", 1))
            except ValueError:
                return None
    return None


def parse_decimal(value: Any) -> Decimal | None:
    """A JSON number or numeric text of a size that money may have; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip() if isinstance(value, str) else None
    if text is not None and not (len(text) <= 40 and _NUMBER.fullmatch(text)):
        return None
    if text is None and not isinstance(value, int | Decimal):
        return None
    try:
        number = Decimal(text if text is not None else value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def parse_id(value: Any) -> int | None:
    """An id given as number or text; None for anything else, UNKNOWN_ID when out of range."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,30}", value.strip(), re.ASCII):
        value = int(value.strip())  # strip() takes more for space than int() does
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_ID else UNKNOWN_ID


def parse_bool(value: Any) -> bool | None:
    """A JSON boolean, or its usual texts."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int):
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    return None


def is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


# --- in ----------------------------------------------------------------------------------------


class InField:
    """What the fields below have in common: `read`, and the message when required and missing.

    `required` is for creation; in an update what is not sent is not touched.
    """

    blank_message = BLANK
    refuses_blank = False

    def read(self, value: Any) -> Any:
        raise NotImplementedError


def _in(default_required: bool = False, **extra: Any) -> dict[str, Any]:
    return {"required": default_required, "allow_null": True, **extra}


class TextIn(InField, serializers.CharField):
    """Text as sent ("" stays ""); a number becomes text. With `required`, blank is refused."""

    def __init__(self, *, required: bool = False, max_length: int = 200, **kwargs: Any) -> None:
        self.limit = max_length
        self.refuses_blank = required
        super().__init__(required=required, allow_null=True, allow_blank=True, **kwargs)

    def read(self, value: Any) -> str | None:
        if self.refuses_blank and is_blank(value):
            raise Refused(self.blank_message)
        if value is None:
            return None
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not is_storable(value):
            raise Refused(INVALID)
        if len(value) > self.limit:
            raise Refused(f"é muito longo (máximo: {self.limit} caracteres)")
        return value


class LongTextIn(TextIn):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=kwargs.pop("max_length", 65_535), **kwargs)


def is_storable(text: str) -> bool:
    """No NUL and no half of a surrogate pair: neither database stores them."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class DateIn(InField, serializers.CharField):
    """`dd/mm/aaaa`, `dd-mm-aaaa` or `aaaa-mm-dd`; what is not a date counts as not sent: null."""

    def __init__(self, *, required: bool = False, **kwargs: Any) -> None:
        self.refuses_blank = required
        super().__init__(required=required, allow_null=True, **kwargs)

    def read(self, value: Any) -> date | None:
        day = parse_date(value)
        if day is None and self.refuses_blank:
            raise Refused(self.blank_message)
        return day


class MonthIn(DateIn):
    """`mm/aaaa`."""

    def read(self, value: Any) -> date | None:
        return parse_month(value)


class DecimalIn(InField, serializers.DecimalField):
    """A number, or text of one. Blank is null, unless required."""

    blank_message = NOT_NUMBER

    def __init__(
        self, *, required: bool = False, max_digits: int = 15, decimal_places: int = 4, **kw: Any
    ) -> None:
        self.refuses_blank = required
        super().__init__(
            required=required,
            allow_null=True,
            max_digits=max_digits,
            decimal_places=decimal_places,
            **kw,
        )
        self.ceiling = Decimal(10) ** (max_digits - decimal_places)

    def read(self, value: Any) -> Decimal | None:
        if is_blank(value):
            if self.refuses_blank:
                raise Refused(self.blank_message)
            return None
        number = parse_decimal(value)
        if number is None:
            raise Refused(NOT_NUMBER)
        if abs(number) >= self.ceiling:
            raise Refused(TOO_HIGH)
        return number


class IntegerIn(InField, serializers.IntegerField):
    """A whole number, or text of one, from `lowest` to `highest`. Blank is null."""

    blank_message = NOT_NUMBER

    def __init__(
        self, *, required: bool = False, lowest: int = 0, highest: int = 32_767, **kwargs: Any
    ) -> None:
        self.refuses_blank = required
        self.lowest, self.highest = lowest, highest
        super().__init__(required=required, allow_null=True, **kwargs)

    def read(self, value: Any) -> int | None:
        if is_blank(value):
            if self.refuses_blank:
                raise Refused(self.blank_message)
            return None
        number = parse_decimal(value)
        if number is None or abs(number) > MAX_ID or number != int(number):
            raise Refused(NOT_NUMBER)
        if not self.lowest <= number <= self.highest:
            raise Refused(f"deve estar entre {self.lowest} e {self.highest}")
        return int(number)


class IdIn(InField, serializers.IntegerField):
    """A reference by id, as number or text; "" is null, what no row can have is UNKNOWN_ID."""

    def __init__(self, *, required: bool = False, **kwargs: Any) -> None:
        self.refuses_blank = required
        super().__init__(required=required, allow_null=True, **kwargs)

    def read(self, value: Any) -> int | None:
        if is_blank(value):
            if self.refuses_blank:
                raise Refused(self.blank_message)
            return None
        found = parse_id(value)
        return UNKNOWN_ID if found is None else found


class QuotedIdIn(IdIn):
    """An IdIn whose fault quotes what was sent: what no row can have stays text, cut short."""

    quoted_characters = 20

    def read(self, value: Any) -> int | str | None:  # type: ignore[override]
        found = super().read(value)
        if found != UNKNOWN_ID:
            return found
        text = str(value).strip()[: self.quoted_characters]
        return text if is_storable(text) else found


class BoolIn(InField, serializers.BooleanField):
    """true or false; null counts as not sent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)

    def read(self, value: Any) -> bool | None:
        if is_blank(value):
            return None
        flag = parse_bool(value)
        if flag is None:
            raise Refused(INVALID)
        return flag


class ChoiceIn(InField, serializers.ChoiceField):
    """One of `choices`; with `codes`, also the numbers that older clients send for them."""

    def __init__(
        self,
        choices: Any,
        *,
        required: bool = False,
        codes: dict[int, str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.refuses_blank = required
        self.codes = codes or {}
        super().__init__(choices=choices, required=required, allow_null=True, **kwargs)

    def read(self, value: Any) -> str | None:
        if is_blank(value):
            if self.refuses_blank:
                raise Refused(self.blank_message)
            return None
        if not isinstance(value, bool):
            value = self.codes.get(parse_id(value), value)  # type: ignore[arg-type]
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise Refused(NOT_LISTED)
        for choice in self.choices:
            if str(choice) == str(value):
                return choice  # type: ignore[no-any-return]
        raise Refused(NOT_LISTED)


# --- out ---------------------------------------------------------------------------------------


class OutField:
    """What the fields below have in common. `of` names the attribute when it is not the key's."""

    def __init__(self, *, of: str = "", **kwargs: Any) -> None:
        self.of = of
        super().__init__(read_only=True, allow_null=True, **kwargs)  # type: ignore[call-arg]

    show: ClassVar[Callable[..., Any] | None] = None  # how a value is written; as it is if None


class TextOut(OutField, serializers.CharField):
    """Text; a blank column shows null, or "" when that is what was sent (`kept`)."""


class IntegerOut(OutField, serializers.IntegerField):
    pass


class BoolOut(OutField, serializers.BooleanField):
    pass


class AnyOut(OutField, serializers.JSONField):
    """A value whose form depends on the object."""


# Prices, dates and moments of creation repeat from one row to the next; equal ones are written
# alike (1.0 and 1.00 too), so what was written once is kept.
wire_date = lru_cache(maxsize=16_384)(date_br)


@lru_cache(maxsize=65_536)
def wire_decimal(value: Decimal | str) -> str:
    """Lists read amounts as text (`billing.selectors.invoice_rows`)."""
    return api_decimal(Decimal(value))


@lru_cache(maxsize=16_384)
def wire_moment(value: datetime) -> str:
    """dd/mm/aaaa HH:MM:SS -03:00, in São Paulo."""
    local = value.astimezone(_ZONE)
    return f"{wire_date(local.date())} {local:%H:%M:%S} {_offset(local)}"


def iso_moment(value: datetime) -> str:
    """ISO 8601 with milliseconds and offset, in São Paulo."""
    return value.astimezone(_ZONE).isoformat(timespec="milliseconds")


def _offset(local: datetime) -> str:
    text = f"{local:%z}"
    return f"{text[:3]}:{text[3:5]}"


class DecimalOut(OutField, serializers.CharField):
    """A decimal as text."""

    show = staticmethod(wire_decimal)


class DateOut(OutField, serializers.CharField):
    """dd/mm/aaaa."""

    show = staticmethod(wire_date)


class IsoDateOut(OutField, serializers.DateField):
    """aaaa-mm-dd."""

    show = staticmethod(date.isoformat)


class MomentOut(OutField, serializers.CharField):
    """dd/mm/aaaa HH:MM:SS -03:00."""

    show = staticmethod(wire_moment)


class IsoMomentOut(OutField, serializers.CharField):
    """ISO 8601 with milliseconds and offset."""

    show = staticmethod(iso_moment)


class UuidOut(OutField, serializers.UUIDField):
    """An identifier with dashes, in small letters."""

    show = staticmethod(str)


class CnpjOut(OutField, serializers.CharField):
    """NN.NNN.NNN/NNNN-NN."""

    show = staticmethod(cnpj_mask)


class KeptTextOut(TextOut):
    """A text of `integration`, answered as it was sent."""


class KeptIntegerOut(IntegerOut):
    """A number of `integration`, answered as it was sent."""
