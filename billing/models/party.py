"""Organizations, companies and people: one table, one id sequence."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel, User
from billing.models.kept import KeepsSent
from lib.validators import between


class Party(TenantModel, KeepsSent):
    """Someone who bills or is billed (billing-engine §2.1).

    `document` is a CNPJ (14 characters, letters allowed) or CPF (11 digits), without mask. `fold`
    is the name without case and accents, for search.
    """

    class Kind(models.TextChoices):
        ORGANIZATION = "organization", "Organização"
        COMPANY = "company", "Empresa"
        PERSON = "person", "Pessoa física"

    kind = models.CharField("tipo", max_length=12, choices=Kind.choices)
    name = models.CharField("nome", max_length=200)
    company_name = models.CharField("razão social", max_length=200, blank=True)
    document = models.CharField("CNPJ/CPF", max_length=14, blank=True)
    external_code = models.CharField("código externo", max_length=60, blank=True)
    email = models.EmailField("e-mail", blank=True)
    state_inscription = models.CharField("inscrição estadual", max_length=30, blank=True)
    city_inscription = models.CharField("inscrição municipal", max_length=30, blank=True)
    address = models.CharField("logradouro", max_length=200, blank=True)
    number = models.CharField("número", max_length=20, blank=True)
    complement = models.CharField("complemento", max_length=100, blank=True)
    district = models.CharField("bairro", max_length=100, blank=True)
    zipcode = models.CharField("CEP", max_length=8, blank=True)
    city = models.CharField("município", max_length=100, blank=True)
    state = models.CharField("UF", max_length=2, blank=True)
    ibge_code = models.CharField("código IBGE", max_length=7, blank=True)
    country = models.CharField("país", max_length=60, default="Brasil", blank=True)
    phone = models.CharField("telefone", max_length=30, blank=True)
    comments = models.TextField("observações", blank=True)
    client_since = models.DateField("cliente desde", null=True, blank=True)
    language = models.CharField("idioma", max_length=10, default="pt-BR")
    contacts_text = models.TextField("contatos", blank=True)
    billing_contacts = models.TextField("e-mails de cobrança", blank=True)
    nfse_email = models.EmailField("e-mail da NFS-e", blank=True)
    allow_email_on_nfse = models.BooleanField("e-mail na NFS-e", default=False)
    preferred_due_day = models.PositiveSmallIntegerField(
        "dia de vencimento preferido", null=True, blank=True
    )
    due_day_changed_on = models.DateField(
        "dia de vencimento trocado em", null=True, blank=True, editable=False
    )
    is_consumer = models.BooleanField("consumidor final", default=False)
    fold = models.CharField("nome para busca", max_length=200, editable=False)
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "cliente ou organização"
        verbose_name_plural = "clientes e organizações"
        constraints = [
            # Customers are unique together; an organization may also be someone's customer.
            models.UniqueConstraint(
                fields=["account", "document"],
                condition=~Q(document="") & ~Q(kind="organization"),
                name="party_customer_document",
            ),
            models.UniqueConstraint(
                fields=["account", "document"],
                condition=~Q(document="") & Q(kind="organization"),
                name="party_organization_document",
            ),
            models.UniqueConstraint(
                fields=["account", "external_code"],
                condition=~Q(external_code=""),
                name="party_external_code",
            ),
            models.CheckConstraint(
                condition=Q(preferred_due_day=None) | Q(preferred_due_day__range=(1, 31)),
                name="party_due_day",
            ),
        ]
        indexes = [models.Index(fields=["account", "fold"], name="party_fold")]

    def __str__(self) -> str:
        return self.name


class OrganizationProfile(models.Model):
    """What only an issuing organization has: its look, calendar and billing settings."""

    party = models.OneToOneField(
        Party, models.CASCADE, primary_key=True, related_name="profile", verbose_name="organização"
    )
    min_payment_days = models.PositiveSmallIntegerField(
        "prazo mínimo de pagamento", default=5, validators=[between(0, 365)]
    )
    minimum_receivable = models.DecimalField(
        "valor mínimo da parcela", max_digits=15, decimal_places=2, default=0
    )
    due_day_options = models.JSONField("dias de vencimento oferecidos", default=list, blank=True)
    extra_holidays = models.JSONField("feriados locais", default=list, blank=True)
    reissue_days = models.PositiveSmallIntegerField(
        "dias úteis para a 2ª via atualizada", default=5, validators=[between(1, 30)]
    )
    link_days = models.PositiveSmallIntegerField(
        "dias do link público depois do vencimento", default=60, validators=[between(1, 1825)]
    )
    credit_use = models.CharField(
        "uso do crédito do cliente",
        max_length=6,
        choices=[("ask", "Perguntar"), ("oldest", "Abater da parcela mais antiga")],
        default="ask",
    )
    refund_unused_days = models.BooleanField("devolver dias não usados (pré-pago)", default=False)
    logo = models.BinaryField("logotipo", null=True, blank=True)
    logo_type = models.CharField("tipo do logotipo", max_length=30, blank=True)
    color_primary = models.CharField("cor principal", max_length=7, default="#1351B4")
    color_accent = models.CharField("cor de destaque", max_length=7, default="#176B3A")
    website = models.CharField("site", max_length=200, blank=True)
    invoice_notes = models.TextField("observações da fatura", blank=True)
    due_day_change_days = models.PositiveSmallIntegerField(
        "dias entre trocas do dia de vencimento", default=0, validators=[between(0, 365)],
        help_text="0: sem limite.",
    )  # fmt: skip
    dispute_answer_days = models.PositiveSmallIntegerField(
        "dias úteis para responder contestações", default=1, validators=[between(1, 60)]
    )
    dispute_grace_days = models.PositiveSmallIntegerField(
        "dias úteis sem encargos depois de contestação negada",
        default=5,
        validators=[between(0, 60)],
    )
    support_email = models.EmailField("e-mail do suporte", blank=True)
    support_phone = models.CharField("telefone do suporte", max_length=30, blank=True)
    dpo_name = models.CharField("encarregado (DPO)", max_length=200, blank=True)
    dpo_email = models.EmailField("e-mail do encarregado", blank=True)
    privacy_notice = models.TextField("aviso de privacidade", blank=True)

    class Meta:
        verbose_name = "perfil da organização"
        verbose_name_plural = "perfis de organizações"

    def __str__(self) -> str:
        return str(self.party)


class PartySnapshot(models.Model):
    """A party's data as printed on documents, frozen. Append-only; shared by equal documents.

    `digest` is the SHA-256 of the canonical JSON of `data`, so an invoice points to what the party
    was when it was emitted, and 50,000 invoices do not repeat it.
    """

    party = models.ForeignKey(
        Party, models.PROTECT, related_name="snapshots", verbose_name="cliente ou organização"
    )
    digest = models.CharField(max_length=64, verbose_name="resumo")
    data = models.JSONField()
    created_at = models.DateTimeField(verbose_name="congelado em")

    class Meta:
        verbose_name = "dados congelados"
        verbose_name_plural = "dados congelados"
        constraints = [
            models.UniqueConstraint(fields=["party", "digest"], name="snapshot_party_digest")
        ]

    def __str__(self) -> str:
        return str(self.data.get("name", ""))


class Contact(TenantModel):
    """A person to talk to at a customer."""

    party = models.ForeignKey(
        Party, models.CASCADE, related_name="contacts", verbose_name="cliente"
    )
    name = models.CharField("nome", max_length=200)
    email = models.EmailField("e-mail", blank=True)
    phone = models.CharField("telefone", max_length=30, blank=True)
    whatsapp = models.CharField("WhatsApp", max_length=30, blank=True)
    is_billing = models.BooleanField("faturamento", default=False)
    is_primary = models.BooleanField("principal", default=False)
    is_technical = models.BooleanField("técnico", default=False)
    bounced_at = models.DateTimeField("e-mail devolvido em", null=True, blank=True)

    class Meta:
        verbose_name = "contato"
        verbose_name_plural = "contatos"

    def __str__(self) -> str:
        return self.name


class CustomerAccess(TenantModel):
    """A customer's user: which company of the tenant they act for, and how much they may do."""

    class Role(models.TextChoices):
        TITULAR = "titular", "Titular"
        FINANCEIRO = "cliente_financeiro", "Financeiro"
        LEITURA = "cliente_leitura", "Leitura"

    user = models.ForeignKey(
        User, models.CASCADE, related_name="customer_accesses", verbose_name="usuário"
    )
    customer = models.ForeignKey(
        Party, models.CASCADE, related_name="accesses", verbose_name="cliente"
    )
    role = models.CharField("papel", max_length=20, choices=Role.choices)

    class Meta:
        verbose_name = "acesso ao portal"
        verbose_name_plural = "acessos ao portal"
        constraints = [
            models.UniqueConstraint(fields=["user", "customer"], name="customer_access_user")
        ]

    def __str__(self) -> str:
        return f"{self.user} – {self.customer}"
