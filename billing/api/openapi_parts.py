"""Parts of the OpenAPI document that endpoints share: headers, refusals, tags."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

# Last segment of an address that names a resource → its tag.
TAGS = {
    "organizations": "Organizações",
    "companies": "Empresas",
    "people": "Pessoas",
    "service_items": "Serviços",
    "plans": "Planos",
    "contracts": "Contratos",
    "subscriptions": "Assinaturas",
    "invoices": "Faturamentos",
    "invoice_rules": "Regras de faturamento",
    "invoice_templates": "Modelos de faturamento",
    "receivables": "Recebimentos",
    "email_templates": "Modelos de e-mail",
    "nfses": "NFS-e",
    "nfse_templates": "Modelos de NFS-e",
    "charge_templates": "Modelos de cobrança",
    "financial_accounts": "Contas financeiras",
    "webhooks": "Webhooks",
}

_RATE = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_HEADERS: dict[str, Schema] = {
    "X-RateLimit-Limit": {
        "description": "Requisições por minuto deste token",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "Quantas restam neste minuto",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "Segundos até a contagem recomeçar",
        "schema": {"type": "integer"},
    },
    "X-Request-Id": {
        "description": "Identifica a requisição nos registros",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "Presente quando a resposta é a repetição da primeira",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Segundos até que se possa tentar de novo",
        "schema": {"type": "integer"},
    },
    "WWW-Authenticate": {"schema": {"type": "string", "const": "Token"}},
}

_PARAMETERS: dict[str, Schema] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": (
            "Quem repete a requisição com a mesma chave em até 24 horas recebe a primeira "
            "resposta, e nada é feito de novo."
        ),
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    }
}


def _errors(description: str, *shapes: Schema) -> Schema:
    errors = shapes[0] if len(shapes) == 1 else {"anyOf": list(shapes)}
    return {
        "type": "object",
        "description": description,
        "properties": {"errors": errors},
        "required": ["errors"],
    }


_TEXT: Schema = {"type": "string"}
_LISTS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": _TEXT, "minItems": 1},
}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}

_SCHEMAS: dict[str, Schema] = {
    "Error": _errors("O erro, em um só texto.", _TEXT),
    "ListErrors": _errors("Mensagens por campo, ou um só texto.", _LISTS, _TEXT),
    "TextErrors": _errors("Uma mensagem por campo, ou um só texto.", _TEXTS, _TEXT),
}


def headers(*names: str) -> dict[str, Schema]:
    """References to those headers and to the ones that every answer to a token has."""
    return {
        name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *_RATE, *names)
    }


def _refusal(
    description: str, errors: str = "", example: Any = None, extra: tuple[str, ...] = ()
) -> Schema:
    found: Schema = {"description": description, "headers": headers(*extra)}
    if errors:
        media: Schema = {"schema": {"$ref": f"#/components/schemas/{errors}"}}
        found["content"] = {"application/json": media | {"example": {"errors": example}}}
    return found


def _or_empty(response: Schema) -> Schema:
    """Its body may be missing; then the type is that of an empty page."""
    empty = {"text/html": {"schema": {"type": "string", "maxLength": 0}}}
    return response | {"content": response["content"] | empty}


_RESPONSES: dict[str, Schema] = {
    "BadParameter": _refusal(
        "Parâmetro de busca ausente ou inválido",
        "Error",
        "Parâmetro(s) inválido(s) para busca: cnpj",
    ),
    "Malformed": _or_empty(
        _refusal(
            "JSON malformado (sem corpo), ou Idempotency-Key inválida",
            "Error",
            "Idempotency-Key inválida: use de 1 a 255 caracteres ASCII, sem espaços.",
        )
    ),
    "Unauthorized": {
        "description": "Token ausente, desconhecido ou revogado (sem corpo)",
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in ("X-Request-Id", "WWW-Authenticate")
        },
    },
    "NotFound": _refusal("Não existe nesta conta (sem corpo)"),
    "LengthRequired": _refusal(
        "O corpo veio sem tamanho", "Error", "Informe o tamanho do corpo em Content-Length."
    ),
    "TooLarge": _refusal(
        "O corpo é grande demais", "Error", "O corpo da requisição é grande demais."
    ),
    "NotJson": _refusal("O corpo não é JSON", "Error", "Envie o corpo como application/json."),
    "KeyUsed": _refusal(
        "A situação não permite, ou a Idempotency-Key já foi usada",
        "Error",
        "Esta Idempotency-Key já foi usada com outra requisição.",
    ),
    "InvalidLists": _refusal(
        "Os dados ou a situação não permitem",
        "ListErrors",
        {"name": ["não pode ficar em branco"], "base": ["já está em uso"]},
    ),
    "InvalidTexts": _refusal(
        "Os dados ou a situação não permitem",
        "TextErrors",
        {"description": "não pode ficar em branco", "services.units": "deve ser numérico"},
    ),
    "TooMany": _refusal(
        "Limite de requisições por minuto excedido",
        "Error",
        "Muitas requisições. Tente de novo em 15 s.",
        ("Retry-After",),
    ),
}

COMPONENTS: dict[str, dict[str, Schema]] = {
    "schemas": _SCHEMAS,
    "responses": _RESPONSES,
    "parameters": _PARAMETERS,
    "headers": _HEADERS,
}
