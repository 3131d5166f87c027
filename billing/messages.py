"""Messages that refuse a value, as the API documents them (billing-api §1.6), for every layer."""

BLANK = "não pode ficar em branco"
INVALID = "inválido"
NOT_NUMBER = "deve ser numérico"
NOT_LISTED = "não está incluído na lista"
TOO_HIGH = "valor alto demais"
TAKEN = "já está em uso"
