"""Accepting documents: one row for each ref (fiscal-api §1.3; fiscal-engine §2.1, §3)."""

from __future__ import annotations

from typing import Any

import pytest
from django_q.models import OrmQ
from support.issuing import item, nfe_body, refuses

from fiscal.errors import AlreadyAuthorized, InProcessing, SchemaInvalid
from fiscal.models import Archive, FiscalDocument, Series, State
from fiscal.services import issue
from fiscal.services.delivery import advance


def accept(company: Any, ref: str = "pedido-1", **body: Any) -> FiscalDocument:
    return issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body(**body)
    )


def test_an_accepted_nfe_is_queued_and_has_no_number(
    company, authority, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        document = accept(company)

    assert document.state == State.RECEBIDO
    assert document.numero is None
    assert OrmQ.objects.count() == 1
    assert not authority.calls


def test_the_task_signs_and_delivers(company, authority):
    document = accept(company)

    advance(document.pk)

    document = FiscalDocument.objects.get(pk=document.pk)
    assert document.state == State.AUTORIZADO
    assert (document.serie, document.numero) == (1, 1)
    assert authority.held[document.chave] == (document.digest_value, document.protocolo)
    kinds = Archive.objects.filter(document=document).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["signed", "authorized"]


def test_the_task_runs_twice_and_sends_once(company, authority):
    document = accept(company)

    advance(document.pk)
    advance(document.pk)

    assert authority.names() == ["authorize"]


def test_a_body_with_faults_keeps_nothing_and_burns_no_number(company, authority):
    with pytest.raises(SchemaInvalid) as refusal:
        accept(company, items=[item(cfop="51", codigo_ncm="x")])

    fields = {fault.campo for fault in refusal.value.erros}
    assert {"items[0].cfop", "items[0].codigo_ncm"} <= fields
    assert not FiscalDocument.objects.exists()
    assert not Series.objects.filter(next_number__gt=1).exists()


def test_a_ref_in_processing_is_refused(company, authority):
    accept(company)

    with pytest.raises(InProcessing):
        accept(company)

    assert FiscalDocument.objects.count() == 1


def test_an_authorized_ref_is_refused(company, authority):
    advance(accept(company).pk)

    with pytest.raises(AlreadyAuthorized):
        accept(company)


def test_a_refused_ref_takes_a_corrected_body_under_the_same_number_and_cnf(company, authority):
    authority.next("authorize", refuses("778", "Informado NCM inexistente"))
    first = accept(company)
    advance(first.pk)
    first = FiscalDocument.objects.get(pk=first.pk)
    assert (first.state, first.c_stat) == (State.REJEITADO, "778")

    again = accept(company, natureza_operacao="Venda corrigida")

    assert again.pk == first.pk
    assert again.status == "processando_autorizacao"
    assert (again.numero, again.cnf, again.chave) == (first.numero, first.cnf, first.chave)
    assert again.digest_value != first.digest_value
    advance(again.pk)
    assert FiscalDocument.objects.get(pk=again.pk).state == State.AUTORIZADO
    assert Series.objects.get(modelo=55).next_number == 2


def test_a_number_that_was_voided_is_replaced_by_a_new_one(company, authority):
    """NUM-3, cStat 206."""
    authority.next("authorize", refuses("206", "NF-e ja esta inutilizada"))
    document = accept(company)
    advance(document.pk)

    again = accept(company)

    assert (again.pk, again.numero) == (document.pk, 2)


def test_a_number_given_to_two_queued_documents_is_of_the_first(company, authority):
    first = accept(company, serie="7", numero="41")
    second = accept(company, ref="pedido-2", serie="7", numero="41")

    advance(first.pk)
    advance(second.pk)

    first, second = FiscalDocument.objects.order_by("pk")
    assert (first.state, first.serie, first.numero) == (State.AUTORIZADO, 7, 41)
    assert (second.state, second.numero) == (State.REJEITADO, None)
    assert "já há uma nota com este número" in second.x_motivo
    corrected = accept(company, ref="pedido-2", serie="7", numero="42")
    assert (corrected.pk, corrected.numero) == (second.pk, 42)


def test_a_number_without_a_series_is_of_the_companys_own(company, authority):
    advance(accept(company, numero="41").pk)

    document = FiscalDocument.objects.get()
    assert (document.state, document.serie, document.numero) == (State.AUTORIZADO, 1, 41)


def test_the_same_ref_serves_each_model_and_environment(company, authority):
    accept(company)
    other = issue.issue_document(
        company, ambiente="producao", modelo=55, ref="pedido-1",
        body=nfe_body(nome_destinatario="Cliente Ltda"),
    )  # fmt: skip

    assert other.state == State.RECEBIDO
    assert FiscalDocument.objects.filter(ref="pedido-1").count() == 2


def test_numbers_follow_each_other_without_gaps(company, authority):
    for n in range(3):
        advance(accept(company, ref=f"r{n}").pk)

    numbers = FiscalDocument.objects.order_by("id").values_list("numero", flat=True)
    assert list(numbers) == [1, 2, 3]


def test_a_synchronous_company_has_its_answer_at_once(company, authority):
    company.uf, company.nfe_sincrono_homologacao = "SC", True
    company.codigo_municipio, company.municipio = "4205407", "Florianópolis"
    company.save()

    document = accept(company, uf_destinatario="SC", municipio_destinatario="Florianópolis")

    assert document.state == State.AUTORIZADO
    assert not OrmQ.objects.exists()


def test_sao_paulo_takes_no_synchronous_nfe(company, authority):
    company.nfe_sincrono_homologacao = True
    company.save()

    assert accept(company).state == State.RECEBIDO
