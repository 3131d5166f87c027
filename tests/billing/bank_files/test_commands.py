"""cnab_remessa and cnab_retorno at the command line, and the screens over their files."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from support.boletos import agreement_with
from support.retornos import content_of, fact_of, new_boleto, open_boleto, received
from support.staff import client_of

from accounts.models import Job
from billing.models import CnabFile, Payment, Receivable

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_day(today):
    today("2026-08-21")


def said(*args, **options):
    out = StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue()


def test_remessa_and_retorno_from_the_command_line(account, organization, tmp_path, monkeypatch):
    agreement = agreement_with(organization)
    with pytest.raises(CommandError, match="Não há boletos aguardando envio"):
        said("cnab_remessa", agreement=agreement.pk, output=str(tmp_path))
    with pytest.raises(CommandError, match="Convênio 0 não cadastrado"):
        said("cnab_remessa", agreement=0)
    first, second = new_boleto(organization), new_boleto(organization)

    text = said("cnab_remessa", agreement=agreement.pk, send=True, output=str(tmp_path))

    file = CnabFile.objects.get()
    assert "títulos            2 (R$\u00a0200,00)" in text
    assert "Enviada" in text
    assert (tmp_path / file.filename).read_bytes() == bytes(file.content)

    path = tmp_path / "RET.TXT"
    path.write_bytes(content_of(agreement, [fact_of(first), fact_of(second, "02")]))
    text = said("cnab_retorno", str(path))
    assert "Baixar: Liquidação" in text
    assert "Registrado: Entrada confirmada" in text
    assert not Payment.objects.exists()
    monkeypatch.setattr("builtins.input", lambda _: "n")
    said("cnab_retorno", str(path), apply=True)
    assert not Payment.objects.exists()

    text = said("cnab_retorno", str(path), apply=True, yes=True)

    assert "aplicados 2 de 2" in text
    assert Receivable.objects.get(pk=first.receivable_id).state == "received"
    assert Job.objects.get(kind="billing.retorno").state == "done"
    with pytest.raises(CommandError, match=r"já foi processado em 21/08/2026"):
        said("cnab_retorno", str(path), apply=True, yes=True)
    with pytest.raises(CommandError, match="No such file"):
        said("cnab_retorno", str(tmp_path / "nada.txt"))
    with pytest.raises(CommandError, match="Conta desconhecida: nenhuma"):
        said("cnab_retorno", str(path), account="nenhuma")


def test_staff_send_a_file_look_at_it_and_apply_it(account, other_account, organization):
    agreement = agreement_with(organization)
    charge = open_boleto(organization)
    finance, stranger = client_of(account, "financeiro"), client_of(other_account, "financeiro")
    add = reverse("admin:billing_cnabfile_add")
    assert "Enviar arquivo de retorno" in finance.get(add).content.decode()
    assert client_of(account, "suporte").get(add).status_code == 403

    def upload(client, content, owner):
        from django.core.files.uploadedfile import SimpleUploadedFile

        sent = SimpleUploadedFile("RET.TXT", content)
        return client.post(add, {"account": owner.pk, "file": sent})

    refused = upload(finance, b"nada", account)
    assert "Arquivo não reconhecido como CNAB 240 ou 400." in refused.content.decode()
    # Nobody sends a file to an account that is not theirs.
    assert upload(stranger, content_of(agreement, [fact_of(charge)]), account).status_code == 200
    assert not CnabFile.objects.exists()

    answer = upload(finance, content_of(agreement, [fact_of(charge)]), account)

    file = CnabFile.objects.get()
    page = reverse("admin:billing_cnabfile_change", args=[file.pk])
    assert (answer.status_code, answer["Location"]) == (302, page)
    assert "Baixar: 1" in finance.get(page).content.decode()
    bytes_of = reverse("admin:billing_cnabfile_content", args=[file.pk])
    assert finance.get(bytes_of).content == bytes(file.content)
    assert stranger.get(bytes_of).status_code == 404
    act = reverse("admin:billing_cnabfile_act", args=[file.pk, "aplicar"])
    asked = finance.get(act)
    assert "Aplicar 1 baixas (R$\u00a0100,00)." in asked.content.decode()
    form = asked.context["form"].initial
    assert finance.post(act, form).status_code == 302
    assert Job.objects.get(kind="billing.retorno").params == {"file": file.pk}
    assert CnabFile.objects.get(pk=file.pk).state == "applying"
    assert received(agreement, [fact_of(charge)], number=2).records.get().result == "settle"
