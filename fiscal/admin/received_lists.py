"""Finding received notes: what is pending and until when, by key, CNPJ, number or name (DIS-6)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from fiscal.admin.columns import ENVIRONMENTS
from fiscal.admin.document_lists import COUNTED
from fiscal.admin.received_acts import TO_JUDGE, TO_KNOW
from fiscal.models import ReceivedNfe, Source
from lib import clock
from lib.br import normalise_document

_M = ReceivedNfe.Manifestacao
_PENDING = ("", _M.CIENCIA)
_KEY = re.compile(r"[0-9A-Z]{44}|[0-9A-Z]{50}")
_PUNCTUATION = re.compile(r"[\s.\-/]")
SOON = timedelta(days=3)


class PendingFilter(admin.SimpleListFilter):
    """What the company still has to say."""

    title, parameter_name = "pendência", "pendencia"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("ciencia", "Sem ciência"),
            ("conclusiva", "Sem manifestação conclusiva"),
            ("feita", "Manifestada"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        pending = {"ciencia": ("",), "conclusiva": _PENDING}.get(self.value() or "")
        if pending is not None:
            return queryset.filter(manifestacao__in=pending).exclude(situacao="cancelada")
        if self.value() == "feita":
            return queryset.exclude(manifestacao__in=_PENDING)
        return queryset


class WordFilter(admin.SimpleListFilter):
    """By the word that counts."""

    title, parameter_name = "manifestação", "manifestacao"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("nenhuma", "Nenhuma"), *((str(one.value), str(one.label)) for one in _M)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value == "nenhuma":
            return queryset.filter(manifestacao="")
        return queryset.filter(manifestacao=value) if value in _M.values else queryset


class DeadlineFilter(admin.SimpleListFilter):
    """By the end of the time for the next word, of notes that still take one (§10)."""

    title, parameter_name = "prazo", "prazo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("breve", "Vence em 3 dias"), ("vencido", "Vencido")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = clock.now()
        wanted = {"breve": _ending(now), "vencido": Q(authorized_at__lt=now - TO_JUDGE)}
        chosen = wanted.get(self.value() or "")
        if chosen is None:
            return queryset
        open_ones = queryset.filter(
            manifestacao__in=_PENDING, situacao=ReceivedNfe.Situacao.AUTORIZADA
        )
        return open_ones.filter(chosen)


def _ending(now: datetime) -> Q:
    """Ciência where there is none, and the conclusive word in any case."""

    def within(term: timedelta) -> Q:
        return Q(authorized_at__gte=now - term, authorized_at__lt=now - term + SOON)

    return within(TO_JUDGE) | (within(TO_KNOW) & Q(manifestacao=""))


class ServiceSourceFilter(admin.SimpleListFilter):
    """Service notes come from a city or from the national system."""

    title, parameter_name = "origem", "origem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.value, str(one.label)) for one in (Source.NFSEN, Source.NFSE)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = dict(self.lookup_choices)
        value = self.value() or ""
        return queryset.filter(source=value) if value in known else queryset


class UnreadFilter(admin.SimpleListFilter):
    """Of everything that was delivered, what nobody could read."""

    title, parameter_name = "leitura", "leitura"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("erro", "Com erro de leitura")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.exclude(error="") if self.value() == "erro" else queryset


class SearchedList(admin.ModelAdmin):
    """A list of notes found as people write them, with its sum and a word for when it is empty."""

    empty_text = ""
    has_number: ClassVar[bool] = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        return search(queryset, search_term, has_number=self.has_number), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        answer = super().changelist_view(request, extra_context)
        context = getattr(answer, "context_data", None) or {}
        if "cl" in context:
            context["empty_text"] = self.empty_text
            context["total_shown"] = sum_of(context["cl"].queryset)
        return answer

    @admin.display(description="empresa", ordering="company__nome")
    def receiver(self, row: Any) -> str:
        environment = ENVIRONMENTS.get(row.ambiente, row.ambiente)
        return format_html("{}<br><small>{}</small>", row.company.nome, environment)


def search(queryset: QuerySet[Any], text: str, *, has_number: bool = False) -> QuerySet[Any]:
    """By key or issuer as people write them, with points and spaces; else by part of the name.

    `has_number`: the rows have a column `number`; else it is read in the key of an NF-e.
    """
    bare = _PUNCTUATION.sub("", text).upper()
    if _KEY.fullmatch(bare):
        return queryset.filter(chave=bare)
    document = normalise_document(text)
    wanted = Q(issuer_name__icontains=text.strip()) | Q(chave=text.strip())
    if document:
        wanted |= Q(issuer_document=document)
    if has_number and bare.isascii() and bare.isdecimal():
        wanted |= Q(number=bare)
    elif bare.isascii() and bare.isdecimal() and len(bare) <= 9:
        # nNF: characters 26 to 34 of the key.
        wanted |= Q(chave__regex=rf"^.{{25}}{bare.zfill(9)}.{{10}}$")
    return queryset.filter(wanted)


def sum_of(queryset: QuerySet[Any]) -> Decimal:
    """The total of the rows, of the first COUNTED at most; added here because of SQLite."""
    totals = queryset.order_by().values_list("total", flat=True)[:COUNTED]
    return sum((total for total in totals if total is not None), Decimal("0.00"))
