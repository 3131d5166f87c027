"""A national NFS-e as its taker reads it: `received_fields` of the catalogue (fiscal-api §7).

Amounts stay texts, as the note writes them; what a note does not say is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from lxml import etree

from fiscal.documents.nfsen.keys import CONSULT_PAGE
from fiscal.signing import BadSignature, verify
from fiscal.tables.places import municipality
from fiscal.xml import BadXml, child_text, local_name, parse

_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")
_KEY = re.compile(r"[0-9A-Z]{50}")
# tpRetISSQN: 1 not withheld, 2 by the taker, 3 by the intermediary.
_WITHHELD = ("2", "3")
# opSimpNac: 1 none, 2 MEI, 3 ME or EPP.
_SIMPLES = ("2", "3")
# Events after which the note is no more (NAC-11): by its emitter, by substitution, granted after
# an analysis, by the city itself.
CANCELLING = ("101101", "105102", "105104", "305101")


@dataclass(frozen=True)
class Note:
    """An NFS-e: what the row keeps of it, and both answers of the API."""

    chave: str
    number: str
    municipality: str
    issuer_document: str
    issuer_name: str
    taker_document: str
    total: Decimal | None
    issued_at: datetime | None
    summary: dict[str, Any]
    complete: dict[str, Any]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """An event of an NFS-e."""

    chave: str
    tipo: str
    at: datetime | None
    faults: tuple[str, ...] = ()

    @property
    def is_cancelling(self) -> bool:
        return self.tipo in CANCELLING


def read_note(content: bytes) -> Note:
    """The note in an NFSe of the national system. Raises BadXml."""
    inf = _inside(parse(content), "infNFSe")
    dps = _inside(inf, "infDPS")
    chave = inf.get("Id", "").removeprefix("NFS")
    if not _KEY.fullmatch(chave):
        raise BadXml("A chave de acesso da NFS-e é inválida.")
    found = _Parts(inf, dps)
    complete = _complete(chave, found)
    return Note(
        chave=chave,
        number=child_text(inf, "nNFSe")[:15],
        municipality=child_text(dps, "cLocEmi")[:7],
        issuer_document=_document(found.issuer),
        issuer_name=child_text(found.issuer, "xNome")[:300],
        taker_document=_document(found.taker),
        total=_amount(found.service("vServPrest", "vServ")),
        issued_at=_moment(child_text(inf, "dhProc")),
        summary=_summary(complete, found),
        complete=complete,
        faults=_faults(content),
    )


def read_event(content: bytes) -> Event:
    """The event in an `evento` of the national system. Raises BadXml."""
    inf = _inside(parse(content), "infEvento")
    asked = _inside(inf, "infPedReg")
    kinds = [local_name(one) for one in asked if re.fullmatch("e[0-9]{6}", local_name(one))]
    chave = child_text(asked, "chNFSe")
    if len(kinds) != 1 or not _KEY.fullmatch(chave):
        raise BadXml("O evento não diz de que nota nem de que tipo é.")
    return Event(chave, kinds[0][1:], _moment(child_text(inf, "dhProc")), _faults(content))


def _faults(content: bytes) -> tuple[str, ...]:
    """DIS-5: what the signature of the system does not prove."""
    try:
        verify(content)
    except BadSignature as error:
        return (str(error),)
    return ()


# --- parts -------------------------------------------------------------------------------------


class _Parts:
    """The elements of a note that its fields are read from; absent ones are empty."""

    def __init__(self, inf: etree._Element, dps: etree._Element) -> None:
        self.inf, self.dps = inf, dps
        self.issuer = _child(inf, "emit")
        self.provider = _child(dps, "prest")
        self.taker = _child(dps, "toma")

    def service(self, *names: str) -> str:
        """From the amounts of the declaration."""
        return child_text(self.dps, "valores", *names)

    def tax(self, *names: str) -> str:
        """From the taxes of the declaration."""
        return self.service("trib", *names)

    def computed(self, name: str) -> str:
        """From the amounts that the system computed."""
        return child_text(self.inf, "valores", name)


def _child(parent: etree._Element, name: str) -> etree._Element:
    found = next((one for one in parent if local_name(one) == name), None)
    return found if found is not None else etree.Element(name)


def _inside(root: etree._Element, tag: str) -> etree._Element:
    found = list(root.iter(f"{{*}}{tag}"))
    if len(found) != 1:
        raise BadXml(f"O documento deve ter exatamente um {tag}.")
    return found[0]


def _document(person: etree._Element) -> str:
    return (child_text(person, "CNPJ") or child_text(person, "CPF"))[:14]


# --- the answers -------------------------------------------------------------------------------


def _complete(chave: str, found: _Parts) -> dict[str, Any]:
    inf, dps = found.inf, found.dps
    regime = child_text(found.provider, "regTrib", "regEspTrib")
    return {
        "numero": child_text(inf, "nNFSe") or None,
        "serie": None,
        "codigo_verificacao": chave,
        "data_emissao": child_text(inf, "dhProc") or None,
        "numero_rps": child_text(dps, "nDPS") or None,
        "serie_rps": child_text(dps, "serie") or None,
        "tipo_rps": None,
        "data_emissao_rps": child_text(dps, "dhEmi") or None,
        "natureza_operacao": found.tax("tribMun", "tribISSQN") or None,
        "regime_especial_tributacao": regime or None,
        "optante_simples_nacional": child_text(found.provider, "regTrib", "opSimpNac") in _SIMPLES,
        "incentivador_cultural": False,
        "competencia": child_text(dps, "dCompet") or None,
        "numero_nfse_substituida": child_text(dps, "subst", "chSubstda") or None,
        "outras_informacoes": child_text(inf, "xOutInf") or None,
        "informacoes_adicionais_contribuinte": child_text(dps, "serv", "infoCompl", "xInfComp")
        or None,
        "prestador": _issuer(found),
        "tomador": _taker(found.taker),
        "servicos": [_service(found)],
        "url": f"{CONSULT_PAGE}{chave}",
        "url_xml": f"/v2/nfsens_recebidas/{chave}.xml",
    }


def _summary(complete: dict[str, Any], found: _Parts) -> dict[str, Any]:
    code = child_text(found.dps, "cLocEmi")
    place = complete["prestador"]["endereco"]
    same = (
        "numero", "numero_rps", "serie_rps", "data_emissao", "data_emissao_rps",
        "codigo_verificacao", "url", "url_xml",
    )  # fmt: skip
    return {name: complete[name] for name in same} | {
        "valor_servicos": complete["servicos"][0]["valor_servicos"],
        "documento_prestador": _document(found.issuer) or None,
        "nome_prestador": complete["prestador"]["razao_social"],
        "inscricao_municipal_prestador": complete["prestador"]["inscricao_municipal"],
        "nome_municipio": child_text(found.inf, "xLocEmi") or None,
        "sigla_uf": place["uf"],
        "codigo_municipio": code or None,
        "documento_tomador": _document(found.taker) or None,
    }


def _issuer(found: _Parts) -> dict[str, Any]:
    person = found.issuer
    place = _child(person, "enderNac")
    return _person(person) | {"endereco": _address(place, child_text(place, "cMun"), place)}


def _taker(person: etree._Element) -> dict[str, Any]:
    place = _child(person, "end")
    inner = _child(place, "endNac")
    return _person(person) | {"endereco": _address(place, child_text(inner, "cMun"), inner)}


def _person(person: etree._Element) -> dict[str, Any]:
    names = {
        "cpf": "CPF", "cnpj": "CNPJ", "inscricao_municipal": "IM", "razao_social": "xNome",
        "nome_fantasia": "xFant", "telefone": "fone", "email": "email",
    }  # fmt: skip
    return {name: child_text(person, tag) or None for name, tag in names.items()}


def _address(place: etree._Element, code: str, postal: etree._Element) -> dict[str, Any]:
    known = municipality(code) if code else None
    return {
        "logradouro": child_text(place, "xLgr") or None,
        "numero": child_text(place, "nro") or None,
        "complemento": child_text(place, "xCpl") or None,
        "bairro": child_text(place, "xBairro") or None,
        "codigo_municipio": code or None,
        "nome_municipio": known.name if known else None,
        "uf": child_text(place, "UF") or (known.uf if known else None),
        "codigo_pais": "1058" if code else None,
        "cep": child_text(postal, "CEP") or None,
    }


def _service(found: _Parts) -> dict[str, Any]:
    code = child_text(found.dps, "serv", "cServ", "cTribNac")
    is_withheld = found.tax("tribMun", "tpRetISSQN") in _WITHHELD
    iss = found.computed("vISSQN") or None
    return {
        "valor_servicos": found.service("vServPrest", "vServ") or None,
        "valor_deducoes": found.computed("vCalcDR") or found.service("vDedRed", "vDR") or None,
        "valor_pis": found.tax("tribFed", "piscofins", "vPis") or None,
        "valor_cofins": found.tax("tribFed", "piscofins", "vCofins") or None,
        "valor_inss": found.tax("tribFed", "vRetCP") or None,
        "valor_ir": found.tax("tribFed", "vRetIRRF") or None,
        "valor_csll": found.tax("tribFed", "vRetCSLL") or None,
        "iss_retido": is_withheld,
        "valor_iss": iss,
        "valor_iss_retido": iss if is_withheld else None,
        "outras_retencoes": None,
        "base_calculo": found.computed("vBC") or None,
        "aliquota": found.computed("pAliqAplic") or None,
        "valor_liquido": found.computed("vLiq") or None,
        "valor_credito": None,
        "desconto_incondicionado": found.service("vDescCondIncond", "vDescIncond") or None,
        "desconto_condicionado": found.service("vDescCondIncond", "vDescCond") or None,
        "item_lista_servico": f"{code[:2]}.{code[2:4]}" if code else None,
        "codigo_cnae": None,
        "codigo_tributario_municipio": child_text(found.dps, "serv", "cServ", "cTribMun") or None,
        "discriminacao": child_text(found.dps, "serv", "cServ", "xDescServ") or None,
        "codigo_municipio": child_text(found.dps, "serv", "locPrest", "cLocPrestacao") or None,
        "codigo_pais": child_text(found.dps, "serv", "locPrest", "cPaisPrestacao") or None,
        "codigo_municipio_incidencia": child_text(found.inf, "cLocIncid") or None,
        "quantidade": None,
        "valor_unitario": None,
    }


def _amount(text: str) -> Decimal | None:
    return Decimal(text) if _AMOUNT.fullmatch(text) else None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and 2000 <= found.year <= 2098 else None
