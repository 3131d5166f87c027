"""Help, the privacy notice, and their texts in the back-office (P05 area 5, §1.5)."""

from __future__ import annotations

from django.test import Client
from support.portal_queries import asked

from accounts.models import User
from billing.models import HelpArticle, OrganizationProfile

HELP, ARTICLE, PRIVACY = (
    "/central/ajuda/", "/central/ajuda/como-ler-sua-fatura/", "/central/privacidade/",
)  # fmt: skip


def text_of(element):
    return " ".join(element.text_content().split())


def test_help_is_for_everybody(central, page, demo):
    HelpArticle.objects.create(account=demo, slug="visita", title="Visita técnica", body="Ligue.")
    for client in (central(), central("leitura@aurora.test"), Client()):
        tree = page(client, HELP)
        assert tree.get_element_by_id("suporte") is not None
        assert "Como ler sua fatura" in text_of(tree)
        assert len(page(client, ARTICLE).cssselect("article p")) == 5
    # Whose customer somebody is, is known once they have signed in.
    assert "Visita técnica" in text_of(page(central(), HELP))
    assert "Visita técnica" not in text_of(page(Client(), HELP))
    assert Client().get(f"{HELP}visita/").status_code == 404
    assert central().get(f"{HELP}nada/").status_code == 404


def test_support_is_reached_as_the_organization_says(central, page):
    OrganizationProfile.objects.update(support_email="sac@demo.test", support_phone="1140041234")

    text = text_of(page(central(), HELP))

    assert "sac@demo.test" in text
    assert "(11) 4004-1234" in text
    assert "sac@demo.test" not in text_of(page(Client(), HELP))


def test_the_notice_names_the_controller_or_is_their_own(central, page):
    OrganizationProfile.objects.update(privacy_notice="")
    shipped = text_of(page(central(), PRIVACY))
    assert "Demo Serviços Ltda, CNPJ 12.345.678/0001-95," in shipped
    for part in ("LGPD", "Cookies", "Seus direitos", "Encarregado (DPO)", "prazo"):
        assert part in shipped
    assert "A empresa que emite as suas faturas" in text_of(page(Client(), PRIVACY))

    OrganizationProfile.objects.update(
        privacy_notice="Primeiro.\n\n<b>Segundo</b>.", dpo_name="Ana DPO", dpo_email="dpo@demo.test"
    )
    tree = page(central(), PRIVACY)
    assert "Primeiro." in text_of(tree)
    assert "<b>Segundo</b>" in text_of(tree)
    assert "LGPD" not in text_of(tree)
    section = text_of(tree.cssselect("section[aria-labelledby=encarregado]")[0])
    assert section == "Encarregado (DPO) Ana DPO: dpo@demo.test"


def test_the_footer_leads_there_from_every_page(central, page):
    links = [a.get("href") for a in page(central(), "/central/").cssselect("footer a")]

    assert links == [HELP, PRIVACY, f"{PRIVACY}#encarregado"]


def test_they_ask_little(central):
    for path in (HELP, ARTICLE, PRIVACY):
        answer, n = asked(central(), path)
        assert answer.status_code == 200
        assert n <= 15


def test_staff_write_articles(demo, client):
    client.force_login(User.objects.get(email="admin@demo.test"))
    new = "/admin/billing/helparticle/add/"
    assert client.get(new).status_code == 200

    form = {"slug": "boleto", "title": "Boleto", "body": "Um.\n\nDois.", "position": 3}
    answer = client.post(new, {"account": demo.pk, "is_published": "on", **form})

    assert answer.status_code == 302, answer.content.decode()
    assert HelpArticle.objects.get(account=demo, slug="boleto").title == "Boleto"
    again = client.post(new, {"account": demo.pk, **form})
    assert again.status_code == 200  # the name is taken
    client.force_login(User.objects.get(email="suporte@demo.test"))
    assert client.get(new).status_code == 403
