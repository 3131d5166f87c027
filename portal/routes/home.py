"""The home page and texts that help (P05)."""

from django.urls import path

from portal.views import help, home

urlpatterns = [
    path("", home.home, name="portal-inicio"),
    path("ajuda/", help.index, name="portal-ajuda"),
    path("ajuda/<slug:slug>/", help.article, name="portal-artigo"),
    path("privacidade/", help.privacy, name="portal-privacidade"),
]
