"""Finding documents among millions: filters and searches that an index answers."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from fiscal.models import WAITING, Company, FiscalDocument, State
from lib import clock
from lib.br import normalise_document

COUNTED = 10_000
# Names have no index: without a period they are looked for among the documents of these days.
NAMED_WITHIN = timedelta(days=90)
_KEY = re.compile(r"[0-9A-Z]{44}")
_REF = re.compile(r"[A-Za-z0-9_.-]{1,255}")
LAST_ID = 2**31 - 1


class BoundedPaginator(Paginator):
    """Counts up to `COUNTED` rows: what is beyond is reached by narrowing the list."""

    @cached_property
    def ids(self) -> list[int]:
        """Of the rows, in their order: counted and shown from one walk over the table."""
        rows: Any = self.object_list
        return list(rows.values_list("pk", flat=True)[:COUNTED])

    @cached_property
    def count(self) -> int:
        return len(self.ids)

    def rows_of(self, number: int) -> QuerySet[Any]:
        """The rows of a page."""
        rows: Any = self.object_list
        first = (number - 1) * self.per_page
        found: QuerySet[Any] = rows.filter(pk__in=self.ids[first : first + self.per_page])
        return found


class BoundedList(ChangeList):
    """A list whose filter, rare as its rows may be, is asked once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if isinstance(self.paginator, BoundedPaginator):
            self.result_list = self.paginator.rows_of(self.page_num)


class CompanyFilter(admin.SimpleListFilter):
    """By company, of those that the person sees."""

    title, parameter_name = "empresa", "empresa"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        rows = companies_in_sight(request, model_admin).order_by("nome", "pk")
        return [(pk, nome) for pk, nome in rows.values_list("pk", "nome")[:50]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(company_id=int(value)) if is_id(value) else queryset


class StateFilter(admin.SimpleListFilter):
    """By state, and by what a clerk looks for: what waits, what is to be looked at."""

    title, parameter_name = "situação", "situacao"
    GROUPS = {
        "esperando": WAITING,
        "atencao": (State.REJEITADO, State.CONFLITO, State.DENEGADO, State.INDEFINIDO),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        brief = (State.RECEBIDO, State.ASSINADO, State.TRANSMITINDO, State.EM_LOTE, State.EPEC)
        own = [(state.value, state.label) for state in State if state not in brief]
        return [("esperando", "Esperando"), ("atencao", "Pede atenção"), *own]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value in self.GROUPS:
            return queryset.filter(state__in=self.GROUPS[value])
        return queryset.filter(state=value) if value in State.values else queryset


class ModelFilter(admin.SimpleListFilter):
    title, parameter_name = "modelo", "modelo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("55", "NF-e"), ("65", "NFC-e")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(modelo=int(value)) if value in ("55", "65") else queryset


class EnvironmentFilter(admin.SimpleListFilter):
    title, parameter_name = "ambiente", "ambiente"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("producao", "Produção"), ("homologacao", "Homologação")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = dict(self.lookup_choices)
        value = self.value() or ""
        return queryset.filter(ambiente=value) if value in known else queryset


class ContingencyFilter(admin.SimpleListFilter):
    title, parameter_name = "contingência", "contingencia"
    _CHOICES = {
        "sim": ~Q(tp_emis=1),
        "pendente": Q(tp_emis=9, is_effected=False, state__in=WAITING),
        "nao": Q(tp_emis=1),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("sim", "Emitido em contingência"), ("pendente", "A efetivar"), ("nao", "Normal")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self._CHOICES.get(self.value() or "")
        return queryset.filter(chosen) if chosen else queryset


class PeriodFilter(admin.SimpleListFilter):
    """By the day on which the document arrived, in São Paulo."""

    title, parameter_name = "período", "periodo"
    _DAYS = {"hoje": 0, "7": 6, "30": 29, "90": 89}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("hoje", "Hoje"), ("7", "7 dias"), ("30", "30 dias"), ("90", "90 dias")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        days = self._DAYS.get(self.value() or "")
        return queryset if days is None else queryset.filter(created_at__gte=_midnight(days))


def _midnight(days_ago: int) -> datetime:
    day = clock.today() - timedelta(days=days_ago)
    return datetime.combine(day, time(), ZoneInfo(clock.SAO_PAULO))


def is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text[:11]) <= LAST_ID


def companies_in_sight(request: HttpRequest, screen: Any) -> QuerySet[Company]:
    """Companies of the accounts whose documents the person sees."""
    accounts = screen.visible_accounts(request)
    rows: QuerySet[Company] = Company.objects.filter(account__in=accounts)
    return rows


def search(
    queryset: QuerySet[Any], text: str, *, companies: QuerySet[Company], has_period: bool
) -> QuerySet[Any]:
    """Documents by key, number, ref, or else by recipient.

    Key, number and ref are whole; a recipient's name is found by any part of it.
    """
    text = text.strip()
    bare = re.sub(r"[\s.\-/]", "", text).upper()
    if _KEY.fullmatch(bare):
        return queryset.filter(chave=bare)
    # Company, environment and model stand first in the indexes of number and ref.
    rows = FiscalDocument.objects.filter(
        company__in=companies.values("pk"),
        ambiente__in=("producao", "homologacao"),
        modelo__in=(55, 65),
    )
    exact = Q(pk__in=[])
    if bare.isascii() and bare.isdecimal() and len(bare) <= 9:
        exact |= Q(pk__in=rows.filter(numero=int(bare)).values("pk"))
    if _REF.fullmatch(text):
        exact |= Q(pk__in=rows.filter(ref=text, superseded_by=None).values("pk"))
    found = queryset.filter(exact)
    return found if found.exists() else _of_recipient(queryset, text, has_period=has_period)


def _of_recipient(queryset: QuerySet[Any], text: str, *, has_period: bool) -> QuerySet[Any]:
    if not has_period:
        queryset = queryset.filter(created_at__gte=clock.now() - NAMED_WITHIN)
    wanted = Q(recipient_name__icontains=text)
    document = normalise_document(text)
    if document:
        wanted |= Q(recipient_document=document)
    return queryset.filter(wanted)
