"""What layout 2 of São Paulo wants and no other city asks for (IBS/CBS, since 2026)."""

from __future__ import annotations

from fiscal.authorities.municipal.values import Fields, only_alphanumeric
from fiscal.documents.service import Declared
from lib.errors import FieldError

_LEVY = "servico.ibs_cbs_classificacao_tributaria"
_SERVICE = "servico.codigo_tributario_municipio"


def reform_faults(declared: Declared, layout: str) -> list[FieldError]:
    """Fields without which the city's schema refuses the RPS."""
    fields = Fields(declared.data)
    found = []
    code = fields.text(_SERVICE)
    if not (code.isascii() and code.isdecimal() and len(code) in (4, 5)):
        found.append(
            FieldError(_SERVICE, "Informe o código de serviço do município (4 ou 5 dígitos).")
        )
    if layout != "2":
        return found
    if len(only_alphanumeric(fields.text("servico.codigo_nbs"))) != 9:
        found.append(FieldError("servico.codigo_nbs", "Informe o código NBS (9 dígitos)."))
    if len(_operation(fields)) != 6:
        found.append(
            FieldError(
                "servico.codigo_indicador_operacao",
                "Informe o código indicador da operação (6 dígitos).",
            )
        )
    if len(fields.text(_LEVY)) != 6:
        found.append(FieldError(_LEVY, "Informe o código de classificação tributária (6 dígitos)."))
    return found


def _operation(fields: Fields) -> str:
    return fields.text("servico.codigo_indicador_operacao") or fields.text(
        "codigo_indicador_operacao"
    )
