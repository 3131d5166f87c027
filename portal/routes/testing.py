"""Switches of the acceptance tests; only with TEST_ROUTES (ux §1.6)."""

from django.urls import path

from portal.views import testing

urlpatterns = [
    path("componentes/", testing.components, name="teste-componentes"),
    path("formatos/", testing.formats, name="teste-formatos"),
    path("emails/", testing.emails, name="teste-emails"),
    path("falha/<str:service>/<str:state>/", testing.failure, name="teste-falha"),
    path("hoje/<str:day>/", testing.today, name="teste-hoje"),
]
