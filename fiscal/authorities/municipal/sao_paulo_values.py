"""Values of São Paulo's messages, and the strings that it wants signed (manual, web service)."""

from __future__ import annotations

import base64
from datetime import date

from fiscal.authorities.municipal import values
from fiscal.authorities.municipal.profiles import Family
from fiscal.authorities.municipal.values import EXEMPT, IMMUNE, SUSPENDED, TAXED_OUTSIDE, Fields
from fiscal.documents.service import Declared, NoteRef, RpsIdentity, ServiceIssuer
from fiscal.signing import Signer
from lib import br

SAO_PAULO = "3550308"
_WIDTH = {"1": 8, "2": 12}  # of the inscription in the signed string
_KINDS = {1: "RPS", 2: "RPS-M", 3: "RPS-C"}
# Taxed in São Paulo and outside of it, since 2015-02-23.
_LETTERS = {EXEMPT: "AB", IMMUNE: "MN", "5": "XV", "6": "XV"}
_ZEROS = ("valor_deducoes", "valor_pis", "valor_cofins", "valor_inss", "valor_ir", "valor_csll")


def layout_of(declared: Declared, family: Family) -> str:
    """Layout 2 for facts from the day on that the family names (error 631)."""
    since = family.layout_2_from
    return "2" if since is not None and declared.competence >= since else "1"


def of_declaration(
    declared: Declared, identity: RpsIdentity, *, layout: str, signer: Signer
) -> dict[str, str]:
    """All values that the trees of both layouts may ask for, the signed string among them."""
    fields = Fields(declared.data)
    found = values.common(declared, identity, joint="|")
    found |= _texts(declared, fields, found) | _amounts(fields) | _reform(fields, found)
    found["inscricao"] = inscription(declared.issuer, fields)
    found["tipo_rps"] = _KINDS.get(identity.kind, "RPS")
    text = rps_string(found, layout=layout, issued_on=declared.issued_at.date())
    return {**found, "assinatura": signed(text, signer)}


def of_note(note: NoteRef, signer: Signer) -> dict[str, str]:
    """Values of queries and cancellations."""
    inscricao = br.only_digits(note.issuer.inscricao_municipal).zfill(8)
    found = {
        **values.of_issuer(note.issuer),
        **values.of_identity(note.identity),
        "inscricao": inscricao,
        "numero_nfse": note.number,
    }
    if not note.number:
        return found
    return {**found, "assinatura": signed(cancel_string(inscricao, note.number), signer)}


def inscription(issuer: ServiceIssuer, fields: Fields) -> str:
    """Of the provider; the schema of layout 1 wants all eight digits."""
    own = br.only_digits(issuer.inscricao_municipal)
    return (br.only_digits(fields.text("prestador.inscricao_municipal")) or own).zfill(8)


# --- signed strings --------------------------------------------------------------------------


def rps_string(found: dict[str, str], *, layout: str, issued_on: date) -> str:
    """What `Assinatura` signs: 86 characters, 90 in layout 2, more with an intermediary.

    `found` has the values of the message: what is signed is what is sent (error 1206).
    """
    taker = found.get("tomador.cpf") or found.get("tomador.cnpj") or ""
    is_foreign = layout == "2" and not taker and bool(_foreign(found))
    return "".join(
        (
            found["inscricao"].zfill(_WIDTH[layout]),
            f"{found['serie']:<5}",
            found["numero"].zfill(12),
            f"{issued_on:%Y%m%d}",
            found["natureza_operacao"],
            found["normal"],
            "S" if found["servico.iss_retido"] == "true" else "N",
            _cents(found["servico.valor_servicos"]),
            _cents(found["servico.valor_deducoes"]),
            found["servico.codigo_tributario_municipio"].zfill(5),
            "4" if is_foreign else _indicator(taker),
            taker.zfill(14),
            _intermediary(found),
            _foreign(found) if is_foreign else "",
        )
    )


def cancel_string(inscricao: str, number: str) -> str:
    """What `AssinaturaCancelamento` signs: inscription (8) and number of the note (12)."""
    return inscricao.zfill(8) + number.zfill(12)


def signed(text: str, signer: Signer) -> str:
    """SHA-1, RSA PKCS#1 v1.5, base64. The string is of ASCII, as series and documents are."""
    return base64.b64encode(signer.sha1_rsa(text.encode("ascii", "replace"))).decode()


