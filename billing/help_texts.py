"""The help articles that every account begins with (P05, area 5); staff may put others in place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HelpText:
    """A shipped article; paragraphs are apart by empty lines."""

    slug: str
    title: str
    body: str


SHIPPED = (
    HelpText(
        "como-ler-sua-fatura",
        "Como ler sua fatura",
        """No alto ficam o número da fatura, a situação e o valor total. A situação diz se ela \
está em aberto, vencida, em processamento, paga ou reembolsada.

Em Dados aparecem quem emite e quem paga, a competência (o mês a que a cobrança se refere), o \
período do serviço, a data de emissão e o vencimento.

Itens cobrados lista cada serviço com a quantidade, o valor unitário, o imposto e o valor. Abaixo \
vêm o subtotal, os descontos, os impostos, as retenções na fonte, se houver, e o total.

Parcelas mostra cada vencimento e o que já foi recebido. Pagamentos traz os comprovantes, e Notas \
fiscais traz o PDF e o XML de cada nota.

Vencimento em fim de semana ou feriado bancário pode ser pago no próximo dia útil, sem multa e sem \
juros. Depois desse dia, os encargos contam desde o vencimento original.""",
    ),
    HelpText(
        "como-pagar",
        "Como pagar: Pix, boleto e cartão",
        """Abra a fatura e use o quadro Pagar agora. Cada forma mostra o valor final e o prazo: \
Pix e cartão são confirmados na hora; o boleto, em até 2 dias úteis.

Enquanto um pagamento está em processamento, a fatura não oferece outro: assim você não paga duas \
vezes. Se a situação não mudar, fale com o suporte antes de pagar de novo.

Antes de confirmar, confira se o nome e o CNPJ do beneficiário são os mesmos que aparecem na \
fatura.""",
    ),
    HelpText(
        "segunda-via",
        "2ª via e boleto vencido",
        """Em 2ª via você copia a linha digitável, imprime o boleto ou paga com Pix.

Se a fatura venceu, escolha a nova data de vencimento: a página mostra o valor original, a multa, \
os juros e o total. O boleto anterior é cancelado; não pague o boleto antigo.""",
    ),
    HelpText(
        "contestar",
        "Não concordo com uma cobrança",
        """Abra a fatura e escolha Contestar. Diga o que está errado, explique e anexe o que \
ajudar. Você recebe um protocolo e a resposta por e-mail.

Enquanto a contestação está aberta, a cobrança automática fica parada. O vencimento continua o \
mesmo; se a cobrança for mantida, você terá alguns dias úteis para pagar sem multa e juros.""",
    ),
    HelpText(
        "notas-fiscais",
        "Onde encontro minhas notas fiscais",
        """Na lista de faturas, a coluna NF traz o número da nota com o PDF e o XML. “Em emissão” \
quer dizer que a nota foi pedida e ainda não foi autorizada.

Em Exportar dados você baixa todas as notas de um período de uma vez.""",
    ),
)
