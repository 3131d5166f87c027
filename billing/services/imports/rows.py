"""Model instances into the database, thousands in a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models

from billing.services.imports.lines import Section
from lib.bulk import insert_rows, update_rows


def insert_all(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Whole rows, keys included: what is written is what the instances hold."""
    fields = model._meta.concrete_fields
    names = [field.attname for field in fields]
    insert_rows(
        model,
        [field.name for field in fields],
        (tuple(getattr(row, name) for name in names) for row in rows),
    )


def update_all(
    model: type[models.Model], changed: Sequence[tuple[Any, Section]], **also: Any
) -> None:
    """Set the changes of each row, and `also` on all; rows share one statement."""
    names = sorted({name for _, changes in changed for name in changes})
    if not names:
        return
    for row, changes in changed:
        for name, value in changes.items():
            setattr(row, name, value)
    rows = ([row.pk, *(getattr(row, name) for name in names), *also.values()] for row, _ in changed)
    update_rows(model, ["id", *names, *also], rows)
