"""Voided ranges of /v2 against the real sandbox (fiscal-api §2.11, §3.8; NUM-5, §2.4)."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from factories import FiscalCompanyFactory, cpf
from support.certificates import certify, moment_after
from support.notes import WHY, Killed, impatient, issued_nfce, issued_nfe, resume_all
from support.v2 import fiscal_token, v2

from fiscal.models import Archive, Certificate, Inutilizacao, Series
from fiscal.services import void_sending
from fiscal.signing import verify
from fiscal.xml import cut_out
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def series(company: Any) -> None:
    for modelo in (55, 65):
        Series.objects.create(
            account=company.account, company=company, ambiente="homologacao", modelo=modelo,
            serie=1, next_number=50,
        )  # fmt: skip


def asked(company: Any, **fields: Any) -> dict[str, Any]:
    return {
        "cnpj": company.cnpj, "serie": "1", "numero_inicial": "7", "numero_final": "9",
        "justificativa": WHY, **fields,
    }  # fmt: skip


def there(sandbox: Any) -> list[tuple[str, int, int]]:
    return [
        (row["modelo"], row["inicial"], row["final"])
        for row in sandbox.told("GET", "inutilizacoes")
    ]


@pytest.mark.parametrize(("kind", "modelo"), [("nfe", "55"), ("nfce", "65")])
def test_a_range_is_voided_told_and_kept(company, sandbox, nfe, kind, modelo):
    response = nfe.post(f"{kind}/inutilizacao", asked(company))

    assert response.status_code == 200
    told = response.json()
    held = sandbox.told("GET", "inutilizacoes")[0]
    row = Inutilizacao.objects.get()
    name = f"35{row.ano:02d}{company.cnpj}{modelo}001000000007000000009-inu.xml"
    month = f"{clock.now():%Y%m}"
    folder = f"/arquivos_development/{company.cnpj}_{company.pk}/{month}/XMLs"
    assert told == {
        "status": "autorizado",
        "status_sefaz": "102",
        "mensagem_sefaz": row.x_motivo,
        "serie": "1",
        "numero_inicial": "7",
        "numero_final": "9",
        "modelo": modelo,
        "cnpj": company.cnpj,
        "caminho_xml": f"{folder}/{name}",
        "protocolo_sefaz": held["protocolo"],
    }
    xml = nfe.get(told["caminho_xml"])
    assert xml.status_code == 200
    assert verify(cut_out(xml.content, "inutNFe")).signed_id == "ID" + name.removesuffix("-inu.xml")
    listed = nfe.get(f"{kind}/inutilizacoes", cnpj=company.cnpj)
    assert (listed.status_code, listed.json()) == (200, [told])
    other = "nfce" if kind == "nfe" else "nfe"
    assert nfe.get(f"{other}/inutilizacoes", cnpj=company.cnpj).json() == []


def test_numbers_may_come_as_numbers_and_the_cnpj_with_its_mask(company, sandbox, nfe):
    body = asked(company, serie=1, numero_inicial=7, numero_final=7, cnpj="11.222.333/0001-81")

    assert nfe.post("nfe/inutilizacao", body).json()["status"] == "autorizado"

    assert there(sandbox) == [("55", 7, 7)]


def test_the_same_range_again_is_answered_as_it_stands(company, sandbox, nfe):
    first = nfe.post("nfe/inutilizacao", asked(company)).json()

    assert nfe.post("nfe/inutilizacao", asked(company)).json() == first

    assert len(sandbox.requests(servico="inutilizacao")) == 1


def test_a_used_number_is_a_refusal(company, sandbox, nfe):
    """241: 200, with the authority's words."""
    issued_nfe(nfe)

    body = asked(company, numero_inicial="49", numero_final="51")
    response = nfe.post("nfe/inutilizacao", body)

    assert response.status_code == 200
    told = response.json()
    assert (told["status"], told["status_sefaz"]) == ("erro_autorizacao", "241")
    assert "caminho_xml" not in told
    assert "protocolo_sefaz" not in told
    assert there(sandbox) == []
    assert nfe.get("nfe/inutilizacoes", cnpj=company.cnpj).json() == []


