"""What a document template can say: every variable, in pt-BR, with a sample.

The names of billing-engine §5.1 and TPL-2, exactly. `sample_context` is the document that previews,
tests and the linter use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from lib import drawing, money

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Variable:
    """One name of the catalogue; `[]` in it means each item of a list."""

    name: str
    description: str
    sample: str = ""


CATALOGUE = (
    Variable("invoice_number", "Número da fatura", "INV-2025-001234"),
    Variable("title", "Título da fatura; vazio se não há", "Serviços de janeiro de 2025"),
    Variable("date", "Emissão, em texto ISO", "2025-01-10T12:00:00"),
    Variable("due_date", "Vencimento, em texto ISO; vazio se não há", "2025-02-15"),
    Variable("start_date", "Início do período; vazio se não há", "2025-01-01"),
    Variable("end_date", "Fim do período; vazio se não há", "2025-01-31"),
    Variable("accrual", "Competência, mm/aaaa", "01/2025"),
    Variable("total_amount", "Soma dos itens, antes do imposto", "1234.56"),
    Variable("total_tax", "Soma do imposto dos itens", "123.46"),
    Variable("payment_url", "Página pública de pagamento", "https://exemplo.com.br/p/f/abc"),
    Variable("pix_code", "Pix copia e cola da primeira parcela em aberto"),
    Variable("linha_digitavel", "Linha digitável do primeiro boleto em aberto"),
    Variable("logo", "Logotipo da organização, para usar em <img src>", "asset:logo"),
    Variable("notes", "Observações da fatura", "Obrigado pela preferência."),
    Variable("language", "Idioma do documento", "pt-BR"),
    Variable("sandbox", "Verdadeiro em homologação: o documento não tem validade fiscal"),
    Variable("status.code", "Situação, para comparar", "open"),
    Variable("status.label", "Situação, para mostrar", "Em aberto"),
    Variable("organization.name", "Nome de quem cobra", "Horizonte Telecom"),
    Variable("organization.company_name", "Razão social", "Horizonte Telecomunicações Ltda"),
    Variable("organization.document", "CNPJ ou CPF, sem máscara", "12ABC34501DE35"),
    Variable("organization.document_masked", "CNPJ ou CPF, com máscara", "12.ABC.345/01DE-35"),
    Variable("organization.address_line_1", "Endereço, linha 1", "Av. Paulista, 1000"),
    Variable("organization.address_line_2", "Endereço, linha 2", "Conjunto 101"),
    Variable("organization.city", "Cidade", "São Paulo"),
    Variable("organization.state", "UF", "SP"),
    Variable("organization.zip_code", "CEP, sem máscara", "01310100"),
    Variable("organization.country", "País", "Brasil"),
    Variable("organization.email", "E-mail", "financeiro@horizonte.com.br"),
    Variable("organization.phone", "Telefone", "1132101234"),
    Variable("organization.logo", "Logotipo, para usar em <img src>", "asset:logo"),
    Variable("organization.color_primary", "Cor principal", "#1351b4"),
    Variable("organization.color_accent", "Cor de apoio", "#0c326f"),
    Variable("client.name", "Nome do cliente", "Padaria Aurora Ltda"),
    Variable("client.document", "CPF ou CNPJ do cliente, sem máscara", "11222333000181"),
    Variable("client.address.address_line_1", "Endereço, linha 1", "Rua das Flores, 123"),
    Variable("client.address.address_line_2", "Endereço, linha 2", "Sala 4"),
    Variable("client.address.city", "Cidade", "Campinas"),
    Variable("client.address.state", "UF", "SP"),
    Variable("client.address.zip_code", "CEP", "13010000"),
    Variable("client.address.country", "País", "Brasil"),
    Variable("contract.title", "Título do contrato", "Internet e telefonia"),
    Variable("contract.name", "Código do contrato", "CT-00042"),
    Variable("transactions[].transaction_id", "Identificador da transação", "T-000001"),
    Variable("transactions[].created", "Criação, em texto ISO", "2025-01-02T09:30:00"),
    Variable("transactions[].title", "Título", "Link dedicado"),
    Variable("transactions[].description", "Descrição", "200 Mbps"),
    Variable("transactions[].retail_cost", "Valor, antes do imposto", "100.00"),
    Variable("transactions[].tax_percentage", "Imposto, em %", "10"),
    Variable("transactions[].tax_amount", "Imposto, em R$", "10.00"),
    Variable("lines[].position", "Posição do item", "1"),
    Variable("lines[].title", "Título", "Link dedicado"),
    Variable("lines[].description", "Descrição", "200 Mbps"),
    Variable("lines[].units", "Quantidade", "1"),
    Variable("lines[].unit_value", "Valor unitário", "100.00"),
    Variable("lines[].value", "Valor, antes do imposto", "100.00"),
    Variable("lines[].tax_percentage", "Imposto, em %", "10"),
    Variable("lines[].tax_amount", "Imposto, em R$", "10.00"),
    Variable("lines[].period_start", "Início do período do item", "2025-01-01"),
    Variable("lines[].period_end", "Fim do período do item", "2025-01-31"),
    Variable("receivables[].number", "Número da parcela", "1"),
    Variable("receivables[].due_date", "Vencimento da parcela", "2025-02-15"),
    Variable("receivables[].value", "Valor da parcela", "1358.02"),
    Variable("receivables[].linha_digitavel", "Linha digitável do boleto"),
    Variable("receivables[].barcode_svg", "Código de barras do boleto, desenhado"),
    Variable("receivables[].pix_copia_cola", "Pix copia e cola"),
    Variable("receivables[].pix_qr_svg", "QR Code do Pix, desenhado"),
    Variable("discounts[].description", "Desconto", "Desconto de fidelidade"),
    Variable("discounts[].value", "Valor do desconto", "50.00"),
    Variable("discounts[].until", "Só até esta data; vazio quando já abate do total", ""),
    Variable("withholdings[].name", "Imposto retido", "IR retido"),
    Variable("withholdings[].percentage", "Alíquota, em %", "1.5"),
    Variable("withholdings[].value", "Valor retido", "18.52"),
)
# The containers themselves are variables too: `{% for line in lines %}`, `{% if contract %}`.
KNOWN = frozenset(
    {variable.name for variable in CATALOGUE}
    | {variable.name.partition("[]")[0].partition(".")[0] for variable in CATALOGUE}
)

_SERVICES = (
    ("Link dedicado 200 Mbps", "Acesso corporativo com IP fixo", "899.90", "2", "10"),
    ("Telefonia fixa", "Tronco SIP com 10 canais", "249.90", "1", "10"),
    ("Ligações para celular", "Minutos excedentes do plano", "0.3875", "112", "0"),
    ("Hospedagem gerenciada", "Servidor virtual, cópia diária e monitoramento", "320.00", "1", "5"),
    ("Suporte avançado", "Atendimento 24 horas", "150.00", "1", "0"),
)
_LONG_TITLE = "Prestação continuada de serviços de comunicação multimídia e hospedagem gerenciada"
_LONG_DESCRIPTION = (
    "Ponto de presença número {n} da rede corporativa, com contingência por rádio, "
    "endereço IP fixo, roteador em comodato e relatório mensal de disponibilidade – "
    "protocolo ATENDIMENTO/2025/0000000000000000{n:06d}/SUPERINTENDENCIA-REGIONAL"
)
_LONG_NAME = (
    "Associação Brasileira de Produtores e Distribuidores de Equipamentos Eletroeletrônicos "
    "e Telecomunicações do Vale do Paraíba e Litoral Norte Ltda – em recuperação judicial"
)
_BOLETO = "00190500954014481606906809350314337370000000100"
_BARCODE = "00193373700000001000500940144816060680935031"
_PIX = (
    "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-426655440000"
    "5204000053039865406{value}5802BR5917HORIZONTE TELECOM6009SAO PAULO62070503***6304{crc}"
)


def sample_context(
    *,
    n_lines: int = 8,
    n_receivables: int = 1,
    long_names: bool = False,
    on: date = date(2025, 1, 10),
) -> dict[str, Any]:
    """A complete document with `n_lines` items, amounts that add up, and codes to scan.

    `long_names` fills every text to the brim ("Dados longos" uses 200 items of it).
    """
    lines = [_line(n, long_names=long_names) for n in range(1, n_lines + 1)]
    total = sum((line["value"] for line in lines), ZERO)
    tax = sum((line["tax_amount"] for line in lines), ZERO)
    receivables = _receivables(total + tax, n_receivables, first=on + timedelta(days=36))
    return {
        "invoice_number": "INV-2025-001234",
        "title": "Serviços de janeiro de 2025",
        "date": f"{on}T12:00:00",
        "due_date": str(receivables[0]["due_date"]) if receivables else "",
        "start_date": "2025-01-01",
        "end_date": "2025-01-31",
        "accrual": "01/2025",
        "total_amount": total,
        "total_tax": tax,
        "payment_url": "https://pague.horizonte.com.br/p/f/9b2f6c1e4d8a47c0",
        "pix_code": receivables[0]["pix_copia_cola"] if receivables else "",
        "linha_digitavel": receivables[0]["linha_digitavel"] if receivables else "",
        "logo": "",
        "notes": "Após o vencimento: multa de 2% e juros de 1% ao mês.",
        "language": "pt-BR",
        "sandbox": False,
        "status": {"code": "open", "label": "Em aberto"},
        "organization": _organization(),
        "client": _client(long_names=long_names),
        "contract": {"title": "Internet e telefonia", "name": "CT-00042"},
        "transactions": [_transaction(line) for line in lines],
        "lines": lines,
        "receivables": receivables,
        "discounts": [],
        "withholdings": [],
    }


def _line(n: int, *, long_names: bool) -> dict[str, Any]:
    title, description, unit_value, units, tax = _SERVICES[(n - 1) % len(_SERVICES)]
    month = (n - 1) // 40 % 12 + 1
    value = money.half_up(Decimal(units) * Decimal(unit_value))
    return {
        "position": n,
        "title": _LONG_TITLE if long_names else title,
        "description": _LONG_DESCRIPTION.format(n=n) if long_names else description,
        "units": Decimal(units),
        "unit_value": Decimal(unit_value),
        "value": value,
        "tax_percentage": Decimal(tax),
        "tax_amount": money.half_up(value * Decimal(tax) / 100),
        "period_start": f"2025-{month:02d}-01",
        "period_end": f"2025-{month:02d}-28",
    }


def _transaction(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "transaction_id": f"T-{line['position']:06d}",
        "created": f"{line['period_start']}T09:30:00",
        "title": line["title"],
        "description": line["description"],
        "retail_cost": line["value"],
        "tax_percentage": line["tax_percentage"],
        "tax_amount": line["tax_amount"],
    }


def _receivables(total: Decimal, count: int, *, first: date) -> list[dict[str, Any]]:
    if not count:
        return []
    part = money.truncate(total / count)
    values = [part] * (count - 1)
    return [
        _receivable(number, value, first + timedelta(days=30 * (number - 1)))
        for number, value in enumerate([*values, total - sum(values, ZERO)], start=1)
    ]


def _receivable(number: int, value: Decimal, due_on: date) -> dict[str, Any]:
    pix = _PIX.format(value=f"{value:09.2f}", crc="A1B2")
    return {
        "number": number,
        "due_date": str(due_on),
        "value": value,
        "linha_digitavel": _BOLETO,
        "barcode_svg": drawing.itf_svg(_BARCODE),
        "pix_copia_cola": pix,
        "pix_qr_svg": drawing.qr_svg(pix),
    }


def _organization() -> dict[str, Any]:
    return {
        "name": "Horizonte Telecom",
        "company_name": "Horizonte Telecomunicações Ltda",
        "document": "12ABC34501DE35",
        "document_masked": "12.ABC.345/01DE-35",
        "address_line_1": "Av. Paulista, 1000",
        "address_line_2": "Conjunto 101 – Bela Vista",
        "city": "São Paulo",
        "state": "SP",
        "zip_code": "01310100",
        "country": "Brasil",
        "email": "financeiro@horizonte.com.br",
        "phone": "1132101234",
        "logo": "",
        "color_primary": "#1351b4",
        "color_accent": "#0c326f",
    }


def _client(*, long_names: bool) -> dict[str, Any]:
    street = "Rodovia Governador Doutor Adhemar Pereira de Barros, km 118,5, s/nº, Galpões 7 a 12"
    return {
        "name": _LONG_NAME if long_names else "Padaria Aurora Ltda",
        "document": "11222333000181",
        "address": {
            "address_line_1": street if long_names else "Rua das Flores, 123",
            "address_line_2": "Distrito Industrial Doutor Ulysses Guimarães" if long_names else "",
            "city": "São José do Vale do Rio Preto" if long_names else "Campinas",
            "state": "SP",
            "zip_code": "13010000",
            "country": "Brasil",
        },
    }
