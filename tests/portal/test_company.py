"""The company's data in the portal (P15)."""

from __future__ import annotations

import lxml.html
import pytest
from support.postal_codes import running

from accounts.models import AuditEvent
from billing.models import EmailMessage, Party
from lib.br import cnpj_mask

pytestmark = pytest.mark.django_db

PATH = "/central/dados/"
NUVEM = "titular@nuvem.test"


@pytest.fixture
def service(settings):
    with running() as found:
        settings.CEP_URL = found.url
        yield found


def party(key):
    return Party.objects.get(external_code=f"demo-{key}", account__slug="demo")


def parsed(answer):
    return lxml.html.fromstring(answer.content.decode())


def form_of(tree):
    (form,) = [one for one in tree.forms if "documento" in one.fields]
    # As browsers do: the line break after <textarea> is none of its text.
    values = {name: value.removeprefix("\n") for name, value in form.form_values()}
    del values["csrfmiddlewaretoken"]
    return values


def links(tree):
    """Summary of errors: (text, id of the field that it leads to, whether there is one)."""
    found = tree.xpath("//*[@id='erros']//a")
    return [(a.text_content(), bool(tree.xpath(f"//*[@id='{a.get('href')[1:]}']"))) for a in found]


def test_p15_1_a_cnpj_with_letters_is_reviewed_and_saved(central, page, demo):
    client = central(NUVEM)
    sent = form_of(page(client, PATH))
    assert sent["documento"] == cnpj_mask(party("d").document)

    for wrong, text in (
        ("A1.B2C.3D4/1A2B-63", "CNPJ inválido. Confira os 14 caracteres; letras são aceitas"),
        (cnpj_mask(party("a").document), "Este CNPJ já está cadastrado. Fale com o suporte."),
    ):
        tree = parsed(client.post(PATH, {**sent, "documento": wrong, "complemento": "sala 9"}))
        assert text in tree.xpath("//*[@id='erros']")[0].text_content()
        assert tree.xpath("//input[@name='documento']/@aria-invalid") == ["true"]
        assert form_of(tree)["complemento"] == "sala 9"
    tree = parsed(client.post(PATH, {**sent, "documento": "a1b2c3d41a2b62"}))
    (row,) = tree.xpath("//table[contains(@class, 'mudancas')]/tbody/tr")
    assert "A1.B2C.3D4/1A2B-62" in row.text_content()
    assert party("d").document == "45723174000110"

    answer = client.post(PATH, {**form_of(tree), "acao": "salvar"})

    assert (answer.status_code, answer.url) == (302, PATH)
    assert party("d").document == "A1B2C3D41A2B62"
    tree = page(client, PATH)
    assert "Dados atualizados." in tree.xpath("//div[@role='status']")[0].text_content()
    assert form_of(tree)["documento"] == "A1.B2C.3D4/1A2B-62"
    assert AuditEvent.objects.filter(action="cadastro.alterado").count() == 1


def test_p15_2_without_the_cep_service_everything_goes_on(central, page, demo, service):
    client = central(NUVEM)
    sent = form_of(page(client, PATH))
    service.status = 503
    text = "Não foi possível consultar o CEP agora. Preencha o endereço manualmente."

    answer = client.get("/central/cep/01001000/")
    assert (answer.status_code, answer.json()["mensagem"]) == (503, text)
    tree = parsed(client.post(PATH, {**sent, "cep": "01001-000", "acao": "cep"}))
    assert text in tree.text_content()
    assert form_of(tree)["logradouro"] == "Rua do Céu"
    review = parsed(client.post(PATH, {**form_of(tree), "logradouro": "Rua Nova"}))
    assert client.post(PATH, {**form_of(review), "acao": "salvar"}).status_code == 302
    assert (party("d").address, party("d").zipcode) == ("Rua Nova", "01001000")


def test_p15_3_a_street_typed_by_hand_is_kept(central, page, demo, service):
    client = central(NUVEM)
    sent = form_of(page(client, PATH))
    typed = {**sent, "cep": "01001000", "logradouro": "Minha rua", "bairro": "", "acao": "cep"}

    tree = parsed(client.post(PATH, typed))

    found = form_of(tree)
    assert (found["logradouro"], found["bairro"], found["uf"]) == ("Minha rua", "Sé", "SP")
    # What an earlier lookup filled in, and nobody touched, is replaced.
    again = {**found, "auto_logradouro": "Minha rua", "acao": "cep"}
    assert form_of(parsed(client.post(PATH, again)))["logradouro"] == "Praça da Sé"
    answer = client.get("/central/cep/01001-000/")
    assert (answer.status_code, answer.json()["bairro"]) == (200, "Sé")
    answer = client.get("/central/cep/99999999/")
    assert (answer.status_code, answer.json()["mensagem"]) == (
        404, "CEP não encontrado. Preencha o endereço manualmente.",
    )  # fmt: skip
    assert client.get("/central/cep/123/").json()["mensagem"] == "O CEP deve ter 8 números."
    assert parsed(client.post(PATH, {**typed, "cep": "1"})).text_content().count("8 números")


