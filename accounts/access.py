"""What each role may do: the matrix of the UX specification §5, once, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.models import Account, User


class Role(StrEnum):
    """Staff roles, then customer roles, then the bearer of a public link."""

    ADMIN = "admin"
    FINANCEIRO = "financeiro"
    FISCAL = "fiscal"
    SUPORTE = "suporte"
    TITULAR = "titular"
    CLIENTE_FINANCEIRO = "cliente_financeiro"
    CLIENTE_LEITURA = "cliente_leitura"
    LINK_PUBLICO = "link_publico"


class Level(StrEnum):
    """How much of a capability a role has."""

    NONE = "—"
    READ = "L"
    FULL = "✓"


@dataclass(frozen=True)
class Grant:
    """A level and, when it is not the whole capability, what it is limited to."""

    level: Level
    limit: str = ""


class Capability(StrEnum):
    """Rows of the matrix; the value is the row's text in pt-BR."""

    DASHBOARD = "Painel: valores, MRR e vencidos"
    INVOICES = "Faturas: lista, detalhe e PDF"
    PROFORMA = "Gerar proforma, adicionar transação"
    SEND_INVOICE = "Enviar fatura por e-mail, compartilhar link"
    APPROVE = "Bloquear e aprovar fatura"
    RECORD_PAYMENT = "Registrar pagamento: dinheiro, POS, transferência, crédito"
    CHARGE_CARD = "Cobrar cartão salvo"
    SECOND_COPY = "2ª via, reemissão, Pix"
    VOID_REFUND = "Anular, reembolsar"
    CUSTOMERS = "Clientes: editar dados e contatos"
    SEE_AS_CUSTOMER = "Ver portal como cliente (só leitura)"
    CONTRACTS = "Contratos e regras: editar"
    CANCEL_CONTRACT = "Cancelar contrato ou todos"
    DUE_DAY = "Dia de vencimento"
    READJUSTMENTS = "Reajustes: aprovar; índices: editar"
    BILLING_RUN = "Rodada de faturamento"
    TEMPLATES = "Modelos: editar, ativar, limpar cache"
    DISPUTES = "Contestações: responder"
    DISPUTE_CREDIT = "Contestações: resolver com crédito"
    FISCAL_FILES = "Documentos fiscais: PDF e XML"
    FISCAL_ISSUE = "Fiscal: emitir, reenviar, cancelar, CC-e, inutilizar"
    FISCAL_SETUP = "Orientação de rejeições, séries, certificados"
    WEBHOOKS = "Webhooks: configurar e reenviar"
    POS = "POS e agentes"
    CNAB = "CNAB"
    PAYMENT_METHODS = "Formas de pagamento: adicionar, padrão, remover"
    PREFERENCES = "Preferências de notificação, exportação de dados"
    USERS = "Usuários e papéis"
    AUDIT = "Trilha de auditoria"


def _row(cells: str, *limits: tuple[Role, str]) -> dict[Role, Grant]:
    """One matrix row from its eight cells in the order of Role, and the cells' side notes."""
    notes = dict(limits)
    levels = [Level(cell) for cell in cells.split()]
    return {
        role: Grant(level, notes.get(role, "")) for role, level in zip(Role, levels, strict=True)
    }


PERMISSIONS: dict[Capability, dict[Role, Grant]] = {
    Capability.DASHBOARD: _row("✓ ✓ L — — — — —"),
    Capability.INVOICES: _row("✓ ✓ L L ✓ ✓ ✓ ✓", (Role.LINK_PUBLICO, "uma fatura")),
    Capability.PROFORMA: _row("✓ ✓ — — — — — —"),
    Capability.SEND_INVOICE: _row("✓ ✓ ✓ ✓ ✓ ✓ — —"),
    Capability.APPROVE: _row("✓ ✓ — — — — — —"),
    Capability.RECORD_PAYMENT: _row("✓ ✓ — — — — — —"),
    Capability.CHARGE_CARD: _row("✓ ✓ — — ✓ ✓ — —"),
    Capability.SECOND_COPY: _row(
        "✓ ✓ — ✓ ✓ ✓ L ✓",
        (Role.CLIENTE_LEITURA, "boleto atual"),
        (Role.LINK_PUBLICO, "escopo pagar"),
    ),
    Capability.VOID_REFUND: _row("✓ ✓ — — — — — —"),
    Capability.CUSTOMERS: _row("✓ ✓ ✓ ✓ ✓ L L —"),
    Capability.SEE_AS_CUSTOMER: _row("✓ ✓ — ✓ — — — —"),
    Capability.CONTRACTS: _row("✓ ✓ L L L L L —"),
    Capability.CANCEL_CONTRACT: _row("✓ ✓ — — ✓ — — —"),
    Capability.DUE_DAY: _row("✓ ✓ — ✓ ✓ ✓ L —"),
    Capability.READJUSTMENTS: _row("✓ ✓ — — — — — —"),
    Capability.BILLING_RUN: _row("✓ ✓ L — — — — —"),
    Capability.TEMPLATES: _row("✓ ✓ — — — — — —"),
    Capability.DISPUTES: _row(
        "✓ ✓ L ✓ ✓ ✓ L —", (Role.TITULAR, "próprias"), (Role.CLIENTE_FINANCEIRO, "próprias")
    ),
    Capability.DISPUTE_CREDIT: _row("✓ ✓ — — — — — —"),
    Capability.FISCAL_FILES: _row("✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓", (Role.LINK_PUBLICO, "escopo baixar")),
    Capability.FISCAL_ISSUE: _row("✓ ✓ ✓ — — — — —", (Role.FINANCEIRO, "só emitir")),
    Capability.FISCAL_SETUP: _row("✓ — ✓ — — — — —"),
    Capability.WEBHOOKS: _row("✓ L L ✓ — — — —", (Role.SUPORTE, "reenviar")),
    Capability.POS: _row("✓ L ✓ L — — — —"),
    Capability.CNAB: _row("✓ ✓ — — — — — —"),
    Capability.PAYMENT_METHODS: _row("L L — L ✓ ✓ — —"),
    Capability.PREFERENCES: _row("✓ — — — ✓ ✓ — —", (Role.ADMIN, "a pedido, auditado")),
    Capability.USERS: _row("✓ — — — ✓ — — —", (Role.TITULAR, "própria empresa")),
    Capability.AUDIT: _row(
        "✓ L L — — — — —", (Role.FINANCEIRO, "própria área"), (Role.FISCAL, "própria área")
    ),
}

