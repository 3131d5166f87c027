"""Help articles of the customers' pages (P05, area 5)."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin, TenantForm
from billing.admin.sections import CUSTOMERS
from billing.help_texts import SHIPPED
from billing.models import HelpArticle

_WRITTEN = ("slug", "title", "body", "position", "is_published")
_NAMES = ", ".join(text.slug for text in SHIPPED)


class HelpArticleForm(TenantForm):
    class Meta:
        help_texts = {
            "slug": (
                "O último pedaço do endereço. Para trocar um texto do produto, use o nome dele: "
                f"{_NAMES}."
            ),
            "body": "Separe os parágrafos com uma linha em branco. O texto aparece como está.",
            "is_published": "Desmarcado, não aparece; nem o texto do produto de mesmo nome.",
        }


@admin.register(HelpArticle)
class HelpArticleAdmin(TenantAdmin):
    """Texts that customers read in their pages; those of the product stay until one is replaced."""

    section = CUSTOMERS
    form = HelpArticleForm
    may_add = True
    may_delete = True
    list_display = ("title", "slug", "position", "is_published", "updated_at")
    list_filter = ("is_published",)
    search_fields = ("title", "slug", "body")
    ordering = ("position", "title")
    editable = _WRITTEN
    fields = (*_WRITTEN, "updated_at")
