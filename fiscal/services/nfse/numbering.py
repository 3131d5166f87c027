"""Numbers of RPS and DPS (fiscal-engine §3, §12.2): taken under the lock of their series.

A declaration keeps its number until it is authorized, also when it is refused and corrected
(NUM-3). The national system has one counter for each series, whatever the body was.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Max

from fiscal.authorities.provider import Provider
from fiscal.authorities.providers import NATIONAL
from fiscal.documents.service import NFSEN, Declared, RpsIdentity
from fiscal.errors import InvalidRequest
from fiscal.models import Company, ServiceNote, ServiceSeries
from fiscal.selectors import service_notes

FIRST_SERIES = "1"
LAST_NUMBER = 999_999_999_999_999  # fifteen digits, as nDPS and Numero
KINDS = ("nfse", "nfsen")
# NAC-2: what an application of the taxpayer's own may use.
_NATIONAL_SERIES = range(1, 50_000)
_SERIES = re.compile(r"[0-9A-Za-z]{1,5}")
TAKEN_ELSEWHERE = "E0014"  # last_code of a note whose number has another note (NAC-9)
NUMBER_TAKEN = 'Parâmetro "numero_dps" inválido: já há uma nota com este número e série.'


def identity(note: ServiceNote, declared: Declared, provider: Provider) -> RpsIdentity:
    """Series, number and lot of the note, in the caller's transaction, which signs it.

    Raises InvalidRequest for a number that another note has, and when a series has none left: the
    transaction must not be committed then.
    """
    kept = _kept(note, declared, provider)
    if kept is not None:
        return kept
    company, ambiente = note.company, note.ambiente
    series = series_of(company, declared, provider, ambiente=ambiente)
    _refuse_series(series, declared, provider)
    chosen = _chosen(note, declared, provider, series)
    if chosen is not None:
        return RpsIdentity(ambiente, series, chosen)
    number, batch = _taken(company, ambiente, provider, series)
    return RpsIdentity(ambiente, series, number, batch=batch)


def series_of(company: Company, declared: Declared, provider: Provider, *, ambiente: str) -> str:
    """The series of the body, else of the company's record, else the first."""
    given = declared.data.get("serie_dps")
    series = str(given) if given not in (None, "") else ""
    series = series or default_series(company, kind=kind_of(provider), ambiente=ambiente)
    return (series.lstrip("0") or "0") if provider.slug == NATIONAL else series


def default_series(company: Company, *, kind: str, ambiente: str) -> str:
    """`serie_nfse_producao` and the like."""
    given = company.options.get(f"serie_{kind}_{ambiente}")
    return str(given) if given not in (None, "") else FIRST_SERIES


def kind_of(provider: Provider) -> str:
    return NFSEN if provider.slug == NATIONAL else "nfse"


def series_fault(kind: str, series: str) -> str:
    """What is wrong with a series of the company's record; "" when nothing is."""
    if kind == NFSEN:
        is_fine = series.isascii() and series.isdecimal() and int(series) in _NATIONAL_SERIES
        return "" if is_fine else "não permitida: use de 1 a 49999"
    return "" if _SERIES.fullmatch(series) else "não permitida: use até 5 letras ou dígitos"


def _kept(note: ServiceNote, declared: Declared, provider: Provider) -> RpsIdentity | None:
    """NUM-3, while it is the same system that counts and nothing speaks against the number."""
    if note.rps_number is None or note.provider != provider.slug:
        return None
    if note.municipality != provider.municipality or _wants_another(note, declared, provider):
        return None
    batch = note.batch_number
    if batch:  # a lot that was refused is no lot any more
        kind, city = kind_of(provider), counter_city(provider)
        key = (note.company_id, note.ambiente, kind, city, note.series)
        again = service_notes.counted(*key, by=0)
        batch = again[1] if again else batch
    return RpsIdentity(note.ambiente, note.series, note.rps_number, note.rps_kind, batch)


def _wants_another(note: ServiceNote, declared: Declared, provider: Provider) -> bool:
    """The corrected body names another number, or who counts gave ours to another note."""
    if note.last_code == TAKEN_ELSEWHERE:
        return True
    number, series = declared.data.get("numero_dps"), declared.data.get("serie_dps")
    if number not in (None, "") and int(str(number)) != note.rps_number:
        return True
    if series in (None, ""):
        return False
    wanted = series_of(note.company, declared, provider, ambiente=note.ambiente)
    return wanted != note.series


def counter_city(provider: Provider) -> str:
    """The national system counts by issuer, a city for itself."""
    return "" if provider.slug == NATIONAL else provider.municipality


def refuse_chosen(
    company: Company, declared: Declared, provider: Provider, *, ambiente: str
) -> None:
    """Raises InvalidRequest for a series or number of the body that cannot be."""
    series = series_of(company, declared, provider, ambiente=ambiente)
    _refuse_series(series, declared, provider)
    given = declared.data.get("numero_dps")
    if given not in (None, "") and _is_taken(company, ambiente, provider, series, int(str(given))):
        raise InvalidRequest(NUMBER_TAKEN)


