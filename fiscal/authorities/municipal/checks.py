"""What a family would refuse, told before a number is spent."""

from __future__ import annotations

from fiscal.authorities.municipal.profiles import Family
from fiscal.authorities.municipal.values import Fields
from fiscal.authorities.provider import Provider
from fiscal.documents.service import Declared, RpsIdentity
from fiscal.errors import InvalidRequest, SchemaInvalid
from fiscal.signing import STRAW
from lib.errors import FieldError

_INTERMEDIARY = ("intermediario.cnpj", "intermediario.cpf")
_LONGEST = RpsIdentity("", "99999", 999_999_999_999)  # São Paulo has twelve digits


def rehearse(declared: Declared, provider: Provider) -> list[FieldError]:
    """What the schema of the city finds in the message that `declared` would make (§1.4)."""
    try:
        provider.build(declared, _LONGEST, signer=STRAW)
    except SchemaInvalid as refused:
        return list(refused.erros)
    return []


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
    if fields.text("intermediario.razao_social") and not any(map(fields.text, _INTERMEDIARY)):
        found.append(FieldError("intermediario.cnpj", "Informe o CNPJ ou o CPF do intermediário."))
    if fields.text("numero_rps_substituido") and not family.replaces:
        found.append(
            FieldError(
                "numero_rps_substituido",
                "Este município não substitui notas por web service: cancele e emita de novo.",
            )
        )
    return found


def refuse_code(code: str, family: Family) -> None:
    """Raises InvalidRequest for a reason to cancel that the family does not take (ABR-7)."""
    if code and code not in family.cancel_codes:
        taken = ", ".join(family.cancel_codes)
        raise InvalidRequest(f'Parâmetro "codigo_cancelamento" inválido: use um destes: {taken}.')
