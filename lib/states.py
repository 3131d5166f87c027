"""The model field of every state machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django_fsm import FSMField


class StateField(FSMField):
    """`django_fsm.FSMField` that migrations know as the text column it is (decision 0030).

    The original makes every historical model of a migration listen for all models made after it:
    more than half of the time that a new database took.
    """

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("protected", None)
        return name, "django.db.models.CharField", args, kwargs
