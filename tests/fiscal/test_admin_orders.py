"""What staff order through the sandbox authority: events, voidings, contingency (ux B13, §9)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from factories import FiscalCompanyFactory, MembershipFactory, UserFactory
from support.notes import issued_nfe
from support.staff import act, client_of, form_of, path, said

from accounts.models import AuditEvent
from fiscal.models import (
    AuthorityStatus,
    Contingency,
    FiscalDocument,
    FiscalEvent,
    Inutilizacao,
    Series,
    State,
)
from lib import clock

pytestmark = pytest.mark.django_db
WHY = "Venda desfeita pelo comprador"


@pytest.fixture
def staff(account: Any) -> Client:
    return client_of(account)


# --- events -----------------------------------------------------------------------------------


def test_letters_and_a_cancellation_are_registered_once_each(staff, company, sandbox, nfe):
    issued_nfe(nfe)
    document = FiscalDocument.objects.get()
    first = "O volume correto transportado e de tres caixas"
    where = path("fiscaldocument", "act", document.pk, "carta-de-correcao")
    sent = form_of(staff, where) | {"correcao": first}

    staff.post(where, sent)
    again = staff.post(where, sent)
    asked = staff.get(where).content.decode()
    act(staff, document, "carta-de-correcao", correcao="A transportadora correta e a Veloz Ltda")
    where = path("fiscaldocument", "act", document.pk, "cancelar")
    sent = form_of(staff, where) | {"justificativa": WHY}
    cancelled, repeated = staff.post(where, sent), staff.post(where, sent)

    assert "já tinha sido feito" in said(again)
    assert f"Texto em vigor: “{first}”" in asked
    assert "carta nº 2 de até 20" in asked
    there = [(row["tipo"], row["sequencia"]) for row in sandbox.told("GET", "eventos")]
    assert sorted(there) == [("110110", 1), ("110110", 2), ("110111", 1)]
    assert FiscalDocument.objects.get().state == State.CANCELADO
    assert "Nota cancelada. SEFAZ: 135" in said(cancelled)
    assert "já tinha sido feito" in said(repeated)
    actions = ["nf.cancelada", "nf.cce", "nf.cce"]
    told = AuditEvent.objects.filter(action__in=actions).order_by("action")
    assert list(told.values_list("action", flat=True)) == actions
    letter = FiscalEvent.objects.filter(tp_evento="110110").latest("n_seq")
    text = staff.get(path("fiscalevent", "change", letter.pk)).content.decode()
    assert "Carta de correção nº 2" in text
    assert f"{first} | A transportadora" in text


def test_a_refused_cancellation_is_told_with_our_advice(staff, company, sandbox, nfe):
    issued_nfe(nfe)
    document = FiscalDocument.objects.get()
    why = {"codigo": 501, "motivo": "Prazo superior", "nivel": "documento"}
    sandbox.fault("cstat", servico="recepcao_evento", parametros=why)

    answer = act(staff, document, "cancelar", justificativa=WHY)

    assert "A SEFAZ recusou: 501" in said(answer)
    assert FiscalDocument.objects.get().state == State.AUTORIZADO
    assert FiscalEvent.objects.get().state == "rejeitado"


# --- voiding ----------------------------------------------------------------------------------


def void_form(client: Client, company: Any, **data: Any) -> dict[str, Any]:
    return form_of(client, path("inutilizacao", "void")) | {
        "empresa": company.pk, "modelo": "55",
        "ambiente": "homologacao", "serie": "1", "inicial": "5", "final": "7",
        "justificativa": "Falha na sequencia de numeracao", **data,
    }  # fmt: skip


def test_a_range_is_voided_once_and_the_gap_is_gone(staff, company, sandbox, nfe):
    issued_nfe(nfe)
    series = Series.objects.get()
    Series.objects.update(next_number=8)
    issued_nfe(nfe, ref="r2")
    before = staff.get(path("series", "gaps", series.pk)).content.decode()
    sent = void_form(staff, company, inicial="2", final="7")

    answer = staff.post(path("inutilizacao", "void"), sent)
    again = staff.post(path("inutilizacao", "void"), sent)

    assert "inicial=2&amp;final=7" in before
    assert "Números inutilizados. SEFAZ: 102" in said(answer)
    assert "já tinha sido feito" in said(again)
    void = Inutilizacao.objects.get()
    assert (void.first, void.last, void.state) == (2, 7, "homologada")
    assert "Nenhuma lacuna" in staff.get(path("series", "gaps", series.pk)).content.decode()
    event = AuditEvent.objects.get(action="nf.inutilizada")
    assert (event.object_id, event.after["cstat"]) == (void.pk, "102")


def test_wrong_ranges_are_told_at_their_fields_and_nothing_is_asked(staff, company, other_account):
    Series.objects.create(
        account=company.account, company=company, ambiente="homologacao", modelo=55, serie=1
    )
    foreign = FiscalCompanyFactory(account=other_account, cnpj="44555666000145")

    def told(**data: Any) -> str:
        answer = staff.post(path("inutilizacao", "void"), void_form(staff, company, **data))
        return str(answer.content.decode())

    assert "maior ou igual ao inicial" in told(inicial="8")
    assert "faltam 10" in told(justificativa="curta")
    assert "nunca foi usada" in told(serie="3")
    assert "Inutilize no máximo 1000" in told(final="5000")
    assert "Faça uma escolha válida" in told(empresa=foreign.pk)
    assert foreign.nome not in told()
    assert not Inutilizacao.objects.exclude(state="solicitada").exists()


@pytest.mark.parametrize(
    ("role", "status"), [("financeiro", 403), ("suporte", 403), ("admin", 200)]
)
def test_who_may_not_issue_neither_voids_nor_enters(account, company, role, status):
    client = client_of(account, role)

    for place in (path("inutilizacao", "void"), path("contingency", "enter")):
        assert client.get(place).status_code == status
        if status == 403:
            assert client.post(place, {}).status_code == 403


# --- contingency --------------------------------------------------------------------------------


def enter_form(client: Client, company: Any, **data: Any) -> dict[str, Any]:
    return form_of(client, path("contingency", "enter")) | {
        "empresa": company.pk, "forma": "svc",
        "ambiente": "homologacao", "motivo": "SEFAZ de origem fora do ar", **data,
    }  # fmt: skip


def test_contingency_is_entered_only_if_the_svc_is_open_and_left_by_a_person(
    staff, account, company, sandbox
):
    place = path("contingency", "enter")

    shut = staff.post(place, enter_form(staff, company))
    short = staff.post(place, enter_form(staff, company, motivo="curto"))
    sandbox.told("POST", "svc", {"uf": "SP", "estado": "aberto"})
    AuthorityStatus.objects.all().delete()  # three minutes later
    answer = staff.post(place, enter_form(staff, company, toda_a_uf="on"))
    twice = staff.post(place, enter_form(staff, company))

    assert "não está aberta para SP (114" in shut.content.decode()
    assert "faltam 10" in short.content.decode()
    row = Contingency.objects.get()
    assert (row.company, row.mode, row.reason) == (company, 6, "SEFAZ de origem fora do ar")
    assert "@" in row.entered_by
    assert "Em contingência" in said(answer)
    assert "Já está em contingência." in twice.content.decode()
    event = AuditEvent.objects.get(action="contingencia.aberta")
    assert (event.account, event.after["toda_a_uf"]) == (account, False)

    left = staff.post(
        path("contingency", "act", row.pk, "encerrar"),
        {"idempotency_key": "sair", "situacao": "aberta"},
    )

    assert "Contingência encerrada" in said(left)
    assert Contingency.objects.get().left_at is not None
    assert AuditEvent.objects.filter(action="contingencia.encerrada").count() == 1


def test_epec_is_entered_by_choice(staff, company, authority):
    staff.post(path("contingency", "enter"), enter_form(staff, company, forma="epec"))

    assert Contingency.objects.get().mode == Contingency.Mode.EPEC
    assert authority.calls == []


def test_a_whole_uf_is_the_operator_s_to_order_and_everybody_s_to_see(
    staff, company, other_account, authority
):
    operator = Client()
    operator.force_login(UserFactory(is_superuser=True))
    foreign = client_of(other_account, "admin")

    operator.post(path("contingency", "enter"), enter_form(operator, company, toda_a_uf="on"))

    row = Contingency.objects.get()
    assert row.company is None
    leave = path("contingency", "act", row.pk, "encerrar")
    for client in (staff, foreign):
        assert "Toda a UF SP" in client.get(path("contingency", "changelist")).content.decode()
        assert client.get(path("contingency", "change", row.pk)).status_code == 200
        assert client.get(leave).status_code == 403
        assert client.post(leave, {"idempotency_key": "k", "situacao": "aberta"}).status_code == 403
    operator.post(leave, {"idempotency_key": "k", "situacao": "aberta"})
    assert Contingency.objects.get().left_at is not None


def test_another_account_s_contingency_is_out_of_sight(company, other_account):
    row = Contingency.objects.create(
        uf="SP", modelo=55, ambiente="homologacao", company=company, mode=6, reason="x" * 15,
        entered_at=clock.now(),
    )  # fmt: skip
    client = Client()
    client.force_login(MembershipFactory(account=other_account, role="admin").user)

    assert company.nome not in client.get(path("contingency", "changelist")).content.decode()
    assert client.get(path("contingency", "change", row.pk)).status_code == 404
    assert client.post(path("contingency", "act", row.pk, "encerrar"), {}).status_code == 404
    form = client.get(path("contingency", "enter")).content.decode()
    assert company.nome not in form


def test_the_list_of_authorities_says_who_is_down(staff):
    now = clock.now()
    common = {"modelo": 55, "ambiente": "homologacao"}
    AuthorityStatus.objects.create(authority="SP", uf="SP", c_stat="107", checked_at=now, **common)
    AuthorityStatus.objects.create(authority="RS", uf="", open_until=now, n_failures=5, **common)

    text = staff.get(path("authoritystatus", "changelist")).content.decode()

    for part in ("Em operação", "Fora do ar", "Todas (rede)", "Suspenso"):
        assert part in text
