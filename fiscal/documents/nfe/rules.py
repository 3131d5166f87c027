"""What must hold between the fields of a document (fiscal-api §2.2; catalogue `condition`).

A rule faults what the layout or the API cannot take. Where tax judgement is needed (CST against
regime, CFOP against destination) it only warns: what was sent is used, and the authority judges.
"""

from __future__ import annotations

from datetime import datetime

from fiscal.documents.nfe import groups_sent, item_rules, moments, nfce_rules, payment_rules
from fiscal.documents.nfe.catalogue import Field
from fiscal.documents.nfe.defaults import is_abroad
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data
from fiscal.tables import places
from fiscal.taxes.issqn import is_service
from fiscal.taxes.sheet import Note
from lib.errors import FieldError

RECIPIENT_MISSING = (
    "Preencha pelo menos um documento do destinatário: cnpj_destinatario ou cpf_destinatario"
)
ADDRESS = ("logradouro", "numero", "bairro", "municipio", "uf")
_RECIPIENT = ("cnpj_destinatario", "cpf_destinatario", "id_estrangeiro_destinatario")
_RETURN, _COMPLEMENT, _CREDIT, _DEBIT = "4", "2", "5", "6"
# Forms of a reference: the field that chooses each (catalogue, notas_referenciadas).
_REFERENCES = ("chave_nfe", "numero", "numero_nf_produtor", "chave_cte", "numero_ecf")


def check(
    data: Data, faults: Faults, *, modelo: int, now: datetime, offline: bool, bare: bool
) -> None:
    """Add to `faults` every rule that `data`, with its defaults, breaks.

    `bare`: data_emissao came without a time. Totals are judged by `after_totals`.
    """
    _issuer(data, faults)
    if modelo == 55:
        _recipient(data, faults)
        _purpose(data, faults)
    _cities(data, faults)
    _moment(data, faults, now)
    _intermediary(data, faults)
    _references(data, faults)
    _persons(data, faults)
    groups_sent.check(data, faults, modelo=modelo)
    payment_rules.check(data, faults)
    item_rules.check(data, faults, modelo=modelo)
    if modelo == 65:
        nfce_rules.check(data, faults, now=now, offline=offline, bare=bare)


def after_totals(data: Data, *, modelo: int) -> list[FieldError]:
    """The rules that need the totals: call with what `fiscal.taxes.complete` has completed."""
    faults = Faults()
    faults.need(data, ["valor_total"], "da importação, que não é calculado")
    if modelo == 65:
        payment_rules.check_sum(data, faults)
        nfce_rules.check_total(data, faults)
    return list(faults.values())


def warnings(data: Data, *, modelo: int) -> list[Note]:
    """What the authority will probably refuse, although the layout takes it (XML-9)."""
    return list(item_rules.warnings(data, modelo=modelo))


def is_excused(field: Field, row: Data) -> bool:
    """Whether a required field is not owed after all: a service has ISSQN instead of ICMS."""
    return field.name in ("icms_origem", "icms_situacao_tributaria") and is_service(row)


# --- issuer and recipient ------------------------------------------------------------------------


def _issuer(data: Data, faults: Faults) -> None:
    if "cnpj_emitente" in data and "cpf_emitente" in data:
        faults.add("cpf_emitente", "Informe só um: cnpj_emitente ou cpf_emitente.")
    names = [f"{name}_emitente" for name in (*ADDRESS, "nome", "cep", "regime_tributario")]
    faults.need(data, names, "ou complete o cadastro da empresa")


def _recipient(data: Data, faults: Faults) -> None:
    """Model 55 always names its recipient, with address (§2.2)."""
    sent = [name for name in _RECIPIENT if name in data]
    abroad = is_abroad(data, "destinatario")
    # A foreigner may have no document: the layout then has an empty idEstrangeiro.
    if not sent and not abroad and not any(name in faults for name in _RECIPIENT):
        faults.add("cnpj_destinatario", RECIPIENT_MISSING)
    for name in sent[1:]:
        faults.add(name, "Informe um só documento do destinatário.")
    faults.need(data, [f"{name}_destinatario" for name in ("nome", *ADDRESS)], "")
    if data.get("indicador_inscricao_estadual_destinatario") == "1":
        why = "quando indicador_inscricao_estadual_destinatario é 1"
        faults.need(data, ["inscricao_estadual_destinatario"], why)
    if abroad:
        faults.need(data, ["codigo_pais_destinatario"], "do destinatário no exterior")


def _cities(data: Data, faults: Faults) -> None:
    """An IBGE code for every address, of the UF that it names."""
    for group in ("emitente", "destinatario", "retirada", "entrega"):
        city, code, uf = (f"{name}_{group}" for name in ("municipio", "codigo_municipio", "uf"))
        sigla = data.get(uf)
        if code not in data:
            if city in data and sigla is not None:
                faults.add(code, f"Município não encontrado em {sigla}: informe {code} (IBGE).")
        elif sigla in places.UF_CODES and not data[code].startswith(places.uf_code(sigla)):
            faults.add(code, f"O código {data[code]} não é de um município de {sigla}.")


# --- header --------------------------------------------------------------------------------------


def _moment(data: Data, faults: Faults, now: datetime) -> None:
    sent = data.get("data_emissao")
    if sent is not None and datetime.fromisoformat(sent) > now + moments.TOLERANCE:
        faults.reject(703, "data_emissao", "está mais de 5 minutos no futuro.")


def _purpose(data: Data, faults: Faults) -> None:
    purpose = data.get("finalidade_emissao")
    if purpose in (_RETURN, _COMPLEMENT):
        why = "em devolução (4) e em nota complementar (2)"
        faults.need(data, ["notas_referenciadas"], why)
    if purpose == _DEBIT:
        faults.need(data, ["tipo_nota_debito"], "em nota de débito")
    if purpose == _CREDIT:
        faults.need(data, ["tipo_nota_credito"], "em nota de crédito")


def _intermediary(data: Data, faults: Faults) -> None:
    names = ("cnpj_intermediario", "id_intermediario")
    if data.get("indicador_intermediario") == "1" or any(name in data for name in names):
        faults.need(data, names, "quando há intermediador")


def _references(data: Data, faults: Faults) -> None:
    for n, note in enumerate(data.get("notas_referenciadas", ())):
        where = f"notas_referenciadas[{n}]"
        forms = [name for name in _REFERENCES if name in note]
        if len(forms) != 1 and not any(path.startswith(where) for path in faults):
            faults.add(
                where,
                "Informe exatamente uma forma: chave_nfe, nota modelo 1 (numero), nota de "
                "produtor (numero_nf_produtor), chave_cte ou cupom fiscal (numero_ecf).",
            )


def _persons(data: Data, faults: Faults) -> None:
    for n, person in enumerate(data.get("pessoas_autorizadas", ())):
        where = f"pessoas_autorizadas[{n}]"
        is_one = ("cnpj" in person) != ("cpf" in person)
        if not is_one and not any(path.startswith(where) for path in faults):
            faults.add(f"{where}.cnpj", "Informe um documento: cnpj ou cpf.")