# Which capability opens which model in the back-office. None: only the operator of the
# installation. A model that is not listed opens for nobody else, and a test asks for its line.
MODEL_CAPABILITIES: dict[str, Capability | None] = {
    "accounts.account": Capability.USERS,
    "accounts.user": Capability.USERS,
    "accounts.membership": Capability.USERS,
    "accounts.apitoken": Capability.USERS,
    "accounts.auditevent": Capability.AUDIT,
    "accounts.attempt": None,
    "accounts.heartbeat": None,
    "accounts.idempotencyrecord": None,
    "accounts.job": Capability.BILLING_RUN,
    "accounts.joberror": Capability.BILLING_RUN,
    "accounts.recoverycode": None,
    "accounts.secondfactor": None,
    "accounts.taskcall": None,
    "accounts.usersession": None,
    "accounts.webhookendpoint": Capability.WEBHOOKS,
    "accounts.webhookevent": Capability.WEBHOOKS,
    "accounts.webhookdelivery": Capability.WEBHOOKS,
    "accounts.webhookattempt": Capability.WEBHOOKS,
    "billing.party": Capability.CUSTOMERS,
    "billing.partysnapshot": Capability.INVOICES,
    "billing.contact": Capability.CUSTOMERS,
    "billing.customeraccess": Capability.USERS,
    "billing.invitation": Capability.USERS,
    "billing.notificationpreference": Capability.PREFERENCES,
    "billing.helparticle": Capability.TEMPLATES,
    "billing.dispute": Capability.DISPUTES,
    "billing.disputemessage": Capability.DISPUTES,
    "billing.disputefile": Capability.DISPUTES,
    "billing.cancellationrequest": Capability.CONTRACTS,
    "billing.scheduledcancellation": Capability.CONTRACTS,
    "billing.protocolseries": Capability.DISPUTES,
    "billing.organizationprofile": Capability.USERS,
    "billing.serviceitem": Capability.CONTRACTS,
    "billing.plan": Capability.CONTRACTS,
    "billing.planproduct": Capability.CONTRACTS,
    "billing.contract": Capability.CONTRACTS,
    "billing.invoicerule": Capability.CONTRACTS,
    "billing.ruleservice": Capability.CONTRACTS,
    "billing.invoicetemplate": Capability.CONTRACTS,
    "billing.templateservice": Capability.CONTRACTS,
    "billing.scheduledupdate": Capability.READJUSTMENTS,
    "billing.readjustment": Capability.READJUSTMENTS,
    "billing.priceindexvalue": Capability.READJUSTMENTS,
    "billing.documenttemplate": Capability.TEMPLATES,
    "billing.documenttemplateversion": Capability.TEMPLATES,
    "billing.pdfcache": Capability.TEMPLATES,
    "billing.asset": Capability.TEMPLATES,
    "billing.emailtemplate": Capability.TEMPLATES,
    "billing.emailmessage": Capability.SEND_INVOICE,
    "billing.emailsuppression": Capability.CUSTOMERS,
    "billing.invoicelink": Capability.SEND_INVOICE,
    "billing.chargetemplate": Capability.CNAB,
    "billing.financialaccount": Capability.CNAB,
    "billing.gatewayaccount": Capability.USERS,
    "billing.inboundevent": Capability.WEBHOOKS,
    "billing.savedmethod": Capability.PAYMENT_METHODS,
    "billing.providercustomer": Capability.PAYMENT_METHODS,
    "billing.bankagreement": Capability.CNAB,
    "billing.nossonumerorange": Capability.CNAB,
    "billing.cnabfile": Capability.CNAB,
    "billing.cnabrecord": Capability.CNAB,
    "billing.charge": Capability.INVOICES,
    "billing.nfsetemplate": Capability.FISCAL_SETUP,
    "billing.nfse": Capability.FISCAL_FILES,
    "billing.nfseserviceitem": Capability.FISCAL_FILES,
    "billing.invoicenote": Capability.FISCAL_FILES,
    "billing.invoicewithholding": Capability.FISCAL_FILES,
    "billing.notificationruler": Capability.TEMPLATES,
    "billing.rulerstep": Capability.TEMPLATES,
    "billing.rulerexecution": Capability.INVOICES,
    "billing.collectiontask": Capability.INVOICES,
    "billing.dunningpause": Capability.RECORD_PAYMENT,
    "billing.suspension": Capability.INVOICES,
    "billing.transaction": Capability.PROFORMA,
    "billing.invoice": Capability.INVOICES,
    "billing.invoiceline": Capability.INVOICES,
    "billing.receivable": Capability.INVOICES,
    "billing.payment": Capability.INVOICES,
    "billing.paymentallocation": Capability.INVOICES,
    "billing.refund": Capability.INVOICES,
    "billing.chargeback": Capability.INVOICES,
    "billing.customercredit": Capability.INVOICES,
    "billing.attachment": Capability.INVOICES,
    "billing.followup": Capability.INVOICES,
    "billing.invoicetally": Capability.INVOICES,
    "billing.numberseries": Capability.INVOICES,
    "billing.billingrun": Capability.BILLING_RUN,
    "billing.runentry": Capability.BILLING_RUN,
    "fiscal.company": Capability.FISCAL_SETUP,
    "fiscal.certificate": Capability.FISCAL_SETUP,
    "fiscal.series": Capability.FISCAL_SETUP,
    "fiscal.fiscaldocument": Capability.FISCAL_FILES,
    "fiscal.fiscalevent": Capability.FISCAL_FILES,
    "fiscal.inutilizacao": Capability.FISCAL_FILES,
    "fiscal.attempt": Capability.FISCAL_SETUP,
    "fiscal.archive": Capability.FISCAL_FILES,
    "fiscal.authoritystatus": Capability.FISCAL_FILES,
    "fiscal.fiscalhook": Capability.WEBHOOKS,
    "fiscal.hooknotice": Capability.WEBHOOKS,
    "fiscal.blockedemail": Capability.FISCAL_FILES,
    "fiscal.mailmessage": Capability.FISCAL_FILES,
    "fiscal.backup": Capability.FISCAL_FILES,
    "fiscal.printcache": Capability.FISCAL_FILES,
    "fiscal.contingency": Capability.FISCAL_FILES,
    "fiscal.servicenote": Capability.FISCAL_FILES,
    "fiscal.serviceorder": Capability.FISCAL_FILES,
    "fiscal.serviceattempt": Capability.FISCAL_SETUP,
    "fiscal.serviceseries": Capability.FISCAL_SETUP,
    "fiscal.serviceprint": Capability.FISCAL_FILES,
    "fiscal.rpsbatch": Capability.FISCAL_FILES,
    "fiscal.municipalparameter": None,
    "fiscal.receivednfe": Capability.FISCAL_FILES,
    "fiscal.receivednfse": Capability.FISCAL_FILES,
    "fiscal.receiveddocument": Capability.FISCAL_FILES,
    "fiscal.manifestation": Capability.FISCAL_FILES,
    "fiscal.distributioncursor": Capability.FISCAL_FILES,
    "fiscal.consumption": None,
}


