"""Why documents do not leave: what stops a company, its authority and its taxpayer (§8.4–§9).

Read for many companies at once, in a fixed number of queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from accounts.admin_display import Tone
from fiscal.authorities import registry
from fiscal.authorities.base import NotOffered
from fiscal.models import AuthorityStatus, Certificate, Company, Consumption, Contingency
from fiscal.services import company_queue, consumption
from fiscal.services.certificates import WARNING_DAYS
from fiscal.services.consumption import Service
from lib.templatetags.br import data, data_hora

SVC_NAMES = registry.SVC


@dataclass(frozen=True)
class Reason:
    """One thing that holds documents back, or soon will; `what` is its kind, for the templates."""

    what: str
    tone: Tone
    title: str
    text: str


class Outlook:
    """What is known about these companies at that moment."""

    def __init__(self, companies: Iterable[Company], *, now: datetime) -> None:
        self.now = now
        rows = {company.pk: company for company in companies}
        bases = {_base(company) for company in rows.values()}
        self._blocks: dict[tuple[str, str, str], list[Consumption]] = defaultdict(list)
        for block in Consumption.objects.filter(base__in=bases, blocked_until__gt=now):
            self._blocks[block.base, block.ambiente, block.service].append(block)
        self._statuses = list(AuthorityStatus.objects.exclude(open_until=None))
        self._contingencies = list(
            Contingency.objects.filter(Q(company=None) | Q(company__in=rows), left_at=None)
        )
        self._ends: dict[int, datetime] = {}
        kept = Certificate.objects.filter(company__in=rows, not_before__lte=now)
        for company_id, ends in kept.values_list("company_id", "not_after"):
            self._ends[company_id] = max(ends, self._ends.get(company_id, ends))

    def reasons(self, company: Company, *, ambiente: str, modelo: int) -> list[Reason]:
        """What holds the documents of that kind, the company's own reasons first."""
        contingency = self.contingency(company, ambiente=ambiente, modelo=modelo)
        found = [
            *self.certificate(company),
            *self.stopped(company, ambiente),
            *self.throttled(company, ambiente),
            *self._down(company, ambiente, modelo, contingency),
        ]
        return [*found, *([_way(contingency)] if contingency else [])]

    def certificate(self, company: Company) -> list[Reason]:
        ends = self._ends.get(company.pk)
        if ends is None:
            text = "A empresa não tem certificado A1 válido: nada pode ser assinado."
            return [Reason("certificado", "danger", "Sem certificado", text)]
        if ends <= self.now:
            text = f"Vencido em {data(ends)}. Envie um certificado A1 novo."
            return [Reason("certificado", "danger", "Certificado vencido", text)]
        days = (ends - self.now).days
        if days > WARNING_DAYS[1]:
            return []
        text = f"Vence em {data(ends)}, daqui a {days} dia(s)."
        return [Reason("certificado", "warning", "Certificado no fim", text)]

    def stopped(self, company: Company, ambiente: str) -> list[Reason]:
        rows = self._blocks[_base(company), ambiente, company_queue.SERVICE]
        until = max((_until(row) for row in rows if row.subject == str(company.pk)), default=None)
        if until is None:
            return []
        text = (
            "A SEFAZ recusou um documento por um erro de configuração da empresa. Os outros "
            f"esperam até {data_hora(until)}, quando um deles tenta de novo."
        )
        return [Reason("parada", "danger", "Empresa parada", text)]

    def throttled(self, company: Company, ambiente: str) -> list[Reason]:
        """656: blocks of a whole service; those of one subject are of one document."""
        found = []
        for service in (Service.AUTHORIZE, Service.CONSULT, Service.EVENT, Service.VOID):
            rows = self._blocks[_base(company), ambiente, service]
            whole = [_until(row) for row in rows if row.subject == consumption.WHOLE_SERVICE]
            if whole:
                text = f"Voltaremos a chamar o serviço de {_NAMES[service]} em "
                text += f"{data_hora(max(whole))}. Não reenvie antes: prolonga o bloqueio."
                found.append(Reason("656", "warning", "Consumo indevido (656)", text))
        return found

    def contingency(self, company: Company, *, ambiente: str, modelo: int) -> Contingency | None:
        """The company's own before its UF's."""
        fits = [
            one
            for one in self._contingencies
            if (one.uf, one.modelo, one.ambiente) == (company.uf, modelo, ambiente)
            and one.company_id in (None, company.pk)
        ]
        return max(fits, key=lambda one: one.company_id or 0, default=None)

    def _down(
        self, company: Company, ambiente: str, modelo: int, contingency: Contingency | None
    ) -> list[Reason]:
        if not company.uf:
            return []
        tp_emis = contingency.mode if contingency and contingency.mode in SVC_NAMES else 1
        try:
            route = registry.route(uf=company.uf, modelo=modelo, ambiente=ambiente, tp_emis=tp_emis)
        except NotOffered:
            return []
        key = (route.authority, route.modelo, route.ambiente)
        for row in self._statuses:
            same = (row.authority, row.modelo, row.ambiente) == key
            if same and row.uf in ("", route.uf):
                since = f" desde {data_hora(row.failing_since)}" if row.failing_since else ""
                said = f": {row.c_stat} – {row.x_motivo}" if row.c_stat else ""
                text = f"{route.authority} não responde{since}{said}. Perguntamos a cada 3 minutos."
                return [Reason("fora", "danger", "SEFAZ fora do ar", text)]
        return []


_NAMES = {
    Service.AUTHORIZE: "autorização",
    Service.CONSULT: "consulta",
    Service.EVENT: "eventos",
    Service.VOID: "inutilização",
}


def _way(row: Contingency) -> Reason:
    whose = "da UF" if row.company_id is None else "da empresa"
    who = row.entered_by or "sistema"
    text = f"Contingência {whose} desde {data_hora(row.entered_at)}, por {who}: {row.reason}"
    return Reason("contingencia", "info", f"Em contingência {row.get_mode_display()}", text)


def _base(company: Company) -> str:
    return consumption.caller(company.document, "").base


def _until(row: Consumption) -> datetime:
    assert row.blocked_until is not None
    return row.blocked_until
