"""Disputes and notices (P09, P18)."""

from django.urls import path

from portal.views import disputes, preferences

urlpatterns = [
    path("faturas/<fatura:number>/contestar/", disputes.open_dispute, name="portal-contestar"),
    path("contestacoes/", disputes.listing, name="portal-contestacoes"),
    path("contestacoes/<str:protocol>/", disputes.thread, name="portal-contestacao"),
    path("contestacoes/<str:protocol>/encerrar/", disputes.end, name="portal-contestacao-encerrar"),
    path(
        "contestacoes/<str:protocol>/anexos/<int:file_id>/", disputes.attachment,
        name="portal-contestacao-anexo",
    ),
    path("preferencias/", preferences.show, name="portal-preferencias"),
    path("preferencias/emails/", preferences.add_address, name="portal-email-incluir"),
    path("preferencias/emails/remover/", preferences.remove_address, name="portal-email-remover"),
    path("preferencias/link/<str:token>/", preferences.by_link, name="public-preferences"),
    path(
        "preferencias/confirmar/<str:token>/", preferences.confirm_address,
        name="public-billing-address",
    ),
]  # fmt: skip
