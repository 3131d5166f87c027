"""Addresses with a resource of /v2 that tells who called, for tests of what all resources share."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.response import Response

from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as served
from fiscal.api.base import FiscalView

__all__ = ["handler400", "handler403", "handler404", "handler500"]


class ProbeView(FiscalView):
    def post(self, request: Any) -> Response:
        who = {"empresa": self.company.pk, "ambiente": self.ambiente}
        return Response(who | {"corpo": self.body(), "ref": self.parameter("ref")})

    def delete(self, request: Any) -> Response:
        raise ZeroDivisionError


class OnlyPostView(FiscalView):
    def post(self, request: Any, ref: str) -> Response:
        return Response({"ref": ref})


urlpatterns = [
    path("v2/sonda", ProbeView.as_view()),
    path("v2/sonda/<str:ref>", OnlyPostView.as_view()),
    *served,
]
