"""The OpenAPI document of /api/v1, made from the views and the shapes they declare."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import uritemplate
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from billing.api.openapi_fields import in_schema, nullable, out_schema
from billing.api.openapi_parts import COMPONENTS, TAGS, headers
from billing.api.v1.docs import Answer, Body, NoBody, Shared
from billing.api.v1.shapes import In, Out

Schema = dict[str, Any]

PREFIX = "/api/v1/"
_EXAMPLES = Path(__file__).parent / "v1" / "examples.json"
_JSON = "application/json"


class BillingSchema(AutoSchema):
    """One operation. In and Out have components of their own, updates those without `required`."""

    _is_partial = False  # while the body of an update is described

    # --- the operation -------------------------------------------------------------------------

    def get_operation_id(self) -> str:
        """`GET /companies/{id}` → `get_companies_id`: as stable as the address."""
        words = re.findall(r"\w+", self.path.removeprefix(PREFIX))
        return "_".join([self.method.lower(), *words])

    def get_tags(self) -> list[str]:
        words = re.findall(r"\w+", re.sub(r"\{\w+\}", "", self.path))
        return [TAGS[word] for word in words if word in TAGS][-1:]

    def get_description(self) -> str:  # type: ignore[override]
        """What `documented` says; docstrings are for developers."""
        return ""

    def _resolve_path_parameters(self, variables: list[str]) -> list[Schema]:
        return [_path_parameter(name) for name in uritemplate.variables(self.path)]

    def _get_parameters(self) -> list[Schema]:
        found: list[Schema] = super()._get_parameters()
        if self.method == "POST":
            found.append({"$ref": "#/components/parameters/IdempotencyKey"})
        return found

    # --- bodies --------------------------------------------------------------------------------

    def _get_request_body(self, direction: str = "request") -> Schema | None:
        body = self.get_request_serializer()
        if not isinstance(body, Body):
            return None
        self._is_partial = self.method != "POST"
        try:
            bare = self.resolve_serializer(body.kind, "request").ref
        finally:
            self._is_partial = False
        schema = {"anyOf": [_wrapped(body.envelope, bare), bare]} if body.envelope else bare
        media = {"schema": schema} | _example(bare, body.envelope)
        is_required = {"required": True} if self.method == "POST" else {}
        return {"content": {_JSON: media}, **is_required}

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        """As documented, and what the reading of any body may bring."""
        found: Schema = super()._get_response_bodies(direction)
        shared = _OF_BODIES if self.method in ("POST", "PUT", "PATCH") else {}
        if self.method == "POST":
            shared = shared | {"422": "KeyUsed"}
        for code, name in shared.items():
            found.setdefault(code, {"$ref": f"#/components/responses/{name}"})
        return dict(sorted(found.items()))

    def _get_response_for_code(
        self,
        serializer: Any,
        status_code: str,
        media_types: Any = None,
        direction: Any = "response",
    ) -> Schema:
        if isinstance(serializer, Shared):
            return {"$ref": f"#/components/responses/{serializer.name}"}
        extra = ("Idempotent-Replayed",) if self.method == "POST" else ()
        found: Schema = {"description": _DONE[status_code], "headers": headers(*extra)}
        if isinstance(serializer, NoBody):
            return found
        return found | {"content": {_JSON: self._answer(serializer)}}

    def _answer(self, answer: Answer) -> Schema:
        shown: Schema = self.resolve_serializer(answer.shape, "response").ref
        pages = ("page", "per_page", "total_pages") if answer.paged else ()
        properties: Schema = {name: {"type": "integer", "minimum": 0} for name in pages}
        properties[answer.key] = {"type": "array", "items": shown} if answer.many else shown
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        numbers = dict.fromkeys(pages, 1) | ({"per_page": 50} if pages else {})
        return {"schema": schema} | _example(shown, answer.key, many=answer.many, beside=numbers)

    # --- components ----------------------------------------------------------------------------

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """CompanyOut → Company; CompanyIn → CompanyInput, and CompanyChanges in an update."""
        name = type(serializer).__name__
        if isinstance(serializer, In):
            kind = "Changes" if self._is_partial else "Input"
            return name.removesuffix("In").removesuffix(kind) + kind
        return name.removesuffix("Out")

    def get_serializer_identity(self, serializer: Any, direction: Any) -> Any:
        """Two classes of one name would share a component: the library warns of it."""
        return type(serializer)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Schema:
        # From the declaration: a serializer's own copy drops names that it uses for itself.
        shape = type(serializer)
        properties = {name: self._field(name, one) for name, one in shape._declared_fields.items()}
        found: Schema = {"type": "object", "properties": properties}
        required = [name for name in properties if self._is_required(shape._declared_fields[name])]
        if required and _TEMPLATE in properties and isinstance(serializer, In):
            return found | {"anyOf": [{"required": required}, {"required": [_TEMPLATE]}]}
        return found | ({"required": required} if required else {})

    def _is_required(self, one: Any) -> bool:
        """In an answer every key is there, unless declared otherwise; an update needs none."""
        return one.read_only or (one.required and not self._is_partial)

    def _field(self, name: str, one: Any) -> Schema:
        if isinstance(one, serializers.ListSerializer):
            child: Any = one.child
            return {"type": "array", "items": self.resolve_serializer(child, "response").ref}
        if isinstance(one, In | Out):
            return nullable(self.resolve_serializer(one, "response").ref)
        schema = out_schema(name, one)
        return in_schema(one, partial=self._is_partial) or {} if schema is None else schema


_TEMPLATE = "invoice_template_id"  # with it, the template gives what is not sent (§6.10)
_OF_BODIES = {"400": "Malformed", "411": "LengthRequired", "413": "TooLarge", "415": "NotJson"}
_DONE = {"200": "Feito", "201": "Criado", "204": "Feito, sem corpo"}


def _path_parameter(name: str) -> Schema:
    is_id = name == "id" or name.endswith("_id")
    schema: Schema = {"type": "integer", "minimum": 1} if is_id else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _wrapped(envelope: str, schema: Schema) -> Schema:
    title = f"No envelope {envelope}"
    properties = {envelope: schema}
    return {"title": title, "type": "object", "properties": properties, "required": [envelope]}


def _example(
    reference: Schema, key: str, *, many: bool = False, beside: Schema | None = None
) -> Schema:
    """The example of a component in its envelope, as a media type has it; {} if there is none."""
    name = reference["$ref"].rsplit("/", 1)[-1]
    if name not in _examples():
        return {}
    shown = _examples()[name]
    shown = [shown] if many else shown
    return {"example": {**(beside or {}), key: shown} if key else shown}


@cache
def _examples() -> dict[str, Any]:
    """Component → its example, of invented companies and people."""
    return json.loads(_EXAMPLES.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Registers itself: how the library learns of our authentication."""

    target_class = "accounts.authentication.TokenAuthentication"
    name = "Token"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token token=<32 dígitos hexadecimais>`",
        }


# --- hooks of the generator --------------------------------------------------------------------


def only_v1(endpoints: list[Any]) -> list[Any]:
    """The published addresses."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]


def add_components(result: Schema, **_: Any) -> Schema:
    """Put the shared parts among the components, and the parts and tags in a fixed order."""
    result["tags"] = [{"name": name} for name in TAGS.values()]
    found = result.setdefault("components", {})
    for kind, parts in COMPONENTS.items():
        found[kind] = dict(sorted((found.get(kind, {}) | parts).items()))
    return result
