"""Invoices month by month and one by one, and their files (P06, P07)."""

from django.urls import path

from portal.views import invoice, invoice_acts, invoice_files, invoices

urlpatterns = [
    path("faturas/", invoices.listing, name="portal-faturas"),
    path("faturas/<fatura:number>/", invoice.detail, name="portal-fatura"),
    path("faturas/<fatura:number>/pdf/", invoice_files.pdf, name="portal-fatura-pdf"),
    path(
        "faturas/<fatura:number>/pdf/situacao/", invoice_files.pdf_state, name="portal-pdf-estado"
    ),
    path("faturas/<fatura:number>/recibo/", invoice_files.last_receipt, name="portal-recibo"),
    path(
        "faturas/<fatura:number>/recibo/<int:payment_id>/",
        invoice_files.receipt,
        name="portal-comprovante",
    ),
    path(
        "faturas/<fatura:number>/notas/<int:note_id>.<str:kind>",
        invoice_files.note,
        name="portal-nota",
    ),
    path("faturas/<fatura:number>/enviar/", invoice_acts.send, name="portal-enviar"),
    path("faturas/<fatura:number>/compartilhar/", invoice_acts.share, name="portal-compartilhar"),
]