def test_a_range_that_touches_a_voided_one_is_a_refusal(company, sandbox, nfe):
    """256."""
    nfe.post("nfe/inutilizacao", asked(company))

    told = nfe.post("nfe/inutilizacao", asked(company, numero_final="12")).json()

    assert (told["status"], told["status_sefaz"]) == ("erro_autorizacao", "256")


def test_a_number_on_its_way_is_not_voided(company, sandbox, nfe):
    sandbox.fault("queda_antes", servico="autorizacao")
    sandbox.fault("queda_antes", servico="consulta_protocolo")
    from support.issuing import nfe_body
    from support.notes import work_off

    nfe.post("nfe", nfe_body(), ref="r1")
    work_off()

    response = nfe.post("nfe/inutilizacao", asked(company, numero_inicial=50, numero_final=50))

    assert (response.status_code, response.json()["codigo"]) == (422, "em_processamento")


# --- refusals of ours --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cnpj", "serie", "numero_inicial", "numero_final"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_parameter_is_named(company, sandbox, nfe, name, value):
    response = nfe.post("nfe/inutilizacao", asked(company, **{name: value}))

    assert response.status_code == 400
    assert response.json() == {
        "codigo": "requisicao_invalida",
        "mensagem": f'Parâmetro "{name}" não informado.',
    }


