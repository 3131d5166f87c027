"""The columns of an import file: title, synonyms, where each goes and what it accepts."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from billing.engine import due_dates
from billing.engine.schedule import MONTHLY, WEEKLY
from billing.models import Contract, InvoiceRule, Management, PaymentMethod, PriceIndex
from billing.services.imports import cells
from billing.services.imports.cells import Reader
from lib.tabular import BadFile

CUSTOMER, CONTRACT, RULE, SERVICE = "customer", "contract", "rule", "service"
ERROR_COLUMN = "erro"  # last column of the file of rejected lines; ignored when read

_PERIODS = {
    "semanal": (WEEKLY, None),
    "mensal": (MONTHLY, 1),
    "bimestral": (MONTHLY, 2),
    "trimestral": (MONTHLY, 3),
    "semestral": (MONTHLY, 6),
    "anual": (MONTHLY, 12),
}
_DUE = {
    "dia fixo": due_dates.FIXED_DAY,
    "ultimo dia": due_dates.LAST_DAY_OF_MONTH,
    "ultimo dia do mes": due_dates.LAST_DAY_OF_MONTH,
    "apos dias": due_dates.DAY_QUANTITY,
    "dia apos meses": due_dates.FIXED_DAY_AND_MONTH_QUANTITY,
}
_ACCRUAL = InvoiceRule.Accrual
_MONTHS = {
    "mesmo": _ACCRUAL.SAME.value,
    "mesmo mes": _ACCRUAL.SAME.value,
    "anterior": _ACCRUAL.PREVIOUS.value,
    "mes anterior": _ACCRUAL.PREVIOUS.value,
    "seguinte": _ACCRUAL.NEXT.value,
    "mes seguinte": _ACCRUAL.NEXT.value,
}
_CHARGING = {
    word: value.value
    for value, words in {
        Contract.Charging.PRE_PAID: ("pre paga", "pre pago", "prepaga", "prepago", "pre"),
        Contract.Charging.POST_PAID: ("pos paga", "pos pago", "pospaga", "pospago", "pos"),
    }.items()
    for word in words
}
_METHODS = {
    "boleto": PaymentMethod.BILLET.value,
    "boleto bancario": PaymentMethod.BILLET.value,
    "cartao": PaymentMethod.PAYMENT_GATEWAY.value,
    "cartao de credito": PaymentMethod.PAYMENT_GATEWAY.value,
    "pix": PaymentMethod.PIX.value,
    "pix automatico": PaymentMethod.PIX_AUTOMATIC.value,
    "transferencia": PaymentMethod.TRANSFER.value,
    "deposito": PaymentMethod.TRANSFER.value,
    "ted": PaymentMethod.TRANSFER.value,
}
_INDEXES = {
    "ipca": PriceIndex.IPCA.value,
    "igpm": PriceIndex.IGPM.value,
    "igp m": PriceIndex.IGPM.value,
    "igpdi": PriceIndex.IGPDI.value,
    "igp di": PriceIndex.IGPDI.value,
    "inpc": PriceIndex.INPC.value,
    "ipcfipe": PriceIndex.IPCFIPE.value,
    "ipc fipe": PriceIndex.IPCFIPE.value,
}


def _management(text: str) -> str:
    automatic = cells.yes_or_no(text)
    return (Management.AUTOMATIC if automatic else Management.MANUAL).value


@dataclass(frozen=True)
class Column:
    """A column: `name` is its title, `field` its key in the section that `read` fills."""

    name: str
    section: str
    field: str
    read: Reader
    help: str
    examples: tuple[str, str] = ("", "")
    is_required: bool = False
    synonyms: tuple[str, ...] = ()


_text, _code = cells.line_of_text, cells.code

COLUMNS: tuple[Column, ...] = (
    Column(
        "codigo_cliente", CUSTOMER, "external_code", _code,
        "Código do cliente no seu sistema, até 60 caracteres.", ("C-001", "C-002"), True,
        ("cod cliente", "cliente codigo", "id cliente"),
    ),
    Column(
        "nome", CUSTOMER, "name", _text(200), "Nome do cliente, até 200 caracteres.",
        ("Padaria Aurora", "Maria Souza"), True, ("cliente", "nome cliente", "nome fantasia"),
    ),
    Column(
        "razao_social", CUSTOMER, "company_name", _text(200), "Razão social, até 200 caracteres.",
        ("Padaria Aurora Ltda", ""),
    ),
    Column(
        "cnpj_cpf", CUSTOMER, "document", cells.document,
        "CNPJ (letras são aceitas) ou CPF, com ou sem máscara.",
        ("12.ABC.345/01DE-35", "529.982.247-25"), False,
        ("cnpj", "cpf", "cpf cnpj", "documento", "cnpj ou cpf", "cpf ou cnpj"),
    ),
    Column(
        "inscricao_estadual", CUSTOMER, "state_inscription", _text(30), "Até 30 caracteres.",
        synonyms=("ie", "insc estadual"),
    ),
    Column(
        "inscricao_municipal", CUSTOMER, "city_inscription", _text(30), "Até 30 caracteres.",
        synonyms=("im", "ccm", "insc municipal"),
    ),
    Column(
        "email", CUSTOMER, "email", cells.email, "Um endereço.",
        ("contato@aurora.example", "maria@exemplo.example"), False, ("e mail", "email cliente"),
    ),
    Column(
        "telefone", CUSTOMER, "phone", cells.phone, "DDD e número.",
        ("(11) 91234-5678", "(21) 2345-6789"), False, ("fone", "celular", "tel"),
    ),
    Column(
        "cep", CUSTOMER, "zipcode", cells.cep, "8 números, com ou sem traço.",
        ("01001-000", "20040-002"),
    ),
    Column(
        "logradouro", CUSTOMER, "address", _text(200), "Rua, avenida… até 200 caracteres.",
        ("Praça da Sé", "Rua da Quitanda"), False, ("endereco", "rua"),
    ),
    Column(
        "numero", CUSTOMER, "number", _text(20), "Até 20 caracteres; “s/n” é aceito.",
        ("100", "50"), False, ("n", "no", "num", "numero endereco"),
    ),
    Column("complemento", CUSTOMER, "complement", _text(100), "Até 100 caracteres."),
    Column(
        "bairro", CUSTOMER, "district", _text(100), "Até 100 caracteres.", ("Sé", "Centro"),
    ),
    Column(
        "municipio", CUSTOMER, "city", _text(100), "Até 100 caracteres.",
        ("São Paulo", "Rio de Janeiro"), False, ("cidade",),
    ),
    Column("uf", CUSTOMER, "state", cells.uf, "Sigla do estado.", ("SP", "RJ"), False, ("estado",)),
    Column(
        "codigo_ibge", CUSTOMER, "ibge_code", cells.ibge, "7 números do município.",
        synonyms=("ibge", "cod ibge"),
    ),
    Column(
        "emails_cobranca", CUSTOMER, "billing_contacts", cells.emails,
        "Quem recebe as faturas; separe por vírgula.",
        ("financeiro@aurora.example, socio@aurora.example", ""), False,
        ("email cobranca", "e mail cobranca", "e mails cobranca", "email financeiro"),
    ),
    Column(
        "codigo_contrato", CONTRACT, "external_code", _code,
        "Código do contrato no seu sistema, até 60 caracteres.", ("CT-2026-001", "CT-2026-002"),
        True, ("contrato", "cod contrato", "contrato codigo", "numero contrato"),
    ),
    Column(
        "contrato_nome", CONTRACT, "name", _text(200),
        "Nome único do contrato; em branco, o código.", ("Aurora – suporte", "Maria – site"),
        False, ("nome contrato",),
    ),
    Column(
        "titulo", CONTRACT, "title", _text(200), "Título do contrato; em branco, o nome.",
        ("Suporte mensal", "Hospedagem de site"), False, ("titulo contrato",),
    ),
    Column(
        "inicio_contrato", CONTRACT, "init_date", cells.day, "dd/mm/aaaa.",
        ("01/01/2026", "15/01/2026"), False, ("data inicio", "inicio", "vigencia inicio"),
    ),
    Column(
        "fim_contrato", CONTRACT, "end_date", cells.day, "dd/mm/aaaa; em branco, sem fim.",
        ("31/12/2028", ""), False, ("data fim", "fim", "termino", "vigencia fim"),
    ),
    Column(
        "cobranca", CONTRACT, "charging_method",
        cells.choice(_CHARGING, accepted="pré-paga ou pós-paga"),
        "pré-paga ou pós-paga; em branco, pré-paga.", ("pós-paga", "pré-paga"), False,
        ("tipo cobranca", "modalidade"),
    ),
    Column(
        "cancelado_em", CONTRACT, "cancel_date", cells.day,
        "dd/mm/aaaa, para contrato já cancelado ou com cancelamento marcado.",
        synonyms=("data cancelamento", "cancelamento"),
    ),
    Column(
        "motivo_cancelamento", CONTRACT, "cancel_reason", cells.free_text(2000),
        "Só com cancelado_em.", synonyms=("motivo",),
    ),
    Column(
        "codigo_regra", RULE, "external_code", _code,
        "Código da regra de faturamento; em branco, o do contrato.",
        synonyms=("regra", "cod regra"),
    ),
    Column(
        "titulo_fatura", RULE, "title", _text(200),
        "Título das faturas; em branco, o título do contrato.", ("Suporte mensal", "Hospedagem"),
        False, ("titulo regra",),
    ),
    Column(
        "descricao", RULE, "description", cells.free_text(),
        "Descrição das faturas; em branco, o título delas.",
        ("Suporte e manutenção do mês", "Hospedagem anual"), False,
        ("descricao fatura", "descricao regra"),
    ),
    Column(
        "texto_nota", RULE, "nfe_body", cells.free_text(),
        "Texto da nota fiscal; em branco, a descrição.",
        synonyms=("texto nota fiscal", "discriminacao"),
    ),
    Column(
        "primeira_emissao", RULE, "init_date", cells.day,
        "dd/mm/aaaa: data da primeira fatura, de que se contam todas as outras.",
        ("01/09/2026", "15/09/2026"), True, ("data primeira emissao", "primeira fatura"),
    ),
    Column(
        "ultima_emissao", RULE, "end_date", cells.day,
        "dd/mm/aaaa; em branco, sem fim. Até 5 anos (1 ano se semanal).", ("31/12/2028", ""),
        False, ("data ultima emissao", "ultima fatura"),
    ),
    Column(
        "periodicidade", RULE, "period",
        cells.choice(
            _PERIODS, accepted="semanal, mensal, bimestral, trimestral, semestral ou anual"
        ),
        "semanal, mensal, bimestral, trimestral, semestral ou anual.", ("mensal", "anual"), True,
        ("frequencia", "recorrencia", "periodo"),
    ),
    Column(
        "competencia", RULE, "accrual_month_quantity",
        cells.choice(_MONTHS, accepted="mesmo, anterior ou seguinte"),
        "Mês a que a fatura se refere: mesmo, anterior ou seguinte ao da emissão.",
        ("anterior", "mesmo"), False, ("mes competencia",),
    ),
    Column(
        "tipo_vencimento", RULE, "charge_type",
        cells.choice(_DUE, accepted="dia fixo, último dia, após dias ou dia após meses"),
        "dia fixo, último dia, após dias ou dia após meses; em branco, o que as colunas "
        "seguintes indicarem.",
        ("dia fixo", "após dias"), False, ("vencimento",),
    ),
    Column(
        "dia_vencimento", RULE, "day_number", cells.whole(1, 31), "1 a 31.", ("10", ""), False,
        ("dia venc",),
    ),
    Column(
        "dias_apos", RULE, "day_quantity", cells.whole(0, due_dates.MAX_DAYS),
        "Dias depois da emissão.", ("", "15"), False, ("dias apos emissao", "prazo dias"),
    ),
    Column(
        "meses_apos", RULE, "due_month_quantity", cells.whole(1, due_dates.MAX_MONTHS),
        "Meses depois da emissão.", synonyms=("meses apos emissao",),
    ),
    Column(
        "dias_uteis", RULE, "only_business_days", cells.yes_or_no,
        "sim ou não: conta só dias úteis bancários (último dia e após dias).", ("", "sim"), False,
        ("so dias uteis", "somente dias uteis"),
    ),
    Column(
        "parcelas", RULE, "parcel_number", cells.whole(1, due_dates.MAX_PARCELS),
        "Número de parcelas mensais iguais de cada fatura; em branco, uma.", ("1", "3"), False,
        ("numero parcelas", "qtd parcelas"),
    ),
    Column(
        "forma_pagamento", RULE, "payment_method",
        cells.choice(_METHODS, accepted="boleto, cartão, Pix, Pix automático ou transferência"),
        "boleto, cartão, Pix, Pix automático ou transferência; em branco, boleto.",
        ("boleto", "pix"), False, ("meio pagamento", "pagamento"),
    ),
    Column(
        "automatico", RULE, "management_type", _management,
        "sim ou não: a fatura é emitida sozinha na data; em branco, não.", ("sim", "não"), False,
        ("emissao automatica", "faturamento automatico"),
    ),
    Column(
        "indice", RULE, "price_index",
        cells.choice(_INDEXES, accepted="IPCA, IGP-M, IGP-DI, INPC ou IPC-Fipe"),
        "IPCA, IGP-M, IGP-DI, INPC ou IPC-Fipe; em branco, sem reajuste.", ("IPCA", ""), False,
        ("indice reajuste", "reajuste indice"),
    ),
    Column(
        "primeiro_reajuste", RULE, "readjust_on", cells.day,
        "dd/mm/aaaa, a partir de 01/01/2000. Obrigatório com índice.", ("01/09/2027", ""), False,
        ("data reajuste", "data primeiro reajuste"),
    ),
    Column(
        "reajuste_meses", RULE, "readjust_months", cells.whole(1, 120),
        "De quantos em quantos meses; em branco, 12.", ("12", ""), False,
        ("meses reajuste", "periodo reajuste"),
    ),
    Column(
        "reajuste_negativo", RULE, "apply_negative_updates", cells.yes_or_no,
        "sim ou não: o preço cai quando o índice acumulado é negativo; em branco, não.",
        synonyms=("aplica reajuste negativo",),
    ),
    Column(
        "servico", SERVICE, "name", _text(200),
        "Nome do serviço no catálogo; criado se não existir.", ("Suporte", "Hospedagem"), True,
        ("produto", "item", "nome servico"),
    ),
    Column(
        "servico_descricao", SERVICE, "description", cells.free_text(),
        "Descrição na linha da fatura.", ("Suporte técnico por telefone", ""), False,
        ("descricao servico", "descricao item"),
    ),
    Column(
        "quantidade", SERVICE, "units",
        cells.amount(4, integer_digits=11, least=Decimal("0.0001")),
        "Número maior que zero, até 4 casas; em branco, 1.", ("1", "1"), False, ("qtd", "qtde"),
    ),
    Column(
        "valor_unitario", SERVICE, "unit_value", cells.amount(4, integer_digits=11),
        "Em reais, como 1.234,56; até 4 casas. Desconto é negativo.", ("1.234,56", "300,00"),
        True, ("valor", "preco", "preco unitario", "valor unit"),
    ),
    Column(
        "imposto_percent", SERVICE, "tax_percentage", cells.percent,
        "Imposto do serviço no catálogo, em %; em branco, o que já estiver lá.",
        synonyms=("imposto", "aliquota"),
    ),
)  # fmt: skip

BY_NAME = {column.name: column for column in COLUMNS}
NAMES = tuple(BY_NAME)
REQUIRED = tuple(column.name for column in COLUMNS if column.is_required)
_SMALL_WORDS = frozenset(("de", "do", "da", "dos", "das", "a", "o", "e", "em"))


def _key(title: str) -> str:
    """A title without accents, case, punctuation and small words, so that many spellings meet."""
    return " ".join(word for word in cells.words(title).split() if word not in _SMALL_WORDS)


_BY_KEY = {
    _key(title): column.name for column in COLUMNS for title in (column.name, *column.synonyms)
}


@dataclass
class Header:
    """Which position of the file holds each column, and what to tell people about the rest."""

    titles: list[str]
    positions: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def name_at(self, position: int | None) -> str | None:
        """The column at a position; empty for the row as a whole, None for an ignored column."""
        if position is None:
            return ""
        return next((name for name, at in self.positions.items() if at == position), None)


def match_header(titles: Sequence[str]) -> Header:
    """Recognise the columns. Raises BadFile naming every missing, repeated or mistyped one."""
    header = Header(list(titles))
    faults: list[str] = []
    unknown: list[str] = []
    for position, title in enumerate(titles):
        name = _BY_KEY.get(_key(title))
        if name in header.positions:
            other = titles[header.positions[name]]
            faults.append(f"As colunas “{other}” e “{title}” são a mesma: {name}.")
        elif name is not None:
            header.positions[name] = position
        elif title and _key(title) != ERROR_COLUMN:
            unknown.append(title)
    faults += [text for title in unknown if (text := _mistyped(title, header))]
    missing = [name for name in REQUIRED if name not in header.positions]
    if missing:
        faults.append(f"Faltam as colunas: {', '.join(missing)}.")
    if faults:
        raise BadFile("Cabeçalho com problemas. " + " ".join(faults))
    return header


def _mistyped(title: str, header: Header) -> str:
    """A fault when `title` is nearly an absent column: ignoring it would lose data in silence."""
    close = difflib.get_close_matches(_key(title), _BY_KEY, n=1, cutoff=0.87)
    if close and _BY_KEY[close[0]] not in header.positions:
        return f"Coluna “{title}” desconhecida: seria {_BY_KEY[close[0]]}?"
    header.warnings.append(f"Coluna “{title}” não é conhecida e foi ignorada.")
    return ""
