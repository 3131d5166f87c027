"""Finding service notes among millions: filters and searches that an index answers."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from fiscal.admin.document_lists import NAMED_WITHIN, companies_in_sight
from fiscal.models import Company, NoteState, ServiceNote, ServiceSeries
from fiscal.tables import places
from lib import clock
from lib.br import normalise_document

_KEY = re.compile(r"[0-9A-Z]{50}")
_REF = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_BRIEF = (NoteState.RECEBIDO, NoteState.ASSINADO, NoteState.TRANSMITINDO)
_N = NoteState
AMBIENTES, TYPES = ("producao", "homologacao"), ("nfse", "nfsen")
_LONGEST_NUMBER = 15


class NoteStateFilter(admin.SimpleListFilter):
    """By state, and by what a clerk looks for: what waits, what is to be looked at."""

    title, parameter_name = "situação", "situacao"
    GROUPS = {
        "esperando": (_N.RECEBIDO, _N.ASSINADO, _N.TRANSMITINDO, _N.EM_LOTE, _N.INDEFINIDO),
        "atencao": (_N.REJEITADO, _N.CONFLITO, _N.INDEFINIDO, _N.CANCELAMENTO_EM_ANALISE),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = [(state.value, state.label) for state in NoteState if state not in _BRIEF]
        return [("esperando", "Esperando"), ("atencao", "Pede atenção"), *own]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value in self.GROUPS:
            return queryset.filter(state__in=self.GROUPS[value])
        return queryset.filter(state=value) if value in NoteState.values else queryset


class TypeFilter(admin.SimpleListFilter):
    title, parameter_name = "tipo", "tipo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in ServiceNote.Tipo.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(tipo=value) if value in TYPES else queryset


class CityFilter(admin.SimpleListFilter):
    """By the city that issues, of those that the companies in sight number notes for."""

    title, parameter_name = "município", "municipio"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        companies = companies_in_sight(request, model_admin)
        rows = ServiceSeries.objects.filter(company__in=companies).exclude(municipality="")
        codes = sorted(set(rows.values_list("municipality", flat=True)[:50]))
        return [(code, _name(code)) for code in codes]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(municipality=value) if places.municipality(value) else queryset


def _name(code: str) -> str:
    place = places.municipality(code)
    return f"{place.name} – {place.uf}" if place else code


def search(
    queryset: QuerySet[Any], text: str, *, companies: QuerySet[Company], has_period: bool
) -> QuerySet[Any]:
    """Notes of a key, a number, an RPS or a ref, all of them whole; else of a taker.

    A taker's name is found by any part of it.
    """
    text = text.strip()
    bare = re.sub(r"[\s.\-/]", "", text).upper()
    if _KEY.fullmatch(bare):
        return queryset.filter(key=bare)
    # Company, environment and type stand first in the indexes of ref and RPS.
    rows = ServiceNote.objects.filter(
        company__in=companies.values("pk"), ambiente__in=AMBIENTES, tipo__in=TYPES
    )
    exact = Q(pk__in=[])
    if bare.isascii() and bare.isdecimal() and len(bare) <= _LONGEST_NUMBER:
        of_companies = ServiceNote.objects.filter(company__in=companies.values("pk"))
        exact |= Q(pk__in=of_companies.filter(number=bare.lstrip("0") or "0").values("pk"))
        exact |= Q(pk__in=rows.filter(rps_number=int(bare)).values("pk"))
    if _REF.fullmatch(text):
        exact |= Q(pk__in=rows.filter(ref=text).values("pk"))
    found = queryset.filter(exact)
    return found if found.exists() else _of_taker(queryset, text, has_period=has_period)


def _of_taker(queryset: QuerySet[Any], text: str, *, has_period: bool) -> QuerySet[Any]:
    if not has_period:
        queryset = queryset.filter(created_at__gte=clock.now() - NAMED_WITHIN)
    wanted = Q(taker_name__icontains=text)
    document = normalise_document(text)
    if document:
        wanted |= Q(taker_document=document)
    return queryset.filter(wanted)
