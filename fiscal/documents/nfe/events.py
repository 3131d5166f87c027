"""Events of a document: one table of their kinds, and detEvento written from it (§10, EVT-1).

Nothing else knows a kind: who sends, records and shows events reads this table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fiscal import access_key
from fiscal.authorities import tables
from fiscal.xml import NFE, escape, escape_attribute

CANCELLATION, BY_SUBSTITUTION = "110111", "110112"
CANCELLATIONS = (CANCELLATION, BY_SUBSTITUTION)
CARTA_CORRECAO = "110110"
EPEC = "110140"
ATOR_INTERESSADO = "110150"
INSUCESSO_ENTREGA, CANCEL_INSUCESSO = "110192", "110193"
ECONF, CANCEL_ECONF = "110750", "110751"
PRORROGACAO_1, PRORROGACAO_2 = "111500", "111501"
PREVISAO_ENTREGA = "112150"
CANCEL_EVENT = "110001"
ACEITE_DEBITO, IMOBILIZACAO = "211128", "211130"
CONFIRMACAO, CIENCIA = "210200", "210210"
DESCONHECIMENTO, NAO_REALIZADA = "210220", "210240"

VERSION = "1.00"
APPLICATION = "faturamento"  # verAplic: the author's program
NFE_MODEL, NFCE_MODEL = 55, 65

# EVT-3, and the text of schema 110150: enumerations, so never a letter else.
CCE_TERMS = (
    "A Carta de Correcao e disciplinada pelo paragrafo 1o-A do art. 7o do Convenio S/N, de 15 de "
    "dezembro de 1970 e pode ser utilizada para regularizacao de erro ocorrido na emissao de "
    "documento fiscal, desde que o erro nao esteja relacionado com: I - as variaveis que "
    "determinam o valor do imposto tais como: base de calculo, aliquota, diferenca de preco, "
    "quantidade, valor da operacao ou da prestacao; II - a correcao de dados cadastrais que "
    "implique mudanca do remetente ou do destinatario; III - a data de emissao ou de saida."
)
ACTOR_TERMS = (
    "O emitente ou destinatário da NF-e, declara que permite o transportador declarado no campo "
    "CNPJ/CPF deste evento a autorizar os transportadores subcontratados ou redespachados a terem "
    "acesso ao download da NF-e"
)

# Values of detEvento by tag: text, a group (`@name` is an attribute of it), or a list of groups.
Value = str | Mapping[str, str] | Sequence[Mapping[str, str]]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One tpEvento.

    `description` is descEvento, an enumeration with or without accents (EVT-2). `tags` is what
    follows it, in the schema's order. `name` is the end of the answer's names (fiscal-api §2.6 to
    §2.15), `file` that of the published file's name; an event that cancels another one takes both
    from that one. `most` is the highest nSeqEvento.
    """

    tp_evento: str
    description: str
    tags: tuple[str, ...]
    name: str = ""
    file: str = ""
    most: int = 99
    models: tuple[int, ...] = (NFE_MODEL,)
    cancelled_by: str = ""

    @property
    def is_cancellation(self) -> bool:
        """Does it cancel the document itself?"""
        return self.tp_evento in CANCELLATIONS

    @property
    def is_single(self) -> bool:
        return self.most == 1


_BOTH = (NFE_MODEL, NFCE_MODEL)
_AUTHOR = ("cOrgaoAutor", "tpAutor", "verAplic")
_PRORROGACAO = "Pedido de Prorrogacao"
_CANCEL_PRORROGACAO = "Cancelamento de Pedido de Prorrogacao"

# fmt: off
_TABLE = (
    Kind(CARTA_CORRECAO, "Carta de Correcao", ("xCorrecao", "xCondUso"),
         "carta_correcao", "cce", most=20),
    Kind(CANCELLATION, "Cancelamento", ("nProt", "xJust"),
         "cancelamento", "can", most=1, models=_BOTH),
    Kind(BY_SUBSTITUTION, "Cancelamento por substituicao",
         (*_AUTHOR, "nProt", "xJust", "chNFeRef"), "cancelamento", "can", most=1, models=_BOTH),
    Kind(EPEC, "EPEC", (*_AUTHOR, "dhEmi", "tpNF", "IE", "dest"), "epec", "epec", most=1),
    Kind(ATOR_INTERESSADO, "Ator interessado na NF-e",
         (*_AUTHOR, "autXML", "tpAutorizacao", "xCondUso"),
         "evento_ator_interessado", "ator-interessado"),
    Kind(INSUCESSO_ENTREGA, "Insucesso na Entrega da NF-e",
         ("cOrgaoAutor", "verAplic", "dhTentativaEntrega", "nTentativa", "tpMotivo", "xJustMotivo",
          "latGPS", "longGPS", "hashTentativaEntrega", "dhHashTentativaEntrega"),
         "insucesso_entrega", "insucesso-entrega", cancelled_by=CANCEL_INSUCESSO),
    Kind(CANCEL_INSUCESSO, "Cancelamento Insucesso na Entrega da NF-e",
         ("cOrgaoAutor", "verAplic", "nProtEvento")),
    Kind(ECONF, "ECONF", ("verAplic", "detPag"),
         "conciliacao_financeira", "econf", models=_BOTH, cancelled_by=CANCEL_ECONF),
    Kind(CANCEL_ECONF, "Cancelamento Conciliação Financeira", ("verAplic", "nProtEvento"),
         models=_BOTH),
    Kind(PRORROGACAO_1, _PRORROGACAO, ("nProt", "itemPedido"),
         "evento_prorrogacao_suspensao_icms", "prorrogacao-1", cancelled_by="111502"),
    Kind(PRORROGACAO_2, _PRORROGACAO, ("nProt", "itemPedido"),
         "evento_prorrogacao_suspensao_icms", "prorrogacao-2", cancelled_by="111503"),
    Kind("111502", _CANCEL_PRORROGACAO, ("idPedidoCancelado", "nProt")),
    Kind("111503", _CANCEL_PRORROGACAO, ("idPedidoCancelado", "nProt")),
    Kind(PREVISAO_ENTREGA, "Atualização da Data de Previsão de Entrega",
         (*_AUTHOR, "dPrevEntrega"),
         "evento_atualizacao_previsao_entrega", "previsao-entrega", cancelled_by=CANCEL_EVENT),
    Kind(CANCEL_EVENT, "Cancelamento de Evento",
         ("cOrgaoAutor", "verAplic", "tpEventoAut", "nProtEvento")),
    # Of the recipient: nothing of ours is their document.
    Kind(CIENCIA, "Ciencia da Operacao", (), "manifestacao", "ciencia", most=1),
    Kind(CONFIRMACAO, "Confirmacao da Operacao", (), "manifestacao", "confirmacao"),
    Kind(DESCONHECIMENTO, "Desconhecimento da Operacao", (), "manifestacao", "desconhecimento"),
    Kind(NAO_REALIZADA, "Operacao nao Realizada", ("xJust",), "manifestacao", "nao-realizada"),
    Kind(ACEITE_DEBITO, "Aceite de débito na apuração por emissão de nota de crédito",
         (*_AUTHOR, "indAceitacao"),
         "evento_aceite_debito", "aceite-debito", cancelled_by=CANCEL_EVENT),
    Kind(IMOBILIZACAO, "Imobilização de Item", (*_AUTHOR, "gImobilizacao"),
         "evento_imobilizacao_item", "imobilizacao-item", cancelled_by=CANCEL_EVENT),
)
# fmt: on
KINDS: Mapping[str, Kind] = {kind.tp_evento: kind for kind in _TABLE}


