"""2ª via, Pix, cards (P08, P10, P11)."""

from django.urls import path

from portal.views import card, cards, pix, second_copy

_INVOICE = "faturas/<fatura:number>/"
_CARDS = "formas-de-pagamento/"

urlpatterns = [
    path(f"{_INVOICE}2via/", second_copy.show, name="portal-2via"),
    path(f"{_INVOICE}2via/reemitir/", second_copy.reissue, name="portal-reemitir"),
    path(f"{_INVOICE}boleto.pdf", second_copy.boleto, name="portal-boleto"),
    path(f"{_INVOICE}pix/", pix.show, name="portal-pix"),
    path(f"{_INVOICE}pix/situacao/", pix.status, name="portal-situacao"),
    path(f"{_INVOICE}atualizar/", pix.refresh, name="portal-atualizar"),
    path(f"{_INVOICE}pagar/", card.pay, name="portal-pagar"),
    path(f"{_INVOICE}pagar/desistir/", card.give_up, name="portal-desistir"),
    path(f"{_INVOICE}pagar/<uuid:key>/", card.result, name="portal-pagamento"),
    path(_CARDS, cards.listing, name="portal-cartoes"),
    path(f"{_CARDS}adicionar/", cards.add, name="portal-cartao-novo"),
    path(f"{_CARDS}adicionar/iniciar/", cards.begin, name="portal-cartao-iniciar"),
    path(f"{_CARDS}adicionar/concluir/", cards.finish, name="portal-cartao-concluir"),
    path(f"{_CARDS}adicionar/pagina/", cards.go_to_page, name="portal-cartao-pagina"),
    path(f"{_CARDS}adicionar/volta/", cards.come_back, name="portal-cartao-volta"),
    path(f"{_CARDS}<int:method_id>/padrao/", cards.make_default, name="portal-cartao-padrao"),
    path(f"{_CARDS}<int:method_id>/remover/", cards.remove, name="portal-cartao-remover"),
]
