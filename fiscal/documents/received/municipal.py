"""A city's NFS-e as its taker reads it: `received_fields` of the catalogue (fiscal-api §7).

ABRASF (CompNfse of any version) and São Paulo (NFe). Amounts stay texts, as the note writes them;
what a note does not say is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from fiscal.authorities.municipal.abrasf_reading import amount, moment
from fiscal.authorities.wire import Element, Unreadable, read
from fiscal.documents.received import sao_paulo
from fiscal.documents.received.elements import YES, first, text, when
from fiscal.documents.received.national import Note
from fiscal.tables import places
from fiscal.xml import BadXml

_TOO_MUCH = Decimal(10) ** 13
_UNUSUAL = re.compile(r"[^0-9A-Za-z-]")


@dataclass(frozen=True)
class CityNote(Note):
    """A note and how it stands: a city tells no events apart from it."""

    is_cancelled: bool = False
    cancelled_at: datetime | None = None


def read_note(content: bytes, *, municipality: str) -> CityNote:
    """The note in a CompNfse or an NFe of São Paulo, of the city asked. Raises BadXml."""
    try:
        root = read(content, charset="utf-8")
    except Unreadable as error:
        raise BadXml(str(error)) from error
    if root.local == "NFe":
        gone, at = root.value("StatusNFe") == "C", root.value("DataCancelamento")
        return _note(sao_paulo.complete(root), municipality, is_cancelled=gone, at=at)
    return _of_abrasf(root, municipality)


def _note(complete: dict[str, Any], municipality: str, *, is_cancelled: bool, at: str) -> CityNote:
    issuer, taker = (
        complete[who]["cnpj"] or complete[who]["cpf"] or "" for who in ("prestador", "tomador")
    )
    number, code = complete["numero"] or "", complete["codigo_verificacao"] or ""
    if not number or not issuer:
        raise BadXml("A NFS-e não diz seu número ou quem a emitiu.")
    services = complete["servicos"][0]["valor_servicos"]
    # A key is part of an address: codes of verification are letters and digits, with few others.
    chave = _UNUSUAL.sub("", f"NFSe{issuer}{municipality}{number}{code}")[:140]
    complete = {**complete, "url_xml": f"/v2/nfses_recebidas/{chave}.xml"}
    return CityNote(
        chave=chave,
        number=number[:15],
        municipality=municipality,
        issuer_document=issuer[:14],
        issuer_name=(complete["prestador"]["razao_social"] or "")[:300],
        taker_document=taker[:14],
        total=_decimal(services),
        issued_at=_at(complete["data_emissao"] or ""),
        summary=_summary(complete, municipality, issuer, taker),
        complete=complete,
        is_cancelled=is_cancelled,
        cancelled_at=_at(at),
    )


def _summary(
    complete: dict[str, Any], municipality: str, issuer: str, taker: str
) -> dict[str, Any]:
    place = places.municipality(municipality)
    same = (
        "numero", "numero_rps", "serie_rps", "data_emissao", "data_emissao_rps",
        "codigo_verificacao", "url", "url_xml",
    )  # fmt: skip
    return {name: complete[name] for name in same} | {
        "valor_servicos": complete["servicos"][0]["valor_servicos"],
        "documento_prestador": issuer,
        "nome_prestador": complete["prestador"]["razao_social"],
        "inscricao_municipal_prestador": complete["prestador"]["inscricao_municipal"],
        "nome_municipio": place.name if place else None,
        "sigla_uf": place.uf if place else None,
        "codigo_municipio": municipality,
        "documento_tomador": taker or None,
    }


def _decimal(written: str | None) -> Decimal | None:
    """An amount that a column takes: 13 digits before the point; others are told as written."""
    found = amount(written) if written else None
    return found if found is not None and abs(found) < _TOO_MUCH else None


def _at(text: str) -> datetime | None:
    """A moment that every zone can write; a slip of the year is none."""
    found = moment(text)
    return found if found is not None and 2000 <= found.year <= 2098 else None


# --- ABRASF ------------------------------------------------------------------------------------


def _of_abrasf(root: Element, municipality: str) -> CityNote:
    inf = first(root, "InfNfse")
    if inf is None:
        raise BadXml("O documento não é uma NFS-e.")
    cancelled = first(root, "NfseCancelamento")
    at = (text(cancelled, "DataHora") or text(cancelled, "DataHoraCancelamento")) or ""
    replaced = first(root, "NfseSubstituicao") is not None
    return _note(_abrasf(inf), municipality, is_cancelled=cancelled is not None or replaced, at=at)


def _abrasf(inf: Element) -> dict[str, Any]:
    rps = first(inf, "IdentificacaoRps")
    return {
        "numero": (inf.value("Numero").lstrip("0") or None),
        "serie": None,
        "codigo_verificacao": inf.value("CodigoVerificacao") or None,
        "data_emissao": when(inf.value("DataEmissao")),
        "numero_rps": text(rps, "Numero"),
        "serie_rps": text(rps, "Serie"),
        "tipo_rps": text(rps, "Tipo"),
        "data_emissao_rps": text(inf, "DataEmissaoRps") or _rps_day(inf),
        "natureza_operacao": text(inf, "NaturezaOperacao") or text(inf, "ExigibilidadeISS"),
        "regime_especial_tributacao": text(inf, "RegimeEspecialTributacao"),
        "optante_simples_nacional": text(inf, "OptanteSimplesNacional") in YES,
        "incentivador_cultural": (text(inf, "IncentivadorCultural") or text(inf, "IncentivoFiscal"))
        in YES,
        "competencia": (text(inf, "Competencia") or "")[:10] or None,
        "numero_nfse_substituida": inf.value("NfseSubstituida") or None,
        "outras_informacoes": inf.value("OutrasInformacoes") or None,
        "informacoes_adicionais_contribuinte": text(inf, "InformacoesComplementares"),
        "prestador": _issuer(inf),
        "tomador": _person(first(inf, "TomadorServico") or first(inf, "Tomador")),
        "servicos": [_service(inf)],
        "url": None,
        "url_xml": None,
    }


def _issuer(inf: Element) -> dict[str, Any]:
    """Name and address as the city has them; 2.04 has the documents in the declaration alone."""
    told = _person(first(inf, "PrestadorServico"))
    declared = first(inf, "Prestador")
    names = ("cnpj", "cpf", "inscricao_municipal")
    return told | {name: told[name] or _person(declared)[name] for name in names}


def _rps_day(inf: Element) -> str | None:
    declared = first(inf, "Rps")
    return text(declared, "DataEmissao") if declared else None


def _person(person: Element | None) -> dict[str, Any]:
    place = _place_of(person)
    code = text(place, "CodigoMunicipio")
    known = places.municipality(code) if code else None
    return {
        "cpf": text(person, "Cpf"),
        "cnpj": text(person, "Cnpj"),
        "inscricao_municipal": text(person, "InscricaoMunicipal"),
        "razao_social": text(person, "RazaoSocial"),
        "nome_fantasia": text(person, "NomeFantasia"),
        "telefone": text(person, "Telefone"),
        "email": text(person, "Email"),
        "endereco": {
            "logradouro": place.value("Endereco") or None if place else None,
            "numero": text(place, "Numero"),
            "complemento": text(place, "Complemento"),
            "bairro": text(place, "Bairro"),
            "codigo_municipio": code,
            "nome_municipio": known.name if known else None,
            "uf": text(place, "Uf") or (known.uf if known else None),
            "codigo_pais": text(place, "CodigoPais") or ("1058" if code else None),
            "cep": text(place, "Cep"),
        },
    }


def _place_of(person: Element | None) -> Element | None:
    """The group Endereco, which holds an element of the same name."""
    return person.child("Endereco") if person else None


def _service(inf: Element) -> dict[str, Any]:
    sums, own = first(inf, "ValoresNfse"), first(inf, "Valores")

    def value(name: str) -> str | None:
        return text(sums, name) or text(own, name)

    service = first(inf, "Servico")
    is_withheld = text(service, "IssRetido") in YES
    return {
        "valor_servicos": text(own, "ValorServicos"),
        "valor_deducoes": text(own, "ValorDeducoes"),
        "valor_pis": text(own, "ValorPis"),
        "valor_cofins": text(own, "ValorCofins"),
        "valor_inss": text(own, "ValorInss"),
        "valor_ir": text(own, "ValorIr"),
        "valor_csll": text(own, "ValorCsll"),
        "iss_retido": is_withheld,
        "valor_iss": value("ValorIss"),
        "valor_iss_retido": text(own, "ValorIssRetido")
        or (value("ValorIss") if is_withheld else None),
        "outras_retencoes": text(own, "OutrasRetencoes"),
        "base_calculo": value("BaseCalculo"),
        "aliquota": value("Aliquota"),
        "valor_liquido": value("ValorLiquidoNfse"),
        "valor_credito": inf.value("ValorCredito") or None,
        "desconto_incondicionado": text(own, "DescontoIncondicionado"),
        "desconto_condicionado": text(own, "DescontoCondicionado"),
        "item_lista_servico": text(service, "ItemListaServico"),
        "codigo_cnae": text(service, "CodigoCnae"),
        "codigo_tributario_municipio": text(service, "CodigoTributacaoMunicipio"),
        "discriminacao": text(service, "Discriminacao"),
        "codigo_municipio": text(service, "CodigoMunicipio"),
        "codigo_pais": text(service, "CodigoPais"),
        "codigo_municipio_incidencia": text(service, "MunicipioIncidencia"),
        "quantidade": None,
        "valor_unitario": None,
    }
