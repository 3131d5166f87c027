"""Columns that fiscal's screens have in common, worded for people."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

MODELS = {55: "NF-e", 65: "NFC-e"}
ENVIRONMENTS = {"producao": "Produção", "homologacao": "Homologação"}


class Columns:
    """Of rows that have a company, an environment or a model."""

    @admin.display(description="empresa", ordering="company__nome")
    def issuer(self, row: Any) -> str:
        return str(row.company.nome)

    @admin.display(description="ambiente", ordering="ambiente")
    def environment(self, row: Any) -> str:
        return ENVIRONMENTS.get(row.ambiente, row.ambiente)

    @admin.display(description="modelo", ordering="modelo")
    def kind(self, row: Any) -> str:
        return MODELS.get(row.modelo, str(row.modelo))
