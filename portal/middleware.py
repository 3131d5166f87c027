"""Around every page of customers: maintenance, and refusals that a view let through."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from lib import maintenance
from lib.errors import DomainError
from portal.error_pages import error_page, is_of_customers, maintenance_page


class CustomerPages:
    """For /central/ and /p/ only; everything else passes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_of_customers(request):
            return self.get_response(request)
        closed = maintenance.current()
        if closed is not None:
            return maintenance_page(request, closed.until)
        response = self.get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        page = error_page(request, response.status_code)  # instead of an empty one
        page["Allow"] = response["Allow"]
        return page

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """An expected refusal is a page with its own words, not a fault of ours."""
        if not isinstance(error, DomainError) or not is_of_customers(request):
            return None
        status = error.http_status
        if status in (404, 429, 403):
            return error_page(request, status)
        return error_page(request, status, title=error.mensagem)
