"""Limits of form fields."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible


@deconstructible
class between:
    """A number from `least` to `most`, both included."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, value: int) -> None:
        if not self.least <= value <= self.most:
            raise ValidationError(f"Informe um valor de {self.least} a {self.most}.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, between) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.least, self.most))