def answer_name(tp_evento: str, *, target: str = "") -> str:
    """`carta_correcao` of `caminho_xml_carta_correcao`; `target` is the kind that is cancelled."""
    return f"cancelamento_{KINDS[target].name}" if target else KINDS[tp_evento].name


def file_name(chave: str, tp_evento: str, n_seq: int, *, target: str = "") -> str:
    """Published name: CHAVE-can.xml, CHAVE-cce-01.xml, CHAVE-can-econf-01.xml (§1.10)."""
    kind = KINDS[tp_evento]
    if kind.is_cancellation:
        return f"{chave}-can.xml"
    end = f"can-{KINDS[target].file}" if target else kind.file or kind.tp_evento
    return f"{chave}-{end}-{n_seq:02d}.xml"


def orgao(tp_evento: str, chave: str) -> str:
    """cOrgao of EVT-1 and EVT-8: 91 for AN, 92 for SVRS, else the UF of the key."""
    destination = tables.event_destination(tp_evento)
    if destination == "AN":
        return "91"
    if destination == "SVRS" and access_key.parse(chave).modelo == NFE_MODEL:
        return "92"
    return chave[:2]


def authored(c_uf: str, *, is_recipient: bool = False) -> dict[str, str]:
    """Who the author of an event is: the issuer or the recipient, by our program."""
    return {"cOrgaoAutor": c_uf, "tpAutor": "2" if is_recipient else "1", "verAplic": APPLICATION}


def inf_evento(
    tp_evento: str, values: Values, *, chave: str, n_seq: int, tp_amb: str, author: str, at: str
) -> bytes:
    """`<infEvento>` in canonical form, with its namespace (EVT-1, SIG-3).

    `author` is a CNPJ or CPF; `at` is dhEvento as the layout writes it. Values that the kind has
    no tag for are left out.
    """
    kind = KINDS[tp_evento]
    element_id = access_key.event_id(tp_evento, chave, n_seq)
    who = "CPF" if len(author) == 11 else "CNPJ"
    detail = "".join(_written(tag, values[tag]) for tag in kind.tags if tag in values)
    return (
        f'<infEvento xmlns="{NFE}" Id="{element_id}"><cOrgao>{orgao(tp_evento, chave)}</cOrgao>'
        f"<tpAmb>{tp_amb}</tpAmb><{who}>{author}</{who}><chNFe>{chave}</chNFe>"
        f"<dhEvento>{at}</dhEvento><tpEvento>{tp_evento}</tpEvento>"
        f"<nSeqEvento>{n_seq}</nSeqEvento><verEvento>{VERSION}</verEvento>"
        f'<detEvento versao="{VERSION}"><descEvento>{kind.description}</descEvento>'
        f"{detail}</detEvento></infEvento>"
    ).encode()


def evento(inf: bytes, signature: bytes) -> bytes:
    """`<evento>` of a signed infEvento: the namespace moves to the outer element (SIG-5)."""
    own = inf.replace(f' xmlns="{NFE}"'.encode(), b"", 1)
    return f'<evento xmlns="{NFE}" versao="{VERSION}">'.encode() + own + signature + b"</evento>"


def _written(tag: str, value: Value) -> str:
    if isinstance(value, str):
        return f"<{tag}>{escape(value)}</{tag}>"
    if isinstance(value, Mapping):
        return _group(tag, value)
    return "".join(_group(tag, one) for one in value)


def _group(tag: str, group: Mapping[str, str]) -> str:
    attributes = "".join(
        f' {name[1:]}="{escape_attribute(text)}"'
        for name, text in group.items()
        if name.startswith("@")
    )
    inside = "".join(
        _written(name, text) for name, text in group.items() if not name.startswith("@")
    )
    return f"<{tag}{attributes}>{inside}</{tag}>"
