"""Why a bank refused, or how a title was paid or written off: codes of two characters (pt-BR)."""

from __future__ import annotations

from collections.abc import Mapping

from billing.gateways.cnab.titles import Meaning

Texts = Mapping[str, str]
Reasons = Mapping[Meaning, Texts]

REJECTION: Texts = {
    "01": "código do banco inválido",
    "02": "registro detalhe inválido",
    "03": "segmento inválido",
    "04": "movimento não permitido para a carteira",
    "05": "movimento inválido",
    "06": "CNPJ/CPF do beneficiário inválido",
    "07": "agência, conta ou dígito inválido",
    "08": "nosso número inválido",
    "09": "nosso número duplicado",
    "10": "carteira inválida",
    "11": "forma de cadastramento inválida",
    "12": "tipo de documento inválido",
    "13": "identificação da emissão inválida",
    "14": "identificação da distribuição inválida",
    "15": "características da cobrança incompatíveis",
    "16": "vencimento inválido",
    "17": "vencimento anterior à emissão",
    "18": "vencimento fora do prazo de operação",
    "20": "valor do título inválido",
    "21": "espécie inválida",
    "22": "espécie não permitida para a carteira",
    "23": "aceite inválido",
    "24": "data de emissão inválida",
    "25": "data de emissão posterior à entrada",
    "26": "código de juros inválido",
    "27": "valor ou taxa de juros inválido",
    "28": "código de desconto inválido",
    "29": "desconto maior ou igual ao valor do título",
    "30": "desconto a conceder não confere",
    "31": "já existe desconto",
    "32": "IOF inválido",
    "33": "abatimento inválido",
    "34": "abatimento maior ou igual ao valor do título",
    "35": "abatimento a conceder não confere",
    "36": "já existe abatimento",
    "37": "código de protesto inválido",
    "38": "prazo de protesto inválido",
    "39": "protesto não permitido para o título",
    "40": "título com ordem de protesto emitida",
    "41": "título sem instrução de protesto",
    "42": "código de baixa inválido",
    "43": "prazo de baixa inválido",
    "44": "código da moeda inválido",
    "45": "nome do pagador não informado",
    "46": "CNPJ/CPF do pagador inválido",
    "47": "endereço do pagador não informado",
    "48": "CEP inválido",
    "49": "CEP sem praça de cobrança",
    "50": "CEP de banco correspondente",
    "51": "CEP incompatível com a UF",
    "52": "UF inválida",
    "53": "CNPJ/CPF do sacador inválido",
    "54": "sacador não informado",
    "57": "código da multa inválido",
    "58": "data da multa inválida",
    "59": "valor ou percentual da multa inválido",
    "60": "título não cadastrado",
    "61": "agência cobradora inválida",
    "62": "tipo de impressão inválido",
    "63": "título já cadastrado",
    "79": "data dos juros inválida",
    "80": "data do desconto inválida",
    "83": "limite excedido",
    "85": "título com pagamento vinculado",
    "86": "número do documento inválido",
    "A5": "título já liquidado",
    "A6": "convênio inválido ou encerrado",
    "A7": "título já está na situação pedida",
    "B2": "valor nominal conflitante",
}
SETTLEMENT: Texts = {
    "03": "no caixa, em dinheiro",
    "04": "compensação eletrônica",
    "05": "compensação convencional",
    "06": "meio eletrônico",
    "08": "em cartório",
    "30": "no caixa, em cheque",
    "31": "banco correspondente",
    "32": "autoatendimento",
    "33": "internet",
    "35": "correspondente, em dinheiro",
    "36": "correspondente, em cheque",
    "61": "Pix",
}
WRITE_OFF: Texts = {
    "09": "pelo banco",
    "10": "pelo arquivo",
    "11": "on-line",
    "12": "decurso de prazo do beneficiário",
    "13": "decurso de prazo do banco",
    "14": "protestado",
    "15": "título excluído",
}
FEBRABAN: Reasons = {
    Meaning.REGISTERED: {"A4": "pagador do DDA"},
    Meaning.REJECTED: REJECTION,
    Meaning.REFUSED: REJECTION,
    Meaning.SETTLED: SETTLEMENT,
    Meaning.CANCELLED: WRITE_OFF,
}

