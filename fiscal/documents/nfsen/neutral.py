"""The municipal body for a city that issues through the national system: /v2/nfse as a DPS.

Most fields go where the catalogue of the municipal body says (`xml`); what the two vocabularies
tell in different ways is translated here (natureza_operacao_to_dps).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache

from fiscal.documents.nfe import moments
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.nfsen import federal_rules, rate_rules
from fiscal.documents.nfsen.catalogue import catalogue, places
from fiscal.documents.nfsen.defaults import complete_group
from fiscal.documents.service import NFSEN, Declared, ServiceIssuer
from fiscal.documents.types import Data
from fiscal.errors import SchemaInvalid
from fiscal.tables.loaders import yaml_table
from lib.errors import FieldError

_MEI = 4  # CRT
# regime_especial_tributacao of ABRASF → regEspTrib; 5 and 6 are told by opSimpNac.
_REGIMES = {"1": "3", "2": "2", "3": "6", "4": "1", "5": "0", "6": "0"}
_SIMPLES_BY_REGIME = {"5": "2", "6": "3"}
# Which of PIS, COFINS and CSLL are withheld → tpRetPisCofins (NT 007).
_WITHHELD = {
    (True, True, True): "3",
    (True, True, False): "4",
    (True, False, False): "5",
    (False, True, False): "6",
    (False, True, True): "7",
    (False, False, True): "8",
    (True, False, True): "9",
}
_NO_CST = "00"
_SPLIT_ITEM = "01"  # the national list has one more level than that of LC 116
# natureza_operacao → what the DPS wants to know of it besides.
_PROCESS = ("numero_processo_suspensao", "informe o processo da suspensão (30 dígitos)")
_ASKED_FOR = {
    "3": ("numero_beneficio_municipal", "informe o benefício que dá a isenção (14 dígitos)"),
    "4": ("tipo_imunidade", "informe o tipo da imunidade, de 1 a 5"),
    "5": _PROCESS,
    "6": _PROCESS,
}
_UNTOLD = {"tipo_imunidade": "0"}  # E0593: only for notes copied from paper
_REPLACED = "chave_nfse_substituida"
_OTHER_REASON = {
    "codigo_justificativa_substituicao": "99",
    "motivo_substituicao": "Substituicao a pedido do emitente",
}
# The two bodies write them in different ways, and the municipal one says too little.
_NO_PLACE = frozenset(("documentos_referenciados", "evento.endereco", "imovel.endereco"))
# Told in another way, or decided by what else was sent.
_TRANSLATED = frozenset(
    (
        *("natureza_operacao", "regime_especial_tributacao", "optante_simples_nacional"),
        *("servico.item_lista_servico", "servico.codigo_tributario_municipio"),
        *("servico.iss_retido", "servico.aliquota", "servico.percentual_total_tributos"),
        *("servico.valor_pis", "servico.valor_cofins", "servico.valor_csll"),
        *_NO_PLACE,
    )
)
_REFORM = ("ibs_cbs_situacao_tributaria", "ibs_cbs_classificacao_tributaria")


def to_national(declared: Declared, *, is_active: bool | None = None) -> Declared:
    """The same service as a declaration of the national system.

    `is_active`: the agreement of the city with it, None when unknown (NAC-13). Raises
    SchemaInvalid, whose `campo` are those of the municipal body.
    """
    source, faults = declared.data, Faults()
    data = _moved(source)
    data["data_emissao"] = moments.written(declared.issued_at)
    data["data_competencia"] = declared.competence.isoformat()
    data["emitente_dps"] = "1"
    _provider(source, data, declared.issuer)
    _service(source, data, faults)
    _nature(source, data, faults)
    _replacement(source, data, faults)
    _withheld(source, data)
    _rate(source, data, is_active=is_active)
    _total(source, data)
    _reform(data)
    if faults:
        raise SchemaInvalid(erros=list(faults.values()))
    return replace(declared, tipo=NFSEN, data=data)


@cache
def carried() -> frozenset[str]:
    """The fields of the municipal body that the DPS has a place for."""
    return frozenset({*_moves(), *_TRANSLATED, *catalogue().level()} - _NO_PLACE)


@cache
def _moves() -> Mapping[str, str]:
    """Path of the municipal body → field of the national one, by their place in the DPS."""
    found: dict[str, str] = {}
    national_fields = places().fields
    for row in yaml_table("fields/nfse.yaml")["fields"]:
        path, place = row["path"], row.get("xml")
        if path not in _TRANSLATED and "[]" not in path and place in national_fields:
            found[path] = national_fields[place].name
    return found


def as_asked(faults: Iterable[FieldError]) -> list[FieldError]:
    """Faults of the national declaration under the names that the municipal body has for them."""
    return [FieldError(_names().get(one.campo, one.campo), one.mensagem) for one in faults]


@cache
def _names() -> Mapping[str, str]:
    """Field of the national declaration → path of the municipal body."""
    told = {new: old for old, new in _moves().items()}
    return told | {
        "tributacao_iss": "natureza_operacao",
        "codigo_opcao_simples_nacional": "optante_simples_nacional",
        "codigo_tributacao_nacional_iss": "servico.item_lista_servico",
        "codigo_tributacao_municipal_iss": "servico.codigo_tributario_municipio",
        "tipo_retencao_iss": "servico.iss_retido",
        rate_rules.RATE: "servico.aliquota",
        _REPLACED: "numero_rps_substituido",
    }


def _moved(source: Data) -> Data:
    known = catalogue().level()
    # Fields that both bodies have under one name go through as they are.
    data = {name: value for name, value in source.items() if name in known}
    for name in _TRANSLATED:
        data.pop(name, None)
    data.update({new: source[old] for old, new in _moves().items() if old in source})
    return data


def _provider(source: Data, data: Data, issuer: ServiceIssuer) -> None:
    if not data.get("cnpj_prestador") and issuer.cpf:
        data["cpf_prestador"] = issuer.cpf
    regime = source.get("regime_especial_tributacao", "")
    data["regime_especial_tributacao"] = _REGIMES.get(regime, "0")
    if "codigo_opcao_simples_nacional" not in data:
        simples = source.get("optante_simples_nacional") == "S"
        of_regime = _SIMPLES_BY_REGIME.get(regime, "3")
        mei = issuer.regime_tributario == _MEI
        data["codigo_opcao_simples_nacional"] = ("2" if mei else of_regime) if simples else "1"
    if data["codigo_opcao_simples_nacional"] == "3":
        data.setdefault("regime_tributario_simples_nacional", "1")


def _service(source: Data, data: Data, faults: Faults) -> None:
    item = "".join(c for c in source["servico.item_lista_servico"] if c not in ". -/")
    if item.isdecimal() and len(item) in (3, 4):
        item = item.zfill(4) + _SPLIT_ITEM
    if not item.isdecimal() or len(item) != 6:
        faults.add("servico.item_lista_servico", "Informe o item da lista (LC 116), como 01.07.")
    data["codigo_tributacao_nacional_iss"] = item
    local = source.get("servico.codigo_tributario_municipio", "")
    if local.isdecimal() and len(local) == 3:
        data["codigo_tributacao_municipal_iss"] = local
    if data.get("codigo_pais_prestacao"):
        data.pop("codigo_municipio_prestacao", None)


def _nature(source: Data, data: Data, faults: Faults) -> None:
    """natureza_operacao_to_dps; with 2 the place of the service says where the tax is due."""
    nature = source.get("natureza_operacao", "1")
    data["tributacao_iss"] = "2" if nature == "4" else "1"
    if data.get("codigo_pais_exportacao"):
        data["tributacao_iss"] = "3"
    if nature in ("5", "6"):
        data["tipo_exigibilidade_suspensao"] = "1" if nature == "5" else "2"
    name, text = _ASKED_FOR.get(nature, ("", ""))
    for other, _ in _ASKED_FOR.values():
        if other != name:
            data.pop(other, None)  # of another nature: it has no place in this DPS
    if name and data.get(name) in (None, _UNTOLD.get(name)):
        faults.add(name, f"A NFS-e deste município segue o padrão nacional: {text}.")
    by_taker = "3" if source.get("servico.responsavel_retencao") == "2" else "2"
    data["tipo_retencao_iss"] = by_taker if source.get("servico.iss_retido") == "S" else "1"


def _replacement(source: Data, data: Data, faults: Faults) -> None:
    """The DPS names the note itself; whoever reads the body adds its key where it is known."""
    if _REPLACED in data:
        for name, value in _OTHER_REASON.items():
            data.setdefault(name, value)
    elif source.get("numero_rps_substituido"):
        faults.add(
            "numero_rps_substituido",
            "A NFS-e deste município segue o padrão nacional, em que só se substitui nota "
            "autorizada por aqui: confira número e série.",
        )


def _withheld(source: Data, data: Data) -> None:
    """In the municipal body PIS, COFINS and CSLL are withheld; here they are one sum (NT 007).

    A body that tells the kind of withholding speaks the national language already.
    """
    pis, cofins, csll = (
        source.get(f"servico.valor_{name}") or Decimal(0) for name in ("pis", "cofins", "csll")
    )
    if "tipo_retencao_pis_cofins" in data:
        own = {"valor_pis": pis, "valor_cofins": cofins, "valor_csll": csll}
        data.update({name: value for name, value in own.items() if value})
        data.setdefault("situacao_tributaria_pis_cofins", _NO_CST)
        return
    kind = _WITHHELD.get((bool(pis), bool(cofins), bool(csll)))
    if kind:
        data["tipo_retencao_pis_cofins"] = kind
        data["valor_csll"] = pis + cofins + csll
        data.setdefault("situacao_tributaria_pis_cofins", _NO_CST)
    for name in ("valor_cp", "valor_irrf"):
        if not data.get(name, True):
            del data[name]


def _rate(source: Data, data: Data, *, is_active: bool | None) -> None:
    """The rate only where it is taken: a city of the national system has it in its own table."""
    rate = source.get("servico.aliquota")
    wanted = rate_rules.is_wanted(data, is_active=True if is_active is None else is_active)
    if rate is not None and wanted is not False:
        data[rate_rules.RATE] = rate


def _total(source: Data, data: Data) -> None:
    total = source.get("servico.percentual_total_tributos")
    if total is None:
        federal_rules.fill_total(data)
    elif data["codigo_opcao_simples_nacional"] == "3":
        data["percentual_total_tributos_simples_nacional"] = total
    elif data["codigo_opcao_simples_nacional"] == "2":
        data["indicador_total_tributacao"] = "0"
    else:
        names = federal_rules.TOTALS["percent"]
        data.update(dict.fromkeys(names, Decimal("0.00")) | {names[0]: total})


def _reform(data: Data) -> None:
    """Codes of IBS and CBS that stand alone mean nothing here: all of the group, or nothing."""
    if any(name in data for name in _REFORM):
        complete_group(data)
