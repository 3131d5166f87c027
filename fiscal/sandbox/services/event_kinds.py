"""What each type of event demands: who signs it, where it goes, how often and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fiscal.sandbox import tables
from fiscal.sandbox.world import Call

HOME, NATIONAL, VIRTUAL = "home", "AN", "SVRS"
ISSUER, RECIPIENT, INTERESTED = "issuer", "recipient", "interested"


@dataclass(frozen=True)
class Kind:
    """One tpEvento (guide §10)."""

    name: str
    author: str
    place: str
    most: int = 99  # highest nSeqEvento
    within: timedelta | None = None  # of the authorisation


_DAY = timedelta(days=1)
KINDS = {
    "110001": Kind("Cancelamento de Evento", INTERESTED, VIRTUAL),
    "110110": Kind("Carta de Correcao registrada", ISSUER, HOME, 20, timedelta(hours=720)),
    "110111": Kind("Cancelamento registrado", ISSUER, HOME, 1),
    "110112": Kind("Cancelamento por substituicao registrado", ISSUER, HOME, 1),
    "110130": Kind("Comprovante de Entrega da NF-e", ISSUER, NATIONAL),
    "110131": Kind("Cancelamento Comprovante de Entrega da NF-e", ISSUER, NATIONAL),
    "110140": Kind("Evento Previo de Emissao em Contingencia", ISSUER, NATIONAL, 1),
    "110150": Kind("Ator interessado na NF-e", INTERESTED, NATIONAL),
    "110192": Kind("Insucesso na Entrega da NF-e", ISSUER, VIRTUAL),
    "110193": Kind("Cancelamento Insucesso na Entrega da NF-e", ISSUER, VIRTUAL),
    "110750": Kind("ECONF", ISSUER, VIRTUAL),
    "110751": Kind("Cancelamento Conciliacao Financeira", ISSUER, VIRTUAL),
    "111500": Kind("Pedido de Prorrogacao", ISSUER, HOME),
    "111501": Kind("Pedido de Prorrogacao", ISSUER, HOME),
    "111502": Kind("Cancelamento de Pedido de Prorrogacao", ISSUER, HOME),
    "111503": Kind("Cancelamento de Pedido de Prorrogacao", ISSUER, HOME),
    "210200": Kind("Confirmacao da Operacao", RECIPIENT, NATIONAL, within=180 * _DAY),
    "210210": Kind("Ciencia da Operacao", RECIPIENT, NATIONAL, 1, 10 * _DAY),
    "210220": Kind("Desconhecimento da Operacao", RECIPIENT, NATIONAL, within=180 * _DAY),
    "210240": Kind("Operacao nao Realizada", RECIPIENT, NATIONAL, within=180 * _DAY),
    **{
        tipo: Kind("Evento da reforma tributaria", ISSUER, VIRTUAL)
        for tipo in ("112110", "112120", "112130", "112140", "112150")
    },
    **{
        tipo: Kind("Evento da reforma tributaria", RECIPIENT, VIRTUAL)
        for tipo in (
            "211110", "211120", "211124", "211128", "211130", "211140", "211150",
            "212110", "212120",
        )
    },
}  # fmt: skip
# Cancellation: (on time, and until then late but accepted with 155). Guide §10 and EVT-5.
CANCEL_NFE = (timedelta(hours=24), timedelta(hours=24))
CANCEL_NFCE = (timedelta(minutes=30), timedelta(minutes=30))
CANCEL_NFCE_LATE = (timedelta(minutes=30), timedelta(hours=24))
LATE_NFCE_UFS = {"AM", "MT", "RJ", "RO", "SE"}
SUBSTITUTION = timedelta(hours=168)


def is_placed(call: Call, tipo: str, orgao: str, modelo: str) -> bool:
    """Whether the type comes to this address under that cOrgao (EVT-8)."""
    place = KINDS[tipo].place
    if call.service == "recepcao_epec":
        return tipo == "110140" and orgao == call.cuf
    if tipo in ("110750", "110751") and modelo == "65":
        place = HOME
    if place == NATIONAL:
        return call.authority == "AN" and orgao == tables.AN
    if place == VIRTUAL:
        return call.authority == "SVRS" and orgao == tables.SVRS_ORGAO
    if call.is_svc and tipo not in ("110111", "110112"):
        return False
    return orgao == call.cuf and tables.serves(call.authority, call.cuf, modelo)


def cancel_windows(call: Call, modelo: str) -> tuple[timedelta, timedelta]:
    """(on time, accepted late) for that unit; the control API may give hours of its own.

    `prazo_cancelamento` is {UF: {modelo: [hours on time, hours late]}}.
    """
    sigla = tables.by_code()[call.cuf].sigla
    told = call.setting("prazo_cancelamento", {}).get(sigla, {}).get(modelo)
    if told:
        return timedelta(hours=float(told[0])), timedelta(hours=float(told[1]))
    if modelo != "65":
        return CANCEL_NFE
    return CANCEL_NFCE_LATE if sigla in LATE_NFCE_UFS else CANCEL_NFCE