CAIXA: Reasons = {
    **FEBRABAN,
    Meaning.SETTLED: {
        "02": "casa lotérica",
        "03": "agência da Caixa",
        "04": "compensação eletrônica",
        "05": "compensação convencional",
        "06": "internet",
        "07": "correspondente bancário",
        "08": "em cartório",
        "61": "Pix",
    },
}

_ITAU_ENTRY: Texts = {
    "03": "CEP sem agência cobradora ou sem protesto",
    "04": "UF inválida",
    "05": "vencimento fora do prazo de operação",
    "07": "valor do título acima do limite",
    "08": "nome do pagador não informado",
    "09": "agência encerrada",
    "10": "logradouro não informado",
    "11": "CEP inválido",
    "12": "nome do sacador não informado",
    "13": "CEP incompatível com a UF",
    "14": "nosso número já registrado ou fora da faixa",
    "15": "nosso número repetido no arquivo",
    "18": "data de entrada inválida para a carteira",
    "19": "ocorrência inválida",
    "21": "agência cobradora inválida",
    "22": "carteira não permitida",
    "26": "conta não liberada para cobrança",
    "27": "CNPJ do beneficiário inapto",
    "29": "categoria da conta inválida",
    "30": "entradas bloqueadas, conta suspensa",
    "31": "conta sem permissão para protestar",
    "35": "IOF acima de 5%",
    "37": "CNPJ/CPF do pagador inválido",
    "42": "nosso número fora da faixa",
    "60": "abatimento inválido",
    "61": "juros acima do permitido",
    "62": "desconto maior que o valor do título",
    "64": "data de emissão inválida",
    "66": "vencimento inválido ou fora do prazo",
    "67": "valor do título inválido",
    "68": "carteira inválida",
    "91": "DAC da agência e conta inválido",
    "92": "DAC do nosso número inválido",
    "93": "UF inválida",
    "94": "UF incompatível com o CEP",
    "95": "CEP do pagador inválido",
    "96": "endereço, nome ou cidade do pagador inválido",
}
_ITAU_INSTRUCTION: Texts = {
    "01": "instrução não existe",
    "03": "conta sem permissão para protestar",
    "04": "nosso número repetido no arquivo",
    "05": "título já baixado ou liquidado",
    "06": "título não registrado",
    "08": "título em compensação",
    "14": "registro em duplicidade",
    "19": "abatimento acima de 90% do valor",
    "21": "título não registrado",
    "22": "título baixado ou liquidado",
    "23": "instrução não aceita",
    "28": "mesma instrução já cadastrada",
    "33": "vencimento igual ao registrado ou já passado",
    "37": "instrução não permitida para a carteira",
    "42": "alteração inválida para título vencido",
    "43": "vencimento já alterado",
    "53": "instrução com o mesmo conteúdo",
    "61": "título baixado, liquidado ou inexistente",
}
ITAU: Reasons = {Meaning.REJECTED: _ITAU_ENTRY, Meaning.REFUSED: _ITAU_INSTRUCTION}
# The layout with 400 positions has a few codes of its own.
BRADESCO_400: Reasons = {
    Meaning.REJECTED: {
        **REJECTION,
        "03": "ocorrência inválida",
        "05": "ocorrência não numérica",
        "44": "agência do beneficiário não prevista",
        "65": "limite excedido",
    },
    Meaning.REFUSED: REJECTION,
    Meaning.CANCELLED: {"00": "pelo arquivo", "10": "pela agência", "16": "por protesto"},
}


def why(reasons: Reasons, meaning: Meaning, codes: str) -> str:
    """`codes`, two characters each, in words; one without words is shown as it is, `00` left out.

    "" for meanings whose codes say nothing that matters.
    """
    texts = reasons.get(meaning)
    if texts is None:
        return ""
    parts = [codes[at : at + 2].strip() for at in range(0, len(codes), 2)]
    is_refusal = meaning in (Meaning.REJECTED, Meaning.REFUSED)
    told = [
        texts.get(code) or (f"motivo {code}" if is_refusal else "")
        for code in parts
        if code.strip("0") or code in texts
    ]
    return "; ".join(dict.fromkeys(text for text in told if text))
