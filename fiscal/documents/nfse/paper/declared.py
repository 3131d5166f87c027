"""The print of what we declared, where the city has given no XML: an RPS, or its number alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fiscal.documents.nfse import rules
from fiscal.documents.nfse.paper import texts
from fiscal.documents.nfse.paper.texts import named
from fiscal.documents.nfse.paper.view import (
    NOTE_TITLE,
    RPS_TITLE,
    Amounts,
    Paper,
    Party,
    document,
)
from fiscal.documents.service import Declared, RpsIdentity
from fiscal.tables import places
from lib import br

_YES = "S"


def read_declared(
    declared: Declared, identity: RpsIdentity, *, numero: str = "", codigo: str = "",
    issued: str = "",
) -> Paper:  # fmt: skip
    """`numero`, `codigo` and `issued` (dd/mm/aaaa hh:mm:ss) are what the city answered, if it did.

    Of a municipal declaration (NFSE) only.
    """
    data = declared.data
    return Paper(
        title=NOTE_TITLE if numero else RPS_TITLE,
        town=_town(_text(data, "prestador.codigo_municipio")),
        numero=numero or str(identity.number),
        codigo=codigo,
        issued=issued or f"{declared.issued_at:%d/%m/%Y %H:%M:%S}",
        competencia=br.date_br(declared.competence),
        rps=_rps(declared, identity),
        replaces=_replaced(data),
        prestador=_provider(declared),
        tomador=_party(data, "tomador"),
        intermediario=_party(data, "intermediario"),
        discriminacao=_text(data, "servico.discriminacao"),
        details=_details(data),
        amounts=_amounts(data),
        notes=(texts.SIMPLES,) if data.get("optante_simples_nacional") == _YES else (),
    )


def _text(data: dict[str, Any], path: str) -> str:
    value = data.get(path)
    return "" if value is None else str(value)


def _decimal(data: dict[str, Any], name: str) -> Decimal | None:
    value = data.get(f"servico.{name}")
    return None if value is None else Decimal(str(value))


def _rps(declared: Declared, identity: RpsIdentity) -> str:
    kind = texts.RPS_KINDS.get(str(identity.kind), "RPS")
    told = f"nº {identity.number}, série {identity.series}"
    return f"{told} ({kind}), de {declared.issued_at:%d/%m/%Y}"


def _replaced(data: dict[str, Any]) -> str:
    number = _text(data, "numero_rps_substituido")
    return f"RPS nº {number}, série {_text(data, 'serie_rps_substituido')}" if number else ""


def _provider(declared: Declared) -> Party:
    issuer = declared.issuer
    parts = (issuer.logradouro, issuer.numero, issuer.complemento, issuer.bairro)
    return Party(
        nome=issuer.nome,
        documento=document(issuer.document),
        inscricao=issuer.inscricao_municipal,
        address=", ".join(filter(None, parts)),
        town=" – ".join(filter(None, (issuer.municipio, issuer.uf))),
        cep=br.cep_mask(issuer.cep) if issuer.cep else "",
        email=issuer.email,
        phone=br.phone_mask(issuer.telefone) if issuer.telefone else "",
    )


def _party(data: dict[str, Any], who: str) -> Party:
    def of(name: str) -> str:
        return _text(data, f"{who}.{name}")

    street = ("logradouro", "numero", "complemento", "bairro")
    return Party(
        nome=of("razao_social"),
        documento=document(of("cnpj") or of("cpf")) or of("nif"),
        inscricao=of("inscricao_municipal"),
        address=", ".join(filter(None, (of(f"endereco.{name}") for name in street))),
        town=_town(of("endereco.codigo_municipio")),
        cep=br.cep_mask(of("endereco.cep")) if of("endereco.cep") else "",
        email=of("email"),
        phone=br.phone_mask(of("telefone")) if of("telefone") else "",
    )


def _town(code: str) -> str:
    place = places.municipality(code)
    return f"{place.name} – {place.uf}" if place else ""


def _details(data: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return (
        ("Item da lista de serviços (LC 116/2003)", _text(data, "servico.item_lista_servico")),
        (
            "Código de tributação do município",
            _text(data, "servico.codigo_tributario_municipio"),
        ),
        ("CNAE", _text(data, "servico.codigo_cnae")),
        ("NBS", _text(data, "servico.codigo_nbs")),
        ("Local da prestação", _town(_text(data, "servico.codigo_municipio"))),
        ("Natureza da operação", named(texts.NATURES, _text(data, "natureza_operacao"))),
        (
            "Regime especial de tributação",
            named(texts.REGIMES, _text(data, "regime_especial_tributacao")),
        ),
        ("Código da obra", _text(data, "codigo_obra")),
        ("ART", _text(data, "art")),
    )


def _amounts(data: dict[str, Any]) -> Amounts:
    sums = rules.amounts(data)
    return Amounts(
        services=sums.service,
        deductions=_decimal(data, "valor_deducoes"),
        unconditional=_decimal(data, "desconto_incondicionado"),
        conditional=_decimal(data, "desconto_condicionado"),
        base=sums.base,
        rate=_decimal(data, "aliquota"),
        iss=sums.iss,
        is_withheld=data.get("servico.iss_retido") == _YES,
        pis=_decimal(data, "valor_pis"),
        cofins=_decimal(data, "valor_cofins"),
        inss=_decimal(data, "valor_inss"),
        ir=_decimal(data, "valor_ir"),
        csll=_decimal(data, "valor_csll"),
        others=_decimal(data, "outras_retencoes"),
        iss_withheld=_decimal(data, "valor_iss_retido"),
        net=sums.net,
    )
