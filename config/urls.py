"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.views import health_check, worker_health
from billing.api import docs_views
from billing.api.card_pages import card_action, card_return
from billing.api.documents import (
    linked_boleto,
    linked_invoice,
    linked_note_pdf,
    linked_note_xml,
)
from billing.api.files import attached_file
from billing.api.hooks import provider_hook
from fiscal.api.files import routes as file_routes

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("billing.api.v1.urls")),
    path("api/schema", docs_views.schema, name="api-schema"),
    path("api/docs", docs_views.docs, name="api-docs"),
    path("crm/", include("billing.api.urls")),
    path("v2/", include("fiscal.api.urls")),
    *file_routes,
    path("documents/invoices/<str:signed>", linked_invoice),
    path("documents/boletos/<str:signed>.pdf", linked_boleto),
    path("documents/notes/<str:signed>.pdf", linked_note_pdf),
    path("documents/notes/<str:signed>.xml", linked_note_xml),
    path("files/<str:signed>", attached_file),
    path("cartao/<uuid:key>/", card_return, name="card-return"),
    path("cartao/<uuid:key>/confirmar/", card_action, name="card-action"),
    path("", include("portal.urls")),
    path("hooks/<uuid:hook>", provider_hook, name="provider-hook"),
    path("hooks/<uuid:hook>/<path:rest>", provider_hook),
    path("health_check", health_check),
    path("health/worker", worker_health),
]
