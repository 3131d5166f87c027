"""State machines of models: the field, and the guard against two at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import django_fsm
from django.db.models import Model


class StateField(django_fsm.FSMField):
    """`django_fsm.FSMField` that migrations know as the text column it is (decision 0030).

    The original makes every historical model of a migration listen for all models made after it:
    more than half of the time that a new database took.
    """

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("protected", None)
        return name, "django.db.models.CharField", args, kwargs


class ConcurrentTransitionMixin(django_fsm.ConcurrentTransitionMixin):
    """The original, without looking for the state fields of each row that is read."""

    @property
    def state_fields(self) -> Sequence[django_fsm.FSMFieldMixin]:
        return _state_fields(type(self))


@cache
def _state_fields(model: type[Model]) -> tuple[django_fsm.FSMFieldMixin, ...]:
    return tuple(one for one in model._meta.fields if isinstance(one, django_fsm.FSMFieldMixin))