def _cents(value: str) -> str:
    return (value or "0.00").replace(".", "").zfill(15)


def _indicator(document: str) -> str:
    """1 CPF, 2 CNPJ, 3 none."""
    return {11: "1", 14: "2"}.get(len(document), "3")


def _intermediary(found: dict[str, str]) -> str:
    document = found.get("intermediario.cpf") or found.get("intermediario.cnpj") or ""
    if not document:
        return ""
    is_withheld = found["iss_retido_intermediario"] == "true"
    return _indicator(document) + document.zfill(14) + ("S" if is_withheld else "N")


def _foreign(found: dict[str, str]) -> str:
    return found.get("tomador.nif") or found.get("tomador.motivo_ausencia_nif") or ""


# --- groups ----------------------------------------------------------------------------------


def _texts(declared: Declared, fields: Fields, found: dict[str, str]) -> dict[str, str]:
    has_intermediary = found.get("intermediario.cpf") or found.get("intermediario.cnpj")
    is_known = found.get("tomador.cpf") or found.get("tomador.cnpj")
    cep = br.only_digits(found.get("tomador.endereco.cep", ""))
    street = fields.text("tomador.endereco.logradouro")
    return {
        "data_emissao": f"{declared.issued_at:%Y-%m-%d}",
        "normal": "N",
        "natureza_operacao": _letter(fields),
        "servico.iss_retido": "true" if fields.is_withheld else "false",
        "iss_retido_intermediario": "false" if has_intermediary else "",
        "tipo_logradouro": (fields.text("tomador.endereco.tipo_logradouro") or street)[:3].strip(),
        "tomador.endereco.cep": cep,
        # Only takers of the city have an inscription that it knows.
        "tomador.inscricao_municipal": _inscription_of_taker(fields),
        "tomador.nif": "" if is_known else found.get("tomador.nif", ""),
        "tomador.motivo_ausencia_nif": ""
        if is_known or found.get("tomador.nif")
        else found.get("tomador.motivo_ausencia_nif", ""),
        "verdadeiro": "true",
        "nao": "0",
    }


def _inscription_of_taker(fields: Fields) -> str:
    is_local = fields.text("tomador.endereco.codigo_municipio") == SAO_PAULO
    return br.only_digits(fields.text("tomador.inscricao_municipal")) if is_local else ""


def _letter(fields: Fields) -> str:
    """TributacaoRPS of natureza_operacao and of where the service was rendered."""
    if fields.is_export:
        return "P"
    if fields.nature == TAXED_OUTSIDE:
        return "F"
    inside_outside = _LETTERS.get(fields.nature, "TF")
    return inside_outside[_is_outside(fields)]


def _is_outside(fields: Fields) -> bool:
    where = fields.text("servico.codigo_municipio") or SAO_PAULO
    return fields.nature not in ("", "1") and where != SAO_PAULO


def _amounts(fields: Fields) -> dict[str, str]:
    """Layout 2 wants every one of them, so a missing one is zero."""
    zeros = {
        f"servico.{name}": values.amount(fields.amount(f"servico.{name}")) or "0.00"
        for name in _ZEROS
    }
    rate = fields.amount("servico.aliquota")
    return {
        **zeros,
        "zero": "0.00",
        "servico.aliquota": values.rate(rate, as_fraction=True, places=4) or "0.0000",
        "exigibilidade_suspensa": "1" if fields.nature in SUSPENDED else "0",
    }


def _reform(fields: Fields, found: dict[str, str]) -> dict[str, str]:
    """The IBS/CBS group in the national vocabulary (ABR-9)."""
    where = fields.text("servico.codigo_municipio") or SAO_PAULO
    operation = fields.text("servico.codigo_indicador_operacao") or fields.text(
        "codigo_indicador_operacao"
    )
    return {
        "local_prestacao": "" if fields.is_export else where,
        "municipio_prestacao": where if _letter(fields) in "FBNSV" else "",
        "servico.codigo_nbs": values.only_alphanumeric(found.get("servico.codigo_nbs", "")),
        "codigo_indicador_operacao": operation,
        "finalidade_emissao": fields.text("finalidade_emissao") or "0",
        "consumidor_final": fields.text("consumidor_final") or "0",
        "indicador_destinatario": fields.text("indicador_destinatario") or "0",
    }
