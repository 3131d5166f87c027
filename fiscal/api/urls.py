"""Addresses of /v2: no trailing slash, and no redirect to one."""

from importlib import import_module

from django.urls import URLPattern, re_path

from fiscal.api.base import UnknownView

# One module per resource; each lists its own addresses in `routes`.
RESOURCES: tuple[str, ...] = (
    "empresas",
    "importacao",
    "danfe",
    "email",
    "backups",
    "lookups",
    "hooks",
    "inutilizacoes",
    "lotes_rps",
    "nfes_recebidas",
    "nfses_recebidas",
    "events",
    "nfse",
    "nfsen",
    # Last: nfe/REF would take every address below nfe/.
    "nfe",
    "nfce",
)

# What is asked for most comes first: each address before it is tried in turn.
ISSUING = ("nfce", "nfe", "nfsen", "nfse")

urlpatterns: list[URLPattern] = sorted(
    (route for resource in RESOURCES for route in import_module(f"fiscal.api.{resource}").routes),
    key=lambda route: str(route.pattern) not in ISSUING,
)
urlpatterns.append(re_path(r"^.*$", UnknownView.as_view()))
