"""What every form of the portal has in common: its words, marks for readers, and kept data."""

from __future__ import annotations

from typing import Any

from django import forms


class PortalForm(forms.Form):
    """Fields are told "Informe …" when empty; each is tied to its error and hint for readers.

    `{% include "portal/_erros.html" %}` shows the summary, `{% include "portal/_campo.html" with
    campo=form.x %}` a field. `labels_for_required` words what is missing: "Informe o CNPJ.".
    """

    use_required_attribute = False
    labels_for_required: dict[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            wanted = self.labels_for_required.get(name)
            field.error_messages["required"] = (
                wanted or f"Informe {str(field.label or name).lower()}."
            )
        if self.is_bound:
            self._mark_errors()

    def _mark_errors(self) -> None:
        for name in self.errors:
            if name in self.fields:
                attrs = self.fields[name].widget.attrs
                attrs["aria-invalid"] = "true"

    def errors_of_fields(self) -> list[tuple[str, str]]:
        """(id of the field or "", text) in the order of the page, for the summary."""
        found = [("", str(text)) for text in self.non_field_errors()]
        for name in self.fields:
            for text in self.errors.get(name, []):
                found.append((self[name].id_for_label or self[name].auto_id or "", str(text)))
        return found


class TextField(forms.CharField):
    """Text of one line without what no name has: control characters."""

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        return "".join(char for char in text if char.isprintable()).strip()