def grant(role: str, capability: Capability) -> Grant:
    """What `role` has of `capability`; an unknown role has nothing."""
    if role not in Role.__members__.values():
        return Grant(Level.NONE)
    return PERMISSIONS[capability][Role(role)]


def can(role: str, capability: Capability, *, write: bool = False) -> bool:
    """May `role` use `capability` (read only unless `write`)?"""
    level = grant(role, capability).level
    return level is Level.FULL or (level is Level.READ and not write)


def role_in(user: User, account: Account) -> str:
    """The user's staff role in the account, "" when none; the operator acts as admin."""
    if user.is_superuser:
        return Role.ADMIN
    return user.roles.get(account.pk, "")


def accounts_of(user: User, capability: Capability | None, *, write: bool = False) -> list[int]:
    """Ids of the accounts in which the user's role has `capability`. Not for the operator."""
    if capability is None:
        return []
    return [pk for pk, role in user.roles.items() if can(role, capability, write=write)]


def may_use_model(user: User, perm: str) -> bool:
    """Django's "app.action_model" question, for some account that the user works for."""
    if user.is_superuser:
        return True
    app, _, rest = perm.partition(".")
    action, _, model = rest.partition("_")
    capability = MODEL_CAPABILITIES.get(f"{app}.{model}")
    return bool(accounts_of(user, capability, write=action != "view"))
