"""Every address of the customers' pages."""

from django.conf import settings
from django.urls import include, path

urlpatterns = [
    path("", include("portal.routes.public")),
    path("central/", include("portal.routes.entry")),
    path("central/", include("portal.routes.home")),
    path("central/", include("portal.routes.invoices")),
    path("central/", include("portal.routes.paying")),
    path("central/", include("portal.routes.disputes")),
    path("central/", include("portal.routes.contracts")),
    path("central/", include("portal.routes.company")),
    path("central/", include("portal.routes.exports")),
]
if settings.TEST_ROUTES:
    urlpatterns.append(path("__teste__/", include("portal.routes.testing")))
