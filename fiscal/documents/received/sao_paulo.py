"""An NFe of São Paulo in the words of `received_fields` (fiscal-api §7)."""

from __future__ import annotations

from typing import Any

from fiscal.authorities.municipal.abrasf_reading import amount
from fiscal.authorities.wire import Element
from fiscal.documents.received.elements import YES, text, when
from fiscal.tables import places


def complete(nfe: Element) -> dict[str, Any]:
    """Every field but `url_xml`, which is the reader's."""
    key, rps = nfe.child("ChaveNFe"), nfe.child("ChaveRPS")
    is_withheld = nfe.value("ISSRetido") in YES
    return {
        "numero": text(key, "NumeroNFe"),
        "serie": None,
        "codigo_verificacao": text(key, "CodigoVerificacao"),
        "data_emissao": when(nfe.value("DataEmissaoNFe")),
        "numero_rps": text(rps, "NumeroRPS"),
        "serie_rps": text(rps, "SerieRPS"),
        "tipo_rps": nfe.value("TipoRPS") or None,
        "data_emissao_rps": nfe.value("DataEmissaoRPS") or None,
        "natureza_operacao": nfe.value("TributacaoNFe") or None,
        "regime_especial_tributacao": None,
        "optante_simples_nacional": nfe.value("OpcaoSimples") not in ("", "0"),
        "incentivador_cultural": False,
        "competencia": (nfe.value("DataFatoGeradorNFe") or nfe.value("DataEmissaoNFe"))[:10]
        or None,
        "numero_nfse_substituida": None,
        "outras_informacoes": None,
        "informacoes_adicionais_contribuinte": None,
        "prestador": _party(nfe, "Prestador", text(key, "InscricaoPrestador")),
        "tomador": _party(nfe, "Tomador", nfe.value("InscricaoMunicipalTomador") or None),
        "servicos": [_service_of_sao_paulo(nfe, is_withheld=is_withheld)],
        "url": None,
        "url_xml": None,
    }


def _party(nfe: Element, who: str, inscription: str | None) -> dict[str, Any]:
    document, place = nfe.child(f"CPFCNPJ{who}"), nfe.child(f"Endereco{who}")
    code = text(place, "Cidade")
    known = places.municipality(code) if code else None
    return {
        "cpf": text(document, "CPF"),
        "cnpj": text(document, "CNPJ"),
        "inscricao_municipal": inscription,
        "razao_social": nfe.value(f"RazaoSocial{who}") or None,
        "nome_fantasia": None,
        "telefone": None,
        "email": nfe.value(f"Email{who}") or None,
        "endereco": {
            "logradouro": text(place, "Logradouro"),
            "numero": text(place, "NumeroEndereco"),
            "complemento": text(place, "ComplementoEndereco"),
            "bairro": text(place, "Bairro"),
            "codigo_municipio": code,
            "nome_municipio": known.name if known else None,
            "uf": text(place, "UF"),
            "codigo_pais": "1058" if code else None,
            "cep": text(place, "CEP"),
        },
    }


def _service_of_sao_paulo(nfe: Element, *, is_withheld: bool) -> dict[str, Any]:
    def value(name: str) -> str | None:
        return nfe.value(name) or None

    charged = value("ValorServicos") or value("ValorInicialCobrado") or value("ValorFinalCobrado")
    iss = value("ValorISS")
    return {
        "valor_servicos": charged,
        "valor_deducoes": value("ValorDeducoes"),
        "valor_pis": value("ValorPIS"),
        "valor_cofins": value("ValorCOFINS"),
        "valor_inss": value("ValorINSS"),
        "valor_ir": value("ValorIR"),
        "valor_csll": value("ValorCSLL"),
        "iss_retido": is_withheld,
        "valor_iss": iss,
        "valor_iss_retido": iss if is_withheld else None,
        "outras_retencoes": None,
        "base_calculo": None,
        "aliquota": _percent(value("AliquotaServicos")),
        "valor_liquido": None,
        "valor_credito": value("ValorCredito"),
        "desconto_incondicionado": None,
        "desconto_condicionado": None,
        "item_lista_servico": None,
        "codigo_cnae": None,
        "codigo_tributario_municipio": value("CodigoServico"),
        "discriminacao": (nfe.value("Discriminacao").replace("|", "\n")) or None,
        "codigo_municipio": value("MunicipioPrestacao"),
        "codigo_pais": None,
        "codigo_municipio_incidencia": None,
        "quantidade": None,
        "valor_unitario": None,
    }


def _percent(fraction: str | None) -> str | None:
    """0.05 is 5.00, as all other notes write it."""
    value = amount(fraction) if fraction else None
    return None if value is None else f"{value * 100:.2f}"
