"""The company's data and due day (P15, P16)."""

from django.urls import path

from portal.views import company, due_day

urlpatterns = [
    path("dados/", company.edit, name="portal-dados"),
    path("cep/<str:cep>/", company.postal_code, name="portal-cep"),
    path("vencimento/", due_day.choose, name="portal-vencimento"),
]
