"""Values of the ABRASF messages: the request in the vocabulary of abrasf.yaml (ABR-3, ABR-9)."""

from __future__ import annotations

import re

from fiscal.authorities.municipal import values
from fiscal.authorities.municipal.profiles import Family
from fiscal.authorities.municipal.values import EXEMPT, IMMUNE, TAXED_OUTSIDE, Fields
from fiscal.documents.nfse.rules import amounts
from fiscal.documents.service import Declared, NoteRef, RpsIdentity

_EXPORT = "4"
# natureza_operacao is the table of 1.00; 2.x has ExigibilidadeISS.
_EXIGIBILITY = {"1": "1", "2": "1", EXEMPT: "3", IMMUNE: "5", "5": "6", "6": "7"}
_YES, _NO = "1", "2"
_ITEM = re.compile(r"\A0?([0-9]{1,2})(?:\.([0-9]{1,2})|([0-9]{2}))\Z")


def of_declaration(
    declared: Declared, identity: RpsIdentity, *, family: Family, municipality: str
) -> dict[str, str]:
    """All values that a tree of any version may ask for."""
    fields = Fields(declared.data)
    found = values.common(declared, identity)
    found |= _moments(declared) | _amounts(declared, fields, family) | _choices(fields)
    found |= _places(fields, municipality)
    found["servico.item_lista_servico"] = item(found.get("servico.item_lista_servico", ""), family)
    found["servico.codigo_nbs"] = values.only_alphanumeric(found.get("servico.codigo_nbs", ""))
    if found.get("numero_rps_substituido"):
        found["tipo_rps_substituido"] = found.get("tipo_rps_substituido") or "1"
    if not (found.get("intermediario.cpf") or found.get("intermediario.cnpj")):
        found |= {"intermediario.razao_social": "", "municipio_intermediario": ""}
    if found.get("tomador.nif"):
        found |= _abroad(found)
    return found


def _moments(declared: Declared) -> dict[str, str]:
    return {
        "data_emissao": f"{declared.issued_at:%Y-%m-%d}",
        "data_hora_emissao": f"{declared.issued_at:%Y-%m-%dT%H:%M:%S}",
        "competencia": f"{declared.competence:%Y-%m-%d}",
        "normal": "1",
    }


def _amounts(declared: Declared, fields: Fields, family: Family) -> dict[str, str]:
    found = amounts(declared.data)
    percent = fields.amount("servico.percentual_total_tributos")
    return {
        "servico.aliquota": values.rate(
            fields.amount("servico.aliquota"),
            as_fraction=family.rate == "fracao",
            places=family.rate_places,
        ),
        "servico.base_calculo": values.amount(found.base),
        "servico.valor_iss": values.amount(values.iss(fields, found)),
        "servico.valor_iss_retido": values.amount(values.withheld_iss(fields, found)),
        "valor_liquido": values.amount(found.net),
        "valor_total_tributos": values.amount(
            None if percent is None else found.service * percent / 100
        ),
    }


def _choices(fields: Fields) -> dict[str, str]:
    def yes(path: str) -> str:
        return _YES if fields.is_yes(path) else _NO

    return {
        "natureza_operacao": fields.nature,
        "exigibilidade_iss": _EXPORT if fields.is_export else _EXIGIBILITY.get(fields.nature, ""),
        "optante_simples_nacional": yes("optante_simples_nacional"),
        "incentivador_cultural": yes("incentivador_cultural"),
        "servico.iss_retido": yes("servico.iss_retido"),
        "responsavel_retencao": "1" if fields.is_withheld else "",
    }


def _places(fields: Fields, municipality: str) -> dict[str, str]:
    where = fields.text("servico.codigo_municipio") or municipality
    due = where if fields.nature == TAXED_OUTSIDE else municipality
    return {
        "servico.codigo_municipio": where,
        # Nothing is due to any city for what is immune or exported.
        "municipio_incidencia": "" if fields.nature == IMMUNE or fields.is_export else due,
        "municipio_intermediario": municipality,
    }


def _abroad(found: dict[str, str]) -> dict[str, str]:
    """A taker without CPF or CNPJ lives abroad: no municipality, no CEP."""
    street = ", ".join(
        found[path]
        for path in ("tomador.endereco.logradouro", "tomador.endereco.numero")
        if found.get(path)
    )
    names = (
        "logradouro", "numero", "complemento", "bairro", "codigo_municipio", "uf", "cep",
    )  # fmt: skip
    return {**{f"tomador.endereco.{name}": "" for name in names}, "endereco_exterior": street}


def item(value: str, family: Family) -> str:
    """The item of the service list as the family writes it: 0101, 1.01 and 01.01 are one."""
    found = _ITEM.match(value)
    if not found:
        return value
    group = found[1].zfill(2) if family.item == "00.00" else found[1]
    return f"{group}.{(found[2] or found[3]).zfill(2)}"


def of_note(note: NoteRef, *, code: str = "") -> dict[str, str]:
    """Values of queries and cancellations."""
    return {
        **values.of_issuer(note.issuer),
        **values.of_identity(note.identity),
        "numero_nfse": note.number,
        "municipio": note.municipality,
        "protocolo": note.protocol,
        "codigo_cancelamento": code,
    }