def _refuse_series(series: str, declared: Declared, provider: Provider) -> None:
    """A series that the body names; the company's own was judged when it was configured."""
    fault = series_fault(kind_of(provider), series)
    if fault and declared.data.get("serie_dps") not in (None, ""):
        raise InvalidRequest(f'Parâmetro "serie_dps" inválido: série {fault}.')


def _chosen(note: ServiceNote, declared: Declared, provider: Provider, series: str) -> int | None:
    """The number that the client gives by itself."""
    given = declared.data.get("numero_dps")
    if given in (None, ""):
        return None
    number = int(str(given))
    if _is_taken(note.company, note.ambiente, provider, series, number):
        raise InvalidRequest(NUMBER_TAKEN)
    return number


def _taken(company: Company, ambiente: str, provider: Provider, series: str) -> tuple[int, int]:
    key = (company.pk, ambiente, kind_of(provider), counter_city(provider), series)
    while True:
        found = service_notes.counted(*key)
        if found is None:
            _create(company, *key[1:])
            continue
        number, batch = found
        if number > LAST_NUMBER:
            raise InvalidRequest(f"A série {series} não tem mais números.")
        if not _is_taken(company, ambiente, provider, series, number):
            return number, batch


def _is_taken(
    company: Company, ambiente: str, provider: Provider, series: str, number: int
) -> bool:
    return service_notes.is_number_taken(
        company.pk, ambiente, provider.municipality, series, number
    )


def _create(company: Company, ambiente: str, kind: str, city: str, series: str) -> None:
    # Two first users at once: the constraint lets one create it, and both then queue up.
    key: dict[str, Any] = {
        "company": company, "ambiente": ambiente, "tipo": kind, "municipality": city,
        "series": series,
    }  # fmt: skip
    # A city that moves to the national system, or back, does not begin again with our numbers.
    rows = ServiceNote.objects.filter(company=company, ambiente=ambiente, series=series)
    used = (rows.filter(municipality=city) if city else rows).aggregate(top=Max("rps_number"))
    first = max(first_number(company, ambiente, kind, city, series), (used["top"] or 0) + 1)
    defaults = {"account_id": company.account_id, "next_number": first}
    ServiceSeries.objects.get_or_create(**key, defaults=defaults)


def first_number(company: Company, ambiente: str, kind: str, city: str, series: str) -> int:
    """Where the record says that the company's own series begins, in the city it is in."""
    given = company.options.get(f"proximo_numero_{kind}_{ambiente}")
    is_default = series == default_series(company, kind=kind, ambiente=ambiente)
    at_home = city in ("", company.codigo_municipio)
    return int(given) if given and is_default and at_home else 1


# --- the company's record (fiscal-api §14.2) ---------------------------------------------------


def home_of(company: Company, *, kind: str) -> str:
    """The city whose series the record speaks of; the national system has one for all."""
    return "" if kind == NFSEN else company.codigo_municipio


def set_next_number(company: Company, *, kind: str, ambiente: str, number: int) -> None:
    """Configure where the company's own series goes on, in the caller's transaction.

    Raises InvalidRequest, and changes nothing, when `number` was used already.
    """
    series = default_series(company, kind=kind, ambiente=ambiente)
    city = home_of(company, kind=kind)
    _create(company, ambiente, kind, city, series)
    renumber(ServiceSeries.objects.get(**_key(company, ambiente, kind, city, series)), number)


def renumber(series: ServiceSeries, number: int) -> None:
    """The same for a series that is there."""
    row = ServiceSeries.objects.select_for_update().get(pk=series.pk)
    used = last_used(
        row.company, kind=row.tipo, ambiente=row.ambiente, series=row.series, city=row.municipality
    )
    if number <= used:
        raise InvalidRequest(
            f"deve ser maior que {used}, o último número usado na série {row.series}"
        )
    row.next_number = number
    row.save(update_fields=["next_number"])


def last_used(company: Company, *, kind: str, ambiente: str, series: str, city: str) -> int:
    """The highest number of a series that a note holds, 0 for none."""
    rows = ServiceNote.objects.filter(company=company, ambiente=ambiente, series=series)
    of_kind = rows.filter(provider=NATIONAL) if kind == NFSEN else rows.filter(municipality=city)
    if kind != NFSEN:
        of_kind = of_kind.exclude(provider=NATIONAL)
    return of_kind.aggregate(top=Max("rps_number"))["top"] or 0


def _key(company: Company, ambiente: str, kind: str, city: str, series: str) -> dict[str, Any]:
    return {
        "company": company, "ambiente": ambiente, "tipo": kind, "municipality": city,
        "series": series,
    }  # fmt: skip
