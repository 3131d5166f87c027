"""Codes of occurrences in our words, by bank and layout (boleto-pix §6.3).

A code that is not here is unknown: it goes to the queue with its number. So do reversals of
settlements, which somebody has to look at.
"""

from __future__ import annotations

from billing.gateways.cnab.titles import Meaning, Occurrence, Order

Table = dict[str, Occurrence]

_M = Meaning


def _table(meaning: Meaning, confirms: Order | None = None, **texts: str) -> Table:
    """Codes written as `c06` → the occurrence."""
    return {code[1:]: Occurrence(meaning, text, confirms) for code, text in texts.items()}


FEBRABAN: Table = {
    **_table(_M.REGISTERED, c02="Entrada confirmada"),
    **_table(_M.REJECTED, c03="Entrada rejeitada"),
    **_table(
        _M.SETTLED,
        c06="Liquidação",
        c17="Liquidação após baixa ou de título não registrado",
    ),
    **_table(_M.CANCELLED, c09="Baixa", c25="Protestado e baixado"),
    **_table(
        _M.CHANGED,
        c07="Desconto confirmado",
        c08="Cancelamento de desconto confirmado",
        c12="Abatimento confirmado",
        c13="Cancelamento de abatimento confirmado",
        c19="Instrução de protesto confirmada",
        c20="Sustação ou cancelamento de protesto confirmado",
        c33="Alteração do rateio confirmada",
        c34="Cancelamento do rateio confirmado",
        c38="Alteração do prazo de recebimento confirmada",
        c39="Dispensa do prazo de recebimento confirmada",
        c40="Alteração do número do título confirmada",
        c41="Alteração do uso da empresa confirmada",
        c42="Alteração do pagador confirmada",
        c43="Alteração do sacador confirmada",
    ),
    **_table(_M.CHANGED, Order.DUE, c14="Alteração de vencimento confirmada"),
    **_table(_M.CHANGED, Order.DATA, c27="Alteração de dados confirmada"),
    **_table(_M.REFUSED, c26="Instrução rejeitada", c30="Alteração rejeitada"),
    **_table(_M.FEE, c28="Débito de tarifas ou custas"),
    **_table(
        _M.NOTED,
        c04="Transferência de carteira (entrada)",
        c05="Transferência de carteira (baixa)",
        c11="Título em carteira",
        c15="Franco de pagamento",
        c23="Enviado a cartório",
        c24="Retirado de cartório e mantido em carteira",
        c29="Ocorrência do pagador",
        c45="Cheque do pagamento compensado",
        c50="Pago com cheque, aguardando compensação",
        c51="Reconhecido pelo pagador no DDA",
        c52="Não reconhecido pelo pagador no DDA",
        c53="Recusado pela CIP no DDA",
    ),
    **_table(_M.UNKNOWN, c44="Cheque do pagamento devolvido"),
}

SANTANDER: Table = {**FEBRABAN, **_table(_M.NOTED, cA4="Pagador do DDA")}

CAIXA: Table = {
    **FEBRABAN,
    **_table(_M.SETTLED, c46="Liquidação on-line"),
    **_table(
        _M.CHANGED,
        Order.DATA,
        c45="Alteração de dados",
        c61="Alteração do valor nominal confirmada",
        c62="Alteração do valor mínimo ou máximo confirmada",
    ),
    **_table(_M.NOTED, c01="Impressão de títulos confirmada"),
    **_table(
        _M.UNKNOWN,
        c44="Estorno de baixa ou liquidação",
        c47="Estorno de liquidação on-line",
    ),
}

SICREDI: Table = {**FEBRABAN, **_table(_M.REFUSED, c36="Baixa rejeitada")}

