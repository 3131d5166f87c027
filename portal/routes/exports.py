"""Exports and long work (P19, B19 for customers)."""

from django.urls import path

from portal.views import exports

urlpatterns = [
    path("exportar/", exports.ask, name="portal-exportar"),
    path("tarefas/<int:job_id>/", exports.job, name="portal-tarefa"),
    path("tarefas/<int:job_id>/arquivo/", exports.file, name="portal-exportacao"),
    path("tarefas/<int:job_id>/relatorio/", exports.report, name="portal-tarefa-erros"),
]
