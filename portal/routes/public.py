"""Pages behind a public link (P17)."""

from django.urls import path

from portal.views import public_link, public_payment

urlpatterns = [
    path("p/f/<str:token>/", public_link.show, name="public-invoice"),
    path("p/f/<str:token>/pdf/", public_link.pdf, name="public-pdf"),
    path("p/f/<str:token>/novo-link/", public_link.renew, name="public-renew"),
    path("p/f/<str:token>/boleto/<int:position>.pdf", public_payment.boleto, name="public-boleto"),
    path("p/f/<str:token>/2via/<int:position>/", public_payment.second_copy, name="public-2via"),
    path("p/f/<str:token>/pix/<int:position>/", public_payment.pix, name="public-pix"),
    path("p/f/<str:token>/pagar/<int:position>/", public_payment.card, name="public-card"),
    path("p/f/<str:token>/desistir/<int:position>/", public_payment.give_up, name="public-give-up"),
    path("p/f/<str:token>/atualizar/", public_payment.refresh, name="public-refresh"),
]
