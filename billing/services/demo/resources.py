"""How the demonstration writes to customers, asks for money and describes its services."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from accounts.models import Account
from billing.models import ChargeTemplate, EmailTemplate, FinancialAccount, NfseTemplate, Party

_NEW_INVOICE = """Olá,

a fatura $NUMERO de $DESCRICAO, no valor de $VALOR_BRUTO, vence em $DATAS_VENCIMENTO.

Veja e pague por Pix, boleto ou cartão: $LINK

Dúvidas? Responda a este e-mail.
$NOME_PRESTADOR"""

_SUBSCRIPTION = """Olá,

esta é a cobrança do plano $PLANO, no valor de $VALOR_BRUTO, com vencimento em $DATAS_VENCIMENTO.

Veja e pague por Pix, boleto ou cartão: $LINK

$NOME_PRESTADOR"""

EMAILS: dict[str, dict[str, Any]] = {
    "Fatura disponível": {
        "subject": "Fatura $NUMERO: $DESCRICAO",
        "body": _NEW_INVOICE,
        "description": "Avisa que há uma fatura nova",
        "include_invoice_pdf": True,
        "default_template": True,
    },
    "Cobrança de assinatura": {
        "subject": "Assinatura do plano $PLANO",
        "body": _SUBSCRIPTION,
        "description": "Acompanha a cobrança de cada período",
        "subscription_default_template": True,
    },
}
BANK = {"bank_code": "341", "bank_branch": "4321", "bank_account": "098765"}
TERMS: dict[str, Any] = {"instructions": "Não receber após 60 dias do vencimento."}
NOTES = "Suporte em informática"
NOTE: dict[str, Any] = {
    "codigo_tributacao_nacional": "010701",
    "codigo_servico_municipal": "02881",
    "item_lista_servico": "01.07",
    "cnae": "6209100",
    "aliquota_iss": Decimal("2.9"),
    "percentual_carga_tributaria": Decimal("13.45"),
    "fonte_carga_tributaria": "IBPT",
}


def load(account: Account, organization: Party) -> EmailTemplate:
    """Templates and bank account, created where missing; answers the default e-mail."""
    owned = {"account": account, "organization": organization}
    emails = [
        EmailTemplate.objects.get_or_create(**owned, name=name, defaults=values)[0]
        for name, values in EMAILS.items()
    ]
    bank, _ = FinancialAccount.objects.get_or_create(
        **owned, **BANK, defaults={"payment_methods": ["boleto"]}
    )
    ChargeTemplate.objects.get_or_create(
        **owned,
        name="Boleto com multa e juros",
        defaults={**TERMS, "financial_account": bank},
    )
    NfseTemplate.objects.get_or_create(**owned, name=NOTES, defaults=NOTE)
    return emails[0]
