"""/api/schema and /api/docs: the OpenAPI document and its page, for anybody and without network."""

from __future__ import annotations

import hashlib
import json
from functools import cache

import yaml
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

_TYPES = {
    "json": "application/vnd.oai.openapi+json",
    "yaml": "application/vnd.oai.openapi",
}
# The page runs our own copy of Swagger UI and speaks with this server alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@require_safe
def schema(request: HttpRequest) -> HttpResponseBase:
    """The document as JSON, or as YAML when `?format=yaml` or the Accept header asks for it."""
    form = _form(request)
    data, etag = _document(form)
    response = HttpResponse(data, content_type=f"{_TYPES[form]}; charset=utf-8")
    response["ETag"] = etag
    response["Cache-Control"] = "public, max-age=300"
    patch_vary_headers(response, ["Accept"])
    return get_conditional_response(request, etag=etag, response=response) or response


def _form(request: HttpRequest) -> str:
    asked = request.GET.get("format", "")
    if asked in _TYPES:
        return asked
    accept = request.headers.get("Accept", "")
    wants_yaml = "yaml" in accept or (_TYPES["yaml"] in accept and "+json" not in accept)
    return "yaml" if wants_yaml else "json"


@cache
def _document(form: str) -> tuple[bytes, str]:
    """The document's bytes and their ETag; made once in a process, from the code alone."""
    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    text = (
        json.dumps(made, ensure_ascii=False, separators=(",", ":"))
        if form == "json"
        else yaml.safe_dump(made, allow_unicode=True, sort_keys=False, width=100)
    )
    data = text.encode()
    return data, f'"{hashlib.sha256(data).hexdigest()[:32]}"'


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The document to read and to try."""
    response = render(request, "billing/api_docs.html")
    response["Content-Security-Policy"] = _POLICY
    return response