# Of Itaú, in both layouts: many codes mean something else than FEBRABAN's, 17 above all.
ITAU: Table = {
    **_table(
        _M.REGISTERED,
        c02="Entrada confirmada",
        c64="Entrada confirmada com rateio de crédito",
        c73="Entrada confirmada na cobrança simples",
    ),
    **_table(_M.REJECTED, c03="Entrada rejeitada", c60="Entrada de carnê rejeitada"),
    **_table(
        _M.SETTLED,
        c06="Liquidação",
        c07="Liquidação parcial",
        c08="Liquidação em cartório",
        c59="Liquidação por crédito em conta (SISPAG)",
    ),
    **_table(
        _M.CANCELLED,
        c05="Alteração de dados (baixa)",
        c09="Baixa",
        c10="Baixa por ter sido liquidado",
        c32="Baixa por ter sido protestado",
        c47="Baixa com transferência para desconto",
        c72="Baixa por crédito em conta sem título",
    ),
    **_table(
        _M.CHANGED,
        c12="Abatimento concedido",
        c13="Abatimento cancelado",
        c19="Instrução de protesto recebida",
        c20="Instrução de sustação de protesto recebida",
        c21="Instrução de não protestar recebida",
        c57="Instrução cancelada",
        c75="Negativação: entrada recebida",
        c77="Negativação: exclusão recebida",
        c78="Negativação: cancelamento recebido",
        c94="Instrução de não negativar recebida",
    ),
    **_table(_M.CHANGED, Order.DUE, c14="Vencimento alterado"),
    **_table(_M.CHANGED, Order.DATA, c04="Alteração de dados confirmada"),
    **_table(
        _M.REFUSED,
        c15="Baixa rejeitada",
        c16="Instrução rejeitada",
        c17="Alteração de dados rejeitada",
        c18="Instrução da cobrança contratual rejeitada ou pendente",
        c24="Instrução de protesto rejeitada, sustada ou pendente",
        c74="Negativação rejeitada",
    ),
    **_table(
        _M.NOTED,
        c11="Título em carteira",
        c23="Enviado a cartório",
        c25="Alegação do pagador",
        c63="Sustado judicialmente",
        c65="Pago com cheque, aguardando compensação",
        c71="Entrada registrada, aguardando avaliação",
        c76="Cheque do pagamento compensado",
        c79="Negativação: informação",
    ),
    **_table(_M.UNKNOWN, c69="Cheque do pagamento devolvido"),
    **{
        str(code): Occurrence(_M.FEE, "Tarifa ou custas")
        for code in (*range(26, 31), *range(33, 47), 48, *range(51, 57), 61, 62, 80, 82, 83,
                     *range(85, 94))
    },
}  # fmt: skip

BRADESCO_400: Table = {
    **_table(_M.REGISTERED, c02="Entrada confirmada"),
    **_table(
        _M.REJECTED,
        c03="Entrada rejeitada",
        c24="Entrada rejeitada por CEP irregular",
    ),
    **_table(
        _M.SETTLED,
        c06="Liquidação",
        c15="Liquidação em cartório",
        c17="Liquidação após baixa ou de título não registrado",
    ),
    **_table(
        _M.CANCELLED,
        c09="Baixa automática ou pelo arquivo",
        c10="Baixa por instrução da agência",
    ),
    **_table(
        _M.CHANGED,
        c12="Abatimento concedido",
        c13="Abatimento cancelado",
        c19="Instrução de protesto recebida",
        c20="Instrução de sustação de protesto recebida",
        c21="Uso da empresa alterado",
        c68="Rateio de crédito alterado",
        c69="Rateio de crédito cancelado",
    ),
    **_table(_M.CHANGED, Order.DUE, c14="Vencimento alterado"),
    **_table(_M.CHANGED, Order.DATA, c33="Alteração de dados confirmada"),
    **_table(
        _M.REFUSED,
        c27="Baixa rejeitada",
        c30="Alteração de dados rejeitada",
        c32="Instrução rejeitada",
    ),
    **_table(_M.FEE, c28="Débito de tarifas ou custas"),
    **_table(
        _M.NOTED,
        c11="Título em carteira",
        c16="Pago com cheque, aguardando compensação",
        c18="Acerto de depositária",
        c23="Enviado a cartório",
        c34="Retirado de cartório e mantido em carteira",
        c35="Débito automático desagendado",
        c55="Sustado judicialmente",
    ),
    **_table(_M.UNKNOWN, c22="Pagamento cancelado", c40="Estorno de pagamento"),
}


def told(table: Table, code: str) -> Occurrence:
    """What a code means; one that the bank's table lacks is unknown, never left out."""
    return table.get(code) or Occurrence(Meaning.UNKNOWN, f"Ocorrência {code or '??'} desconhecida")
