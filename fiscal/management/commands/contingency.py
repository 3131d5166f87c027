"""manage.py contingency: what is in contingency; EPEC by order of an operator, and the way back."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fiscal.authorities import tables
from fiscal.authorities.base import NotOffered
from fiscal.models import Company, Contingency
from fiscal.services import contingency
from lib import clock
from lib.br import normalise_document

LEAST, MOST = 15, 256  # xJust of the layout


class Command(BaseCommand):
    help = (
        "Mostra as contingências abertas. Com --epec UF, as NF-e da UF (ou da empresa de --cnpj) "
        "passam a ser emitidas por EPEC; com --leave ID, voltam à SEFAZ de origem."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--epec", metavar="UF", help="entra em EPEC")
        parser.add_argument("--leave", metavar="ID", type=int, help="encerra uma contingência")
        parser.add_argument("--cnpj", default="", help="só para esta empresa")
        parser.add_argument(
            "--ambiente", choices=("producao", "homologacao"), default="producao",
        )  # fmt: skip
        parser.add_argument("--reason", default="", metavar="TEXTO", help="vai na nota (xJust)")
        parser.add_argument("--by", default="operador", metavar="NOME", help="quem decidiu")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["epec"]:
            self._enter(options)
        if options["leave"]:
            self._leave(options["leave"])
        for row in Contingency.objects.filter(left_at=None).select_related("company"):
            whose = f" · {row.company}" if row.company else ""
            by = row.entered_by or "sistema"
            since = f"{row.entered_at:%d/%m/%Y %H:%M} UTC"
            self.stdout.write(f"{row.pk}: {row} · {row.ambiente}{whose} · {by}, {since}")

    def _enter(self, options: dict[str, Any]) -> None:
        uf, reason = options["epec"].upper(), " ".join(options["reason"].split())
        try:
            tables.state(uf)
        except NotOffered as error:
            raise CommandError(str(error)) from error
        if not LEAST <= len(reason) <= MOST:
            raise CommandError(f"--reason deve ter de {LEAST} a {MOST} caracteres.")
        for company in self._companies(uf, options["cnpj"]):
            row = contingency.enter(
                uf=uf, modelo=contingency.NFE, ambiente=options["ambiente"],
                mode=contingency.EPEC, reason=reason, now=clock.now(),
                by=options["by"] or "operador", company=company,
            )  # fmt: skip
            if row.mode != contingency.EPEC:
                raise CommandError(f"Já em contingência: {row} ({row.pk}). Encerre-a antes.")

    def _companies(self, uf: str, cnpj: str) -> list[Company | None]:
        """The companies of a CNPJ, one for each account that has it; None is the whole UF."""
        if not cnpj:
            return [None]
        rows = Company.objects.filter(cnpj=normalise_document(cnpj), uf=uf, removed_at=None)
        found: list[Company | None] = list(rows)
        if not found:
            raise CommandError(f"Não há empresa de CNPJ {cnpj} em {uf}.")
        return found

    def _leave(self, pk: int) -> None:
        row = Contingency.objects.filter(pk=pk, left_at=None).first()
        if row is None:
            raise CommandError(f"Não há contingência aberta de número {pk}.")
        contingency.leave(row, now=clock.now())