@pytest.mark.parametrize(
    "change",
    [
        {"serie": "x"}, {"serie": "1000"}, {"serie": -1}, {"serie": 1.5}, {"serie": []},
        {"numero_inicial": "0"}, {"numero_inicial": "10"}, {"numero_final": "1" * 10},
        {"numero_final": {}}, {"numero_final": "9" * 10_000}, {"numero_final": "1007"},
        {"cnpj": "123"}, {"cnpj": ["x"]}, {"cnpj": "1" * 10_000}, {"serie": "٣"},
        {"justificativa": "curta"}, {"justificativa": "a" * 10_000}, {"justificativa": 5},
        {"justificativa": "\x01\x02" * 20},
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_parameter_is_refused(company, sandbox, nfe, change):
    response = nfe.post("nfe/inutilizacao", asked(company, **change))

    assert (response.status_code, response.json()["codigo"]) == (400, "requisicao_invalida")
    assert not Inutilizacao.objects.exists()
    assert not sandbox.requests(servico="inutilizacao")


def test_an_unknown_series_is_refused(company, sandbox, nfe):
    response = nfe.post("nfe/inutilizacao", asked(company, serie="8"))

    assert response.status_code == 400
    assert response.json() == {
        "codigo": "requisicao_invalida",
        "mensagem": "Não existe série com os critérios informados.",
    }


@pytest.mark.parametrize(
    ("kind", "codigo"), [("nfe", "requisicao_invalida"), ("nfce", "justificativa_nao_informada")]
)
def test_a_justificativa_is_needed(company, sandbox, nfe, kind, codigo):
    response = nfe.post(f"{kind}/inutilizacao", asked(company, justificativa=None))

    assert (response.status_code, response.json()["codigo"]) == (400, codigo)


def test_the_numbers_of_others_are_out_of_reach(company, sandbox, nfe, other_account):
    stranger = FiscalCompanyFactory(account=other_account)
    certify(stranger)

    response = nfe.post("nfe/inutilizacao", asked(company, cnpj=stranger.cnpj))
    listed = nfe.get("nfe/inutilizacoes", cnpj=stranger.cnpj)

    for answer in (response, listed):
        assert answer.status_code == 403
        assert answer.json() == {
            "codigo": "permissao_negada",
            "mensagem": "CNPJ do emitente não autorizado.",
        }
    nfe.post("nfe/inutilizacao", asked(company))
    assert v2(fiscal_token(stranger)).get("nfe/inutilizacoes", cnpj=stranger.cnpj).json() == []
    production = v2(fiscal_token(company, "producao"))
    assert production.get("nfe/inutilizacoes", cnpj=company.cnpj).json() == []


def test_a_person_has_no_voiding(account, sandbox):
    """NT 2018/001."""
    person = FiscalCompanyFactory(account=account, cnpj="", cpf=cpf(123_456_789))
    certify(person)

    client = v2(fiscal_token(person))

    assert client.post("nfe/inutilizacao", asked(person, cnpj="11222333000181")).status_code == 403
    assert client.get("nfe/inutilizacoes", cpf=person.cpf).json() == []


def test_an_expired_certificate_is_told(company, sandbox, nfe, at_moment):
    at_moment(moment_after(Certificate.objects.get()))

    response = nfe.post("nfe/inutilizacao", asked(company))

    assert (response.status_code, response.json()["codigo"]) == (400, "certificado_vencido")
    assert not Inutilizacao.objects.exists()


def test_the_wrong_method_is_told(company, nfe):
    assert nfe.get("nfe/inutilizacao").json() == {
        "codigo": "nao_encontrado", "mensagem": "Utilize o método POST."
    }  # fmt: skip


# --- the list ----------------------------------------------------------------------------------


@pytest.fixture
def voided(company: Any, sandbox: Any, nfe: Any) -> None:
    for first, last in ((1, 3), (7, 9), (20, 20)):
        body = asked(company, numero_inicial=first, numero_final=last)
        assert nfe.post("nfe/inutilizacao", body).json()["status"] == "autorizado"


def listed(company: Any, nfe: Any, **query: Any) -> list[str]:
    response = nfe.get("nfe/inutilizacoes", cnpj=company.cnpj, **query)
    assert response.status_code == 200, response.json()
    return [row["numero_inicial"] for row in response.json()]


def test_the_list_is_filtered_by_numbers(company, nfe, voided):
    assert listed(company, nfe) == ["1", "7", "20"]
    assert listed(company, nfe, numero_inicial=4) == ["7", "20"]
    assert listed(company, nfe, numero_final=8) == ["1", "7"]
    assert listed(company, nfe, numero_inicial=8, numero_final=8) == ["7"]
    assert listed(company, nfe, numero_inicial=10, numero_final=19) == []


def test_the_list_is_filtered_by_moments(company, nfe, voided):
    at = Inutilizacao.objects.order_by("id").first().received_at
    days = [
        (at.astimezone(ZoneInfo(clock.SAO_PAULO)) + timedelta(days=n)).date() for n in (-1, 0, 1)
    ]

    def by(since: Any = None, until: Any = None) -> int:
        given = {"data_recebimento_inicial": since, "data_recebimento_final": until}
        return len(listed(company, nfe, **{name: one for name, one in given.items() if one}))

    assert (by(days[1]), by(days[1], days[1]), by(until=days[1])) == (3, 3, 3)
    assert (by(days[2]), by(until=days[0])) == (0, 0)
    assert by(at.isoformat(), days[2].isoformat()) == 3
    later = at + timedelta(hours=1)
    assert (by(later.isoformat()), by(until=later.isoformat())) == (0, 3)


@pytest.mark.parametrize("query", [{}, {"cnpj": ""}, {"cnpj": "123"}, {"cpf": "x" * 10_000}])
def test_the_list_needs_whose(company, nfe, query):
    response = nfe.get("nfe/inutilizacoes", **query)

    assert response.status_code == 400
    assert response.json() == {
        "codigo": "requisicao_invalida",
        "mensagem": 'Parâmetro "cnpj" ou "cpf" inválidos ou não informados',
    }


@pytest.mark.parametrize(
    "query",
    [{"data_recebimento_inicial": "ontem"}, {"data_recebimento_final": "2026-02-30"},
     {"numero_inicial": "x"}, {"numero_final": "-1"}, {"numero_final": "9" * 50}],
)  # fmt: skip
def test_a_bad_filter_is_refused(company, nfe, query):
    response = nfe.get("nfe/inutilizacoes", cnpj=company.cnpj, **query)

    assert (response.status_code, response.json()["codigo"]) == (400, "requisicao_invalida")
    assert next(iter(query)) in response.json()["mensagem"]


def test_the_list_costs_the_same_however_long(company, nfe, voided, django_assert_max_num_queries):
    Inutilizacao.objects.filter(first__gt=1).delete()
    nfe.get("nfe/inutilizacoes", cnpj=company.cnpj)

    with django_assert_max_num_queries(12):
        assert listed(company, nfe) == ["1"]
    body = [asked(company, numero_inicial=n, numero_final=n) for n in (30, 32, 34)]
    for one in body:
        nfe.post("nfe/inutilizacao", one)
    with django_assert_max_num_queries(12):
        assert len(listed(company, nfe)) == 4


# --- lost, killed, at once ---------------------------------------------------------------------

LOST: list[tuple[str, dict[str, Any]]] = [
    ("queda_antes", {}),
    ("queda_depois", {}),
    ("lento_depois", {"parametros": {"segundos": 2}}),
    ("truncado", {}),
    ("http_503", {"parametros": {"quando": "depois"}}),
]


@pytest.mark.parametrize(("tipo", "rule"), LOST, ids=[tipo for tipo, _ in LOST])
def test_a_lost_answer_ends_in_one_range(company, sandbox, nfe, monkeypatch, tipo, rule):
    """563 says that the first sending had arrived."""
    impatient(monkeypatch)
    sandbox.fault(tipo, servico="inutilizacao", vezes=1, **rule)

    response = nfe.post("nfe/inutilizacao", asked(company))

    if tipo.startswith("lento"):
        time.sleep(1.5)
    told = response.json()
    assert (response.status_code, told["status"]) == (200, "autorizado")
    assert told["status_sefaz"] == ("102" if tipo == "queda_antes" else "563")
    assert there(sandbox) == [("55", 7, 9)]
    assert Inutilizacao.objects.get().state == "homologada"
    assert Archive.objects.filter(kind="void").count() == 1


def test_nobody_there_is_202_and_the_sweep_goes_on(company, sandbox, nfe):
    sandbox.fault("queda_antes", servico="inutilizacao", vezes=2)

    response = nfe.post("nfe/inutilizacao", asked(company))

    assert response.status_code == 202
    assert response.json()["status"] == "processando_autorizacao"
    sandbox.told("DELETE", "falhas")
    resume_all()
    assert there(sandbox) == [("55", 7, 9)]
    assert [row["status"] for row in nfe.get(
        "nfe/inutilizacoes", cnpj=company.cnpj
    ).json()] == ["autorizado"]  # fmt: skip


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", ["_begin", "_record"])
def test_the_sweep_ends_what_a_dead_worker_left(
    company, sandbox, nfe, monkeypatch, at_moment, step, before
):
    original = getattr(void_sending, step)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if not before:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(void_sending, step, dying)
    with pytest.raises(Killed):
        nfe.post("nfe/inutilizacao", asked(company))
    monkeypatch.setattr(void_sending, step, original)
    at_moment(clock.now() + timedelta(minutes=3))

    resume_all()

    assert there(sandbox) == [("55", 7, 9)]
    assert Inutilizacao.objects.get().state == "homologada"


def test_two_clients_at_once_void_once(company, sandbox, nfe, nfe_token):
    sandbox.fault("lento_antes", servico="inutilizacao", parametros={"segundos": 0.3})
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(3)

    def void() -> None:
        start.wait()
        response = v2(nfe_token).post("nfe/inutilizacao", asked(company))
        answers.append((response.status_code, response.json()["status"]))
        connection.close()

    threads = [threading.Thread(target=void) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (200, "autorizado") in answers
    assert set(answers) <= {(200, "autorizado"), (202, "processando_autorizacao")}
    assert there(sandbox) == [("55", 7, 9)]
    assert Inutilizacao.objects.count() == 1


def test_a_consumer_note_and_an_invoice_share_no_numbers(company, sandbox, nfe):
    issued_nfce(nfe)

    told = nfe.post("nfe/inutilizacao", asked(company, numero_inicial=50, numero_final=50)).json()

    assert told["status"] == "autorizado"
