"""What the resources of an organization do the same way (§2.12–2.16): list, show, nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.response import Response

from billing.api.v1.base import BillingView
from billing.api.v1.shapes import Out
from billing.models import Party
from lib.errors import NotFound


class OfOrganizationView(BillingView):
    """Base of the views under /organizations/{organization_id}/."""

    model: ClassVar[Any]  # a TenantModel with an `organization`
    plural: ClassVar[str]
    shape: ClassVar[type[Out]]

    def rows(self, organization_id: int) -> QuerySet[Any]:
        """The organization's rows. Raises NotFound for what is no organization of the account."""
        organization = Party.objects.get_of(
            self.account, pk=organization_id, kind=Party.Kind.ORGANIZATION
        )
        found: QuerySet[Any] = self.model.objects.of(self.account)
        return found.filter(organization=organization)

    def list_all(self, organization_id: int, *order: str) -> Response:
        found = self.rows(organization_id).order_by(*order, "id")
        return Response({self.plural: self.shape.show_all(found)})

    def show_one(self, organization_id: int, pk: int) -> Response:
        """One of them. Raises NotFound for a row of another organization."""
        row = self.rows(organization_id).filter(pk=pk).first()
        if row is None:
            raise NotFound()
        return Response({self.envelope: self.shape.show(row)})
