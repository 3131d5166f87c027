"""What Sefin would certainly refuse, told before a number is spent (rule sheet of layout 1.01).

Rules that need a register (services of a city, benefits, the taker's situation) are Sefin's alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from fiscal.documents.nfe.faults import Faults
from fiscal.documents.nfsen import federal_rules, rate_rules
from fiscal.documents.nfsen.catalogue import party_fields
from fiscal.documents.types import Data
from fiscal.tables import places
from fiscal.tables.cclasstrib import classification

_ZERO = Decimal("0.00")
_DOCUMENTS = ("cnpj", "cpf", "nif", "motivo_ausencia_nif")
_PARTIES = {
    "prestador": "prestador",
    "tomador": "tomador",
    "intermediario": "intermediário",
    "destinatario": "destinatário",
}
_ADDRESS = ("logradouro", "numero", "bairro")
_REFORM_SINCE = "2026-01-01"  # E0850
_LAST_OWN_SERIES = 49999
# One of the forms in which deductions may be told, and of the identification of a work or event.
_ALTERNATIVES = (
    ("percentual_deducao_servico", "valor_deducao_servico", "documentos"),
    ("codigo_obra", "codigo_cib_obra", "logradouro_obra"),
    ("codigo_evento", "logradouro_evento"),
    ("codigo_cib_imovel", "logradouro_imovel"),
    ("valor_reducao_base_calculo", "percentual_reducao_base_calculo"),
    ("codigo_municipio_prestacao", "codigo_pais_prestacao"),
)
_DEDUCTED = (
    *("chave_nfse", "chave_nfe", "numero_nfse", "numero_nota", "numero_documento_fiscal"),
    "numero_documento",
)


def check(data: Data, faults: Faults, *, today: date) -> None:
    """Add to `faults` every rule that `data`, with its defaults, breaks."""
    _head(data, faults, today)
    _substitution(data, faults)
    _parties(data, faults)
    _alternatives(data, faults)
    _amounts(data, faults)
    _deductions(data, faults)
    _city_tax(data, faults)
    rate_rules.check(data, faults)
    federal_rules.check(data, faults)
    _reform(data, faults)


def _head(data: Data, faults: Faults, today: date) -> None:
    if data.get("emitente_dps", "1") != "1":
        _refuse(faults, "E9996", "emitente_dps", "só o prestador pode emitir a DPS.")
    if "numero_dps" not in data and int(data.get("serie_dps") or 1) > _LAST_OWN_SERIES:
        _refuse(faults, "E0010", "serie_dps", "use uma série de 1 a 49999.")
    issued, competence = str(data.get("data_emissao", ""))[:10], data.get("data_competencia", "")
    if issued and competence > issued:
        _refuse(faults, "E0015", "data_competencia", "não pode ser depois da emissão.")
    for name in ("codigo_municipio_emissora", "codigo_municipio_prestacao"):
        if name in data and places.municipality(data[name]) is None:
            faults.add(name, f"O código {data[name]} não é de um município (IBGE).")


def _substitution(data: Data, faults: Faults) -> None:
    names = ("chave_nfse_substituida", "codigo_justificativa_substituicao")
    if any(name in data for name in (*names, "motivo_substituicao")):
        faults.need(data, names, "na substituição")
    if data.get("codigo_justificativa_substituicao") == "99":
        faults.need(data, ["motivo_substituicao"], "quando a justificativa é 99")


# --- parties ---------------------------------------------------------------------------------


def _parties(data: Data, faults: Faults) -> None:
    for suffix, name in _PARTIES.items():
        if data.keys().isdisjoint(party_fields()[suffix]):
            continue
        _party(data, faults, suffix, name)
    provider = data.get("cnpj_prestador") or data.get("cpf_prestador")
    if provider is None and not any(f"{kind}_prestador" in faults for kind in _DOCUMENTS):
        faults.add("cnpj_prestador", "A DPS é emitida com o CNPJ ou o CPF do prestador.")
    taker = data.get("cnpj_tomador") or data.get("cpf_tomador")
    if provider and taker == provider:
        _refuse(faults, "E0202", "cnpj_tomador", "o tomador não pode ser o próprio prestador.")


def _party(data: Data, faults: Faults, suffix: str, name: str, where: str = "") -> None:
    sent = [kind for kind in _DOCUMENTS if f"{kind}_{suffix}" in data]
    # What was sent and could not be read is told already, and is not missing.
    if not sent and not any(f"{where}{kind}_{suffix}" in faults for kind in _DOCUMENTS):
        listed = ", ".join(f"{kind}_{suffix}" for kind in _DOCUMENTS)
        faults.add(f"{where}cnpj_{suffix}", f"Informe um destes: {listed}.")
    for kind in sent[1:]:
        faults.add(f"{where}{kind}_{suffix}", f"Informe um só documento do {name}.")
    if suffix != "prestador" and f"{where}razao_social_{suffix}" not in faults:
        faults.need(data, [f"razao_social_{suffix}"], f"do {name}", where=where)
    _address(data, faults, suffix, where)


def _address(data: Data, faults: Faults, suffix: str, where: str) -> None:
    home = [f"codigo_municipio_{suffix}", f"cep_{suffix}"]
    abroad = [f"{n}_ext_{suffix}" for n in ("codigo_pais", "cep", "nome_cidade", "regiao")]
    street = [f"{name}_{suffix}" for name in _ADDRESS]
    sent_home, sent_abroad = any(n in data for n in home), any(n in data for n in abroad)
    if not sent_home and not sent_abroad and not any(n in data for n in street):
        return
    if sent_home and sent_abroad:
        first = next(name for name in abroad if name in data)
        faults.add(where + first, "Informe um só endereço: no Brasil ou no exterior.")
        return
    wanted = [*(abroad if sent_abroad else home), *street]
    unread = [name for name in wanted if where + name not in faults]
    faults.need(data, unread, "do endereço", where=where)
    city = data.get(f"codigo_municipio_{suffix}")
    if city is not None and places.municipality(city) is None:
        faults.add(f"{where}codigo_municipio_{suffix}", f"{city} não é de um município (IBGE).")


def _alternatives(data: Data, faults: Faults) -> None:
    for names in _ALTERNATIVES:
        for name in [name for name in names if name in data][1:]:
            faults.add(name, f"Informe só um destes: {', '.join(names)}.")


# --- amounts ---------------------------------------------------------------------------------


def _amounts(data: Data, faults: Faults) -> None:
    service = data.get("valor_servico")
    if service is None:
        return
    if service <= 0:
        faults.add("valor_servico", "O valor do serviço deve ser maior que zero.")
    less = data.get("desconto_incondicionado", _ZERO) + _deducted(data, service)
    if less > service:
        _refuse(
            faults, "E0427", "valor_servico", "descontos e deduções passam do valor do serviço."
        )


def _deducted(data: Data, service: Decimal) -> Decimal:
    if "percentual_deducao_servico" in data:
        return Decimal(service * data["percentual_deducao_servico"] / 100)
    listed = (row.get("valor_deducao", _ZERO) for row in data.get("documentos", ()))
    return sum(listed, _ZERO) + data.get("valor_deducao_servico", _ZERO)


def _deductions(data: Data, faults: Faults) -> None:
    for row, where in _rows(data, "documentos", faults):
        if sum(name in row for name in _DEDUCTED) != 1:
            faults.add(where[:-1], f"Informe um só destes: {', '.join(_DEDUCTED)}.")
        if row.get("tipo_deducao") == "99":
            faults.need(row, ["descricao_deducao"], "quando tipo_deducao é 99", where=where)
        if any(key.endswith("_fornecedor") for key in row):
            _party(row, faults, "fornecedor", "fornecedor", where)
        if row.get("valor_deducao", _ZERO) > row.get("valor_dedutivel", Decimal("Infinity")):
            faults.add(f"{where}valor_deducao", "Passa do valor dedutível.")


def _rows(data: Data, name: str, faults: Faults) -> Iterator[tuple[dict[str, Any], str]]:
    """The entries of a list that were read without fault, and where each is."""
    for n, row in enumerate(data.get(name, ())):
        where = f"{name}[{n}]"
        if not any(path.startswith(where) for path in faults):
            yield row, f"{where}."


# --- ISSQN -----------------------------------------------------------------------------------


def _city_tax(data: Data, faults: Faults) -> None:
    kind = data.get("tributacao_iss")
    if kind == "3":
        faults.need(data, ["codigo_pais_exportacao"], "na exportação")
    if kind == "2":
        faults.need(data, ["tipo_imunidade"], "na imunidade")
    suspension = ("tipo_exigibilidade_suspensao", "numero_processo_suspensao")
    if any(name in data for name in suspension):
        faults.need(data, suspension, "na suspensão da exigibilidade")
    if data.get("tipo_retencao_iss") == "2" and not _is_known(data, "tomador"):
        _refuse(faults, "E0204", "cnpj_tomador", "há retenção do ISS e falta o tomador.")
    if data.get("tipo_retencao_iss") == "3" and not _is_known(data, "intermediario"):
        faults.add("cnpj_intermediario", "Há retenção do ISS pelo intermediário, que falta.")
    if data.get("codigo_opcao_simples_nacional") == "2":
        if data.get("tipo_retencao_iss") in ("2", "3"):
            _refuse(faults, "E0583", "tipo_retencao_iss", "MEI não tem ISS retido.")
    elif data.get("codigo_opcao_simples_nacional") == "3":
        faults.need(data, ["regime_tributario_simples_nacional"], "na opção 3 do Simples Nacional")


def _is_known(data: Data, suffix: str) -> bool:
    return any(f"{kind}_{suffix}" in data for kind in _DOCUMENTS)


# --- IBS and CBS -----------------------------------------------------------------------------


def _reform(data: Data, faults: Faults) -> None:
    code = data.get("ibs_cbs_classificacao_tributaria")
    cst = data.get("ibs_cbs_situacao_tributaria")
    if code is None and cst is None and "codigo_indicador_operacao" not in data:
        return
    if str(data.get("data_competencia", _REFORM_SINCE)) < _REFORM_SINCE:
        _refuse(
            faults, "E0850", "data_competencia", "o grupo IBS/CBS só cabe a partir de 01/01/2026."
        )
    if "codigo_nbs" not in data and "codigo_nbs" not in faults:
        _refuse(faults, "E0322", "codigo_nbs", "é obrigatório com o grupo IBS/CBS.")
    names = ("codigo_indicador_operacao", "ibs_cbs_situacao_tributaria")
    faults.need(
        data,
        [n for n in (*names, "ibs_cbs_classificacao_tributaria") if n not in faults],
        "com o grupo IBS/CBS",
    )
    if code is not None and classification(code) is None:
        _refuse(
            faults, "E0958", "ibs_cbs_classificacao_tributaria", f"{code} não existe na tabela."
        )
    elif code is not None and cst is not None and code[:3] != cst:
        _refuse(faults, "E0959", "ibs_cbs_situacao_tributaria", f"{code} é do CST {code[:3]}.")


def _refuse(faults: Faults, code: str, path: str, message: str) -> None:
    faults.add(path, f"Rejeição {code}: {message}")