def test_p15_4_three_errors_lead_to_their_fields(central, page, demo):
    client = central(NUVEM)
    sent = form_of(page(client, PATH))

    tree = parsed(client.post(PATH, {**sent, "nome": " ", "cep": "123", "emails": "x@"}))

    assert tree.findtext(".//title").startswith("Erro: ")
    assert "Corrija 3 erros para continuar" in tree.xpath("//*[@id='erros']")[0].text_content()
    assert links(tree) == [
        ("Informe a razão social ou o nome.", True),
        ("O CEP deve ter 8 números.", True),
        ("E-mail inválido: x@. Use nome@empresa.com.br.", True),
    ]
    for changed, text in (
        ({"telefone": "123"}, "O telefone deve ter DDD e 8 ou 9 números."),
        ({"numero": ""}, "Informe o número ou marque “Sem número”."),
        ({"emails": " "}, "Informe pelo menos um e-mail de cobrança."),
        ({"emails": " ".join(f"a{n}@x.test" for n in range(11))}, "Informe no máximo 10 e-mails."),
        ({"municipio": "Sao Pauli"}, "você quis dizer São Paulo?"),
        ({"uf": "XX"}, "XX"),
        ({"nome": "x" * 10_000}, "200"),
    ):
        tree = parsed(client.post(PATH, {**sent, **changed}))
        assert text in tree.xpath("//*[@id='erros']")[0].text_content(), changed
        assert len(links(tree)) == 1


def test_a_review_may_be_left_and_is_checked_again(central, page, demo):
    client = central(NUVEM)
    odd = "Rua <script>alert(1)</script> \u202eA 🥖"
    sent = {**form_of(page(client, PATH)), "logradouro": odd, "numero": "", "sem_numero": "on"}

    review = parsed(client.post(PATH, sent))
    after = review.xpath("//tr[@data-campo='address']/td[last()]")[0].text_content()
    assert after == "Rua <script>alert(1)</script> A 🥖"
    assert review.xpath("//tr[@data-campo='number']")
    kept = form_of(review)
    back = form_of(parsed(client.post(PATH, {**kept, "acao": "editar"})))
    assert (back["sem_numero"], back["logradouro"]) == ("on", odd)
    forged = client.post(PATH, {**kept, "documento": "1", "acao": "salvar"})
    assert forged.status_code == 200
    assert links(parsed(forged))
    Party.objects.filter(pk=party("d").pk).update(complement="fundos")
    stale = client.post(PATH, {**kept, "acao": "salvar"})
    assert stale.status_code == 409
    assert "Nada foi feito." in parsed(stale).xpath("//*[@role='alert']")[0].text_content()
    assert party("d").address == "Rua do Céu"
    assert client.post(PATH, {**form_of(parsed(stale)), "acao": "salvar"}).status_code == 302
    assert (party("d").number, party("d").complement) == ("S/N", "")


def test_changed_billing_emails_are_told_to_the_old_ones(central, page, demo):
    client = central()
    sent = form_of(page(client, PATH))
    old = sent["emails"].split()
    EmailMessage.objects.all().delete()

    review = parsed(client.post(PATH, {**sent, "emails": "nova@aurora.test\nNOVA@aurora.test"}))
    client.post(PATH, {**form_of(review), "acao": "salvar"})

    assert sorted(EmailMessage.objects.values_list("recipient", flat=True)) == sorted(old)
    assert form_of(page(client, PATH))["emails"] == "nova@aurora.test"


def test_the_document_is_locked_once_a_note_was_issued(central, page, demo):
    client = central()
    tree = page(client, PATH)

    assert tree.xpath("//input[@name='documento']/@readonly")
    assert "Para trocar o CNPJ, abra uma solicitação." in " ".join(tree.text_content().split())
    sent = {**form_of(tree), "documento": "A1B2C3D41A2B62"}
    answer = parsed(client.post(PATH, sent))
    assert links(answer) == [("Para trocar o CNPJ, abra uma solicitação.", True)]


def test_others_read_and_change_nothing(central, page, demo, service):
    for email in ("financeiro@aurora.test", "leitura@aurora.test"):
        client = central(email)
        tree = page(client, PATH)
        assert "12.ABC.345/01DE-35" in tree.xpath("//main")[0].text_content()
        assert not tree.xpath("//main//form")
        assert client.post(PATH, {"acao": "salvar", "nome": "Outro"}).status_code == 403
        assert client.get("/central/cep/01001000/").status_code == 403
    assert service.asked == []
    assert party("a").name == "Padaria Aurora Ltda"


def test_lookups_are_counted(central, demo, service, monkeypatch):
    monkeypatch.setattr("portal.views.company._LOOKUPS", 1)  # sixty requests would show the same
    client = central(NUVEM)

    assert client.get("/central/cep/01001000/").status_code == 200
    assert client.get("/central/cep/01001000/").status_code == 503
