"""Screens over what an organization has of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from accounts.admin_base import TenantAdmin, TenantForm
from billing.models import Party


class OwnedForm(TenantForm):
    """A form of a row whose organization never changes."""

    def _get_validation_exclusions(self) -> set[str]:
        """All but the organization, which is not in the form of a row that exists.

        Left out, Django would skip the constraints that name it, and the database would refuse
        what no form explained.
        """
        left_out: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return left_out - {"organization"} if self.instance.pk else left_out

    @property
    def organization_id(self) -> int | None:
        """Of the row, or the one chosen for a new row; None as long as none is."""
        return self.instance.organization_id or getattr(
            self.cleaned_data.get("organization"), "pk", None
        )


class OwnedAdmin(TenantAdmin):
    """A screen over rows with an `organization`, chosen once."""

    form = OwnedForm
    only_on_add = ("organization",)
    list_select_related: ClassVar[tuple[str, ...]] = ("organization",)
    may_add = True

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "organization":
            field.queryset = field.queryset.filter(kind=Party.Kind.ORGANIZATION)
        return field
