"""The JSON Schema of each field of /api/v1, in and out (billing-api §1.7)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.api.v1 import fields

Schema = dict[str, Any]

_DATE = r"^\d{2}/\d{2}/\d{4}$"
_MOMENT = r"^\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2} [+-]\d{2}:\d{2}$"
_DECIMAL = r"^-?\d+\.\d+$"
_CNPJ = r"^[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-\d{2}$"

# The first kind that fits; subclasses before what they extend.
_OUT: tuple[tuple[type, Schema], ...] = (
    (fields.AnyOut, {}),
    (fields.DecimalOut, {"type": "string", "pattern": _DECIMAL, "examples": ["33.3333"]}),
    (fields.DateOut, {"type": "string", "pattern": _DATE, "examples": ["31/01/2025"]}),
    (fields.IsoDateOut, {"type": "string", "format": "date"}),
    (
        fields.MomentOut,
        {"type": "string", "pattern": _MOMENT, "examples": ["31/01/2025 10:00:00 -03:00"]},
    ),
    (fields.IsoMomentOut, {"type": "string", "format": "date-time"}),
    (fields.CnpjOut, {"type": "string", "pattern": _CNPJ, "examples": ["11.222.333/0001-81"]}),
    (fields.UuidOut, {"type": "string", "format": "uuid"}),
    (fields.IntegerOut, {"type": "integer"}),
    (fields.BoolOut, {"type": "boolean"}),
    (fields.TextOut, {"type": "string"}),
)


def out_schema(name: str, field: serializers.Field[Any, Any, Any, Any]) -> Schema | None:
    """What an answer's field may hold; None for fields that are not of ours."""
    for kind, schema in _OUT:
        if isinstance(field, kind):
            # Rows always have an id; of the others the column decides, and any may be null.
            told = {"description": str(field.help_text)} if field.help_text else {}
            return told | (dict(schema) if name == "id" else nullable(schema))
    return None


def in_schema(field: serializers.Field[Any, Any, Any, Any], *, partial: bool) -> Schema | None:
    """What a field may be sent as; None for fields that are not of ours."""
    if not isinstance(field, fields.InField):
        return None
    schema = _in(field)
    if field.help_text:
        schema["description"] = str(field.help_text)
    return schema if field.refuses_blank and not partial else nullable(schema)


def _in(field: Any) -> Schema:
    if isinstance(field, serializers.ChoiceField):
        choices = [*field.choices, *getattr(field, "codes", ())]
        kinds = {int: "integer", str: "string"}
        return {"type": sorted({kinds[type(one)] for one in choices}), "enum": choices}
    if isinstance(field, serializers.ListField):
        child = field.child
        choices = list(getattr(child, "choices", ()))
        items: Schema = {"type": "string"} | ({"enum": choices} if choices else {})
        return {"type": "array", "items": items}
    if isinstance(field, fields.MonthIn):
        return {"type": "string", "description": "mm/aaaa", "examples": ["01/2025"]}
    if isinstance(field, fields.DateIn):
        return {
            "type": "string",
            "description": "dd/mm/aaaa, dd-mm-aaaa ou aaaa-mm-dd",
            "examples": ["31/01/2025"],
        }
    if isinstance(field, fields.DecimalIn):
        text = "Número, ou texto que o contenha"
        return {"type": ["number", "string"], "description": text, "examples": [33.3333]}
    if isinstance(field, fields.IntegerIn):
        limits = {"minimum": field.lowest, "maximum": field.highest}
        return {"type": ["integer", "string"], **limits}
    if isinstance(field, fields.IdIn):
        return {"type": ["integer", "string"]}
    if isinstance(field, fields.BoolIn):
        return {"type": "boolean"}
    if isinstance(field, fields.TextIn):
        shortest = field.min_length or int(field.refuses_blank)
        least = {"minLength": shortest} if shortest else {}
        return {"type": ["string", "number"], **least, "maxLength": field.limit}
    return {}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "type" not in schema:
        return dict(schema)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    found = schema | {"type": [*kinds, "null"]}
    return found | {"enum": [*schema["enum"], None]} if "enum" in schema else found
