"""What a family would refuse, told before a number is spent."""

from __future__ import annotations

from fiscal.authorities.municipal.profiles import Family
from fiscal.authorities.municipal.values import Fields
from fiscal.documents.service import Declared
from lib.errors import FieldError


def check(declared: Declared, family: Family) -> list[FieldError]:
    """Faults that hold for every city of the family, by fields of the request."""
    fields = Fields(declared.data)
    found = []
    if not (declared.issuer.inscricao_municipal or fields.text("prestador.inscricao_municipal")):
        found.append(
            FieldError(
                "prestador.inscricao_municipal",
                "Informe a inscrição municipal do prestador.",
            )
        )
    if (fields.amount("servico.valor_servicos") or 0) <= 0:
        found.append(FieldError("servico.valor_servicos", "O valor deve ser maior que zero."))
    if fields.text("numero_rps_substituido") and not family.replaces:
        found.append(
            FieldError(
                "numero_rps_substituido",
                "Este município não substitui notas por web service: cancele e emita de novo.",
            )
        )
    return found
