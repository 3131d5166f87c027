"""Contracts and their end (P12–P14)."""

from django.urls import path

from portal.views import cancellation, contracts

urlpatterns = [
    path("contratos/", contracts.listing, name="portal-contratos"),
    path("contratos/<int:contract_id>/", contracts.detail, name="portal-contrato"),
    path("contratos/<int:contract_id>/contrato.pdf", contracts.pdf, name="portal-contrato-pdf"),
    path("contratos/<int:contract_id>/cancelar/", cancellation.cancel, name="portal-cancelar"),
    path("contratos/<int:contract_id>/desfazer/", cancellation.undo, name="portal-desfazer"),
    path("cancelamento/", cancellation.everything, name="portal-cancelamento"),
]
