"""E-mails that went out about invoices, their links, and addresses that get none."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from accounts.access import Capability
from accounts.admin_base import TenantAdmin, TenantForm
from accounts.admin_display import Tone, chip
from accounts.admin_trail import actor_in
from accounts.services.audit import Actor
from billing.admin.links import admin_link
from billing.admin.sections import BILLING, CUSTOMERS
from billing.models import Contact, EmailMessage, EmailSuppression, InvoiceLink
from billing.services import links
from billing.services.emails.letters import hidden
from billing.services.emails.manual import send_again
from billing.services.emails.suppressions import release, suppress
from billing.services.links import LinkState
from fiscal.admin.acts import Act, ActingScreen, Done
from fiscal.admin.sections import Right

SEND = Right(Capability.SEND_INVOICE)
_CHIPS: dict[str, tuple[Tone, str]] = {
    EmailMessage.State.QUEUED: ("info", "clock"),
    EmailMessage.State.SENDING: ("info", "half"),
    EmailMessage.State.SENT: ("success", "check"),
    EmailMessage.State.DELIVERED: ("success", "check"),
    EmailMessage.State.BOUNCED: ("danger", "back"),
    EmailMessage.State.FAILED: ("danger", "alert"),
}
_ENDED = (
    EmailMessage.State.SENT,
    EmailMessage.State.DELIVERED,
    EmailMessage.State.BOUNCED,
    EmailMessage.State.FAILED,
)
_LINK_CHIPS: dict[LinkState, tuple[Tone, str, str]] = {
    LinkState.VALID: ("success", "check", "Ativo"),
    LinkState.EXPIRED: ("neutral", "clock", "Expirado"),
    LinkState.REVOKED: ("danger", "stop", "Desativado"),
}
# What was sent was written by staff and by customers: it runs nothing and fetches nothing here.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)


def shown_body(message: EmailMessage) -> str:
    """The text as it is, or the page in a frame that may do nothing."""
    if not message.is_html:
        return format_html('<pre class="mensagem">{}</pre>', hidden(message.body))
    return format_html(
        '<iframe sandbox="" title="Mensagem" width="100%" height="420" srcdoc="{}"></iframe>',
        _POLICY + hidden(message.body),
    )


def shown_files(rows: list[dict[str, Any]]) -> str:
    """Names and sizes, one a line."""
    lines = ((row.get("name", ""), -(-int(row.get("size", 0)) // 1024)) for row in rows)
    return format_html_join("", "{} ({} KB)<br>", lines) or "—"


def _may_send_again(message: EmailMessage) -> bool:
    return message.state in _ENDED and message.invoice_id is not None


def _send_again(message: EmailMessage, data: dict[str, Any], actor: Actor) -> Done:
    send_again(message.pk, account=message.account, actor=actor)
    return Done("A mensagem está na fila de envio.")


def _send_again_notes(message: EmailMessage) -> list[str]:
    told = [f"O mesmo texto, com os mesmos anexos, vai de novo para {message.recipient}."]
    if message.error:
        told.append(f"Da última vez: {message.error}")
    return told


@admin.register(EmailMessage)
class EmailMessageAdmin(ActingScreen):
    """The proof of what was sent: nothing here can be changed (DUN-7)."""

    section = BILLING
    change_form_template = "admin/fiscal/acting_form.html"
    acts = (
        Act(
            slug="reenviar",
            label="Enviar de novo",
            button="Enviar",
            keep="Não enviar",
            right=SEND,
            fits=_may_send_again,
            run=_send_again,
            notes=_send_again_notes,
        ),
    )
    list_display = (
        "recipient",
        "subject",
        "invoice",
        "trigger",
        "situation",
        "error",
        "created_at",
    )
    list_filter = ("state", "trigger")
    list_select_related = ("invoice__series",)
    search_fields = ("recipient__iexact", "=invoice__number", "subject")
    search_help_text = "Endereço por inteiro, número da fatura ou assunto"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "recipient", "is_copy", "contact", "customer", "invoice", "trigger",
                    "situation", "error", "sender", "subject", "message", "files", "links_sent",
                )
            },
        ),
        (
            "Envio",
            {
                "fields": (
                    "template", "link", "gateway", "external_id", "answer", "attempts",
                    "next_attempt_at", "created_at", "sent_at", "delivered_at", "opened_at",
                )
            },
        ),
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return str(row.state)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())

    @admin.display(description="situação", ordering="state")
    def situation(self, message: EmailMessage) -> str:
        return chip(*_CHIPS[message.state], message.get_state_display())

    @admin.display(description="mensagem")
    def message(self, message: EmailMessage) -> str:
        return shown_body(message)

    @admin.display(description="anexos")
    def files(self, message: EmailMessage) -> str:
        return shown_files(message.attached)

    @admin.display(description="enviado como link")
    def links_sent(self, message: EmailMessage) -> str:
        return shown_files(message.linked)


# --- links --------------------------------------------------------------------------------------


def _may_revoke(link: InvoiceLink) -> bool:
    return link.revoked_at is None


def _revoke(link: InvoiceLink, data: dict[str, Any], actor: Actor) -> Done:
    links.revoke(link.pk, account=link.account, actor=actor)
    return Done("O link foi desativado.")


def _revoke_notes(link: InvoiceLink) -> list[str]:
    return [
        f"O link de {link.recipient or 'qualquer pessoa'} para a fatura {link.invoice} deixa de "
        "funcionar agora e não volta. Os outros links da fatura continuam.",
    ]


@admin.register(InvoiceLink)
class InvoiceLinkAdmin(ActingScreen):
    """Who can see and pay an invoice without signing in."""

    section = BILLING
    change_form_template = "admin/fiscal/acting_form.html"
    acts = (
        Act(
            slug="desativar",
            label="Desativar",
            button="Desativar o link",
            keep="Manter o link",
            right=SEND,
            fits=_may_revoke,
            run=_revoke,
            notes=_revoke_notes,
            is_danger=True,
        ),
    )
    list_display = ("invoice", "recipient", "situation", "expires_at", "opens", "last_opened_at")
    list_select_related = ("invoice__series",)
    search_fields = ("recipient__iexact", "=invoice__number")
    search_help_text = "Endereço por inteiro ou número da fatura"
    ordering = ("-pk",)
    fields = (
        "invoice", "recipient", "contact", "situation", "page", "scopes", "expires_at",
        "revoked_at", "opens", "last_opened_at", "created_at",
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return links.state_of(row).value

    def standing_label(self, row: Any) -> str:
        return _LINK_CHIPS[links.state_of(row)][2]

    @admin.display(description="situação")
    def situation(self, link: InvoiceLink) -> str:
        return chip(*_LINK_CHIPS[links.state_of(link)])

    @admin.display(description="endereço")
    def page(self, link: InvoiceLink) -> str:
        return links.address(link) if links.state_of(link) is LinkState.VALID else "—"


# --- suppressions -------------------------------------------------------------------------------


class SuppressionForm(TenantForm):
    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"]).strip().lower()
        try:
            validate_email(address)
        except ValidationError as error:
            raise forms.ValidationError("E-mail inválido.") from error
        return address


@admin.register(EmailSuppression)
class EmailSuppressionAdmin(TenantAdmin):
    """Removing one writes to the address again; services do both and tell the trail."""

    section = CUSTOMERS
    form = SuppressionForm
    may_add = True
    may_delete = True
    only_on_add = ("address", "detail")
    list_display = ("address", "reason", "detail", "created_at")
    list_filter = ("reason",)
    search_fields = ("=address",)
    ordering = ("-pk",)
    fields = ("address", "reason", "detail", "contacts", "created_at")

    @admin.display(description="contatos")
    def contacts(self, row: EmailSuppression) -> str:
        found = Contact.objects.of(row.account).filter(email__iexact=row.address)
        return format_html_join(", ", "{}", ((admin_link(one),) for one in found)) or "—"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        kept = suppress(
            obj.account,
            obj.address,
            reason=EmailSuppression.Reason.MANUAL,
            detail=obj.detail,
            actor=actor_in(request),
        )
        obj.pk, obj.reason, obj.created_at = kept.pk, kept.reason, kept.created_at

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        release(obj.pk, account=obj.account, actor=actor_in(request))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """`suppress` has told it."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """`release` will tell it."""
