"""Words and numbers typed into the invoice list's search box (LS-2), as conditions on invoices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Q, QuerySet, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Concat, Replace

from accounts.models import Account
from billing.models import Invoice, Party
from lib.br import fold, normalise_document

_LONGEST = 200
_MOST_WORDS = 8
_SHORT = 3  # letters: a shorter word stands for itself, others for all that begin with them
_LARGEST_ID = 2**63 - 1
# The index invoice_search, word for word, or PostgreSQL does not recognise it.
_VECTOR = (
    "array_to_tsvector(array_remove(string_to_array(replace(' ' || left(billing_invoice.fold, 480),"
    " ' ', ' ' || billing_invoice.account_id || ':'), ' '), ''))"
)
_STATISTICS = (
    "SELECT s.most_common_elems::text::text[], s.most_common_elem_freqs, c.reltuples "
    "FROM pg_stats s JOIN pg_class c ON c.relname = s.tablename "
    "WHERE s.schemaname = current_schema() AND s.tablename = 'invoice_search'"
)


def words_of(text: str) -> list[str]:
    """The words to look for, without case and accents."""
    return fold(text[:_LONGEST]).replace("\x00", "").split()[:_MOST_WORDS]


def exact_ids(account: Account, text: str) -> list[int]:
    """Invoices that `text` names by id, by number or by the client's own number."""
    text = text.strip()[:_LONGEST].replace("\x00", "")
    rows = Invoice.objects.of(account).values_list("id")
    named = rows.filter(client_number=text)
    if re.fullmatch(r"[0-9]+", text) and int(text) <= _LARGEST_ID:
        number = int(text)
        # One query, three indexes: an OR over them would read the table.
        named = named.union(
            rows.filter(pk=number),
            rows.filter(number=number, series__organization__account_id=account.pk),
        )
    return [pk for (pk,) in named]


def customers_with(account: Account, text: str) -> list[int]:
    """Customers whose CNPJ or CPF `text` is, with or without mask."""
    document = normalise_document(text.strip()[:_LONGEST])
    if len(document) not in (11, 14):
        return []
    return list(Party.objects.of(account).filter(document=document).values_list("id", flat=True))


def having_words(
    rows: QuerySet[Any], words: Sequence[str], title_only: bool = False
) -> QuerySet[Any]:
    """Invoices with every word in title or customer name, read row by row."""
    column = "fold"
    if title_only:
        customer: Any = Concat(Value(" "), "customer__fold")
        title = Replace("fold", customer, Value(""), output_field=TextField())
        rows, column = rows.alias(title_fold=title), "title_fold"
    for word in words:
        rows = rows.filter(_has(column, word))
    return rows


def _has(column: str, word: str) -> Q:
    # Plain LIKEs on the bare column: the planner has statistics for these.
    if len(word) >= _SHORT:
        return Q(**{f"{column}__startswith": word}) | Q(**{f"{column}__contains": f" {word}"})
    return (
        Q(**{column: word})
        | Q(**{f"{column}__startswith": f"{word} "})
        | Q(**{f"{column}__endswith": f" {word}"})
        | Q(**{f"{column}__contains": f" {word} "})
    )


def indexed_words(rows: QuerySet[Any], account: Account, words: Sequence[str]) -> QuerySet[Any]:
    """The same through PostgreSQL's full-text index."""
    query = " & ".join(_lexeme(account, word) for word in words)
    # The SQL is ours; what was typed is the parameter.
    found = RawSQL(f"{_VECTOR} @@ %s::tsquery", [query], output_field=BooleanField())  # noqa: S611
    return rows.filter(found)


def _lexeme(account: Account, word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{account.pk}:{escaped}'" + (":*" if len(word) >= _SHORT else "")


def expected_matches(account: Account, words: Sequence[str]) -> float:
    """About how many invoices have all the words, from PostgreSQL's statistics.

    A word in more than a hundredth of the rows is always known there; the planner's own guess
    for words that begin with something knows nothing of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STATISTICS)
        found = cursor.fetchone()
    if not found or not found[0]:
        return 0.0
    known = dict(zip(found[0], found[1], strict=False))  # the rest of freqs is their summary
    shares = [min(1.0, _share(known, f"{account.pk}:{word}", word)) for word in words]
    # Between words that know nothing of each other and words that always come together.
    return float(found[2] * math.sqrt(min(shares) * math.prod(shares)))


def _share(known: dict[str, float], lexeme: str, word: str) -> float:
    if len(word) < _SHORT:
        return known.get(lexeme, 0.0)
    return sum(share for key, share in known.items() if key.startswith(lexeme))
