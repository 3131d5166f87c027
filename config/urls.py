"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.views import health_check, worker_health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("billing.api.v1.urls")),
    path("crm/", include("billing.api.urls")),
    path("health_check", health_check),
    path("health/worker", worker_health),
]
