"""Numbers of documents (fiscal-engine §3): one row per series, taken under its lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Max

from fiscal.errors import InvalidRequest
from fiscal.models import Company, FiscalDocument, Inutilizacao, Series, VoidState
from fiscal.selectors import hot_rows

LAST_NUMBER = 999_999_999  # nNF has nine digits
KINDS = {55: "nfe", 65: "nfce", 57: "cte", 67: "cte_os", 58: "mdfe"}
COMPANY_SERIES = range(890)  # NUM-7: 890–919 are issued by the authority itself
PERSON_SERIES = range(920, 970)
NUMBER_TAKEN = 'Parâmetro "numero" inválido: já há uma nota com este número e série.'


def take_number(
    company: Company, *, ambiente: str, modelo: int, serie: int | None = None
) -> tuple[int, int]:
    """(series, number) of the next document, in the caller's transaction (NUM-1, NUM-8).

    The number is used exactly when that transaction commits: a rollback gives it back. Numbers are
    passed over that were voided ahead of the counter (206 for ever), and that a client who numbers
    by itself has used. Without `serie`, the company's default for the model. Raises InvalidRequest,
    and the transaction must not be committed then, for a series that the issuer may not use (NUM-7)
    and when the series has no number left.
    """
    serie = default_serie(company, ambiente=ambiente, modelo=modelo) if serie is None else serie
    _refuse_series(company, serie)
    key = (company.pk, ambiente, modelo, serie)
    while True:
        number = hot_rows.counted(*key)
        if number is None:
            locked_series(company, ambiente=ambiente, modelo=modelo, serie=serie)
            continue
        if number > LAST_NUMBER:
            raise InvalidRequest(f"A série {serie} não tem mais números.")
        voided_to, is_taken = hot_rows.use_of_number(*key, number)
        if voided_to:
            Series.objects.filter(**series_key(*key)).update(next_number=voided_to + 1)
        elif not is_taken:
            return serie, number


def series_key(company_id: int, ambiente: str, modelo: int, serie: int) -> dict[str, Any]:
    """What finds the row of a series."""
    return {"company_id": company_id, "ambiente": ambiente, "modelo": modelo, "serie": serie}


def locked_series(company: Company, *, ambiente: str, modelo: int, serie: int) -> Series:
    """The row of a series, locked until the transaction ends; created on first use."""
    found = hot_rows.locked_series(company.pk, ambiente, modelo, serie)
    if found is None:
        # Two first users at once: the constraint lets one create it, and both then queue up.
        key = {"company": company, "ambiente": ambiente, "modelo": modelo, "serie": serie}
        Series.objects.get_or_create(**key, defaults={"account_id": company.account_id})
        found = Series.objects.select_for_update().get(**key)
    return found


def chosen_number(
    company: Company,
    *,
    ambiente: str,
    modelo: int,
    data: Mapping[str, Any],
    own: tuple[int | None, int | None] = (None, None),
) -> tuple[int, int] | None:
    """(series, number) that the client gives by itself (§3.2); None where the counter chooses.

    `own` is what the document holds already. Raises InvalidRequest for a series that the issuer
    may not use (NUM-7) and for a number that another document has.
    """
    given, numero = data.get("serie"), data.get("numero")
    if given in (None, ""):
        serie = default_serie(company, ambiente=ambiente, modelo=modelo)
    else:
        serie = int(str(given))
        _refuse_series(company, serie)
    if numero in (None, ""):
        return None
    chosen = serie, int(str(numero))
    if chosen != own and hot_rows.is_number_taken(company.pk, ambiente, modelo, *chosen):
        raise InvalidRequest(NUMBER_TAKEN)
    return chosen


def _refuse_series(company: Company, serie: int) -> None:
    if serie not in allowed_series(company):
        raise InvalidRequest(f'Parâmetro "serie" inválido: {range_text(company)}.')


def default_serie(company: Company, *, ambiente: str, modelo: int) -> int:
    """`serie_nfe_producao` and the like; the first allowed series above 0 when it is not set."""
    given = company.options.get(f"serie_{KINDS[modelo]}_{ambiente}")
    return int(given) if given not in (None, "") else max(1, allowed_series(company)[0])


def allowed_series(company: Company) -> range:
    """NUM-7: what an issuer identified by CNPJ, or by CPF, may use."""
    return COMPANY_SERIES if company.cnpj else PERSON_SERIES


def range_text(company: Company) -> str:
    """The allowed series, for people."""
    allowed = allowed_series(company)
    return f"use de {allowed[0]} a {allowed[-1]}"


def set_next_number(
    company: Company, *, ambiente: str, modelo: int, serie: int, number: int
) -> None:
    """Configure where a series goes on (NUM-8: a company that issued elsewhere before).

    Raises InvalidRequest, and changes nothing, when `number` was used already.
    """
    series = locked_series(company, ambiente=ambiente, modelo=modelo, serie=serie)
    used = last_used(company, ambiente=ambiente, modelo=modelo, serie=serie)
    if number <= used:
        raise InvalidRequest(f"deve ser maior que {used}, o último número usado na série {serie}")
    series.next_number = number
    series.save(update_fields=["next_number"])


def last_used(company: Company, *, ambiente: str, modelo: int, serie: int) -> int:
    """The highest number that a document or an inutilizacao holds; 0 without any."""
    key = {"company": company, "ambiente": ambiente, "modelo": modelo, "serie": serie}
    issued = FiscalDocument.objects.filter(**key).aggregate(top=Max("numero"))["top"]
    voids = Inutilizacao.objects.filter(**key).exclude(state=VoidState.REJEITADA)
    return max(issued or 0, voids.aggregate(top=Max("last"))["top"] or 0)
