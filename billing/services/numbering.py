"""Document numbers of an organization: gapless, because they live and die with the transaction."""

from __future__ import annotations

from billing.models import NumberSeries

DEFAULT_SERIES = "1"


def take_numbers(organization_id: int, n: int) -> tuple[NumberSeries, int]:
    """Reserve `n` consecutive numbers (INV-8); answers the series and the first of them.

    Call it last in the transaction: the row stays locked until the commit, and everybody who emits
    for the organization waits for it. A rollback gives the numbers back.
    """
    series = _locked(organization_id)
    if series is None:
        # Another emission may be creating it too: the unique constraint decides, both go on.
        NumberSeries.objects.get_or_create(organization_id=organization_id, code=DEFAULT_SERIES)
        series = _locked(organization_id)
        assert series is not None
    first = series.take(n)
    series.save(update_fields=["next_number"])
    return series, first


def _locked(organization_id: int) -> NumberSeries | None:
    # no_key: an invoice of the series, being inserted elsewhere, checks that the row exists and
    # need not wait for us.
    return (
        NumberSeries.objects.select_for_update(no_key=True)
        .filter(organization_id=organization_id, code=DEFAULT_SERIES)
        .first()
    )
