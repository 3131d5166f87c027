"""Every documented refusal of events and inutilização, exactly (fiscal-api §1.7–1.8, §2.6–2.15)."""

from __future__ import annotations

from typing import Any

import pytest
from support.issuing import nfce_body, nfe_body, says
from support.v2 import V2, fiscal_token, v2

from fiscal.models import FiscalDocument, FiscalEvent, Inutilizacao
from fiscal.services.delivery import advance

BODIES = {"nfe": nfe_body, "nfce": nfce_body}
KINDS = pytest.mark.parametrize("kind", BODIES)
WHY = {"justificativa": "Venda desfeita pelo cliente"}
CORRECTION = {"correcao": "Onde se le azul, leia-se vermelho"}
FAILED = {
    "data_tentativa_entrega": "2026-01-01T10:00:00-03:00",
    "motivo_insucesso": "1",
    "hash_tentativa_entrega": "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
}
UNKNOWN = {
    "nfe": (404, "nao_encontrado", "Nota fiscal não encontrada."),
    "nfce": (404, "nfce_nao_encontrada", "NFCe não encontrada"),
}
NOT_AUTHORIZED = {
    "nfe": (422, "nfe_nao_autorizada", "Nota fiscal não autorizada."),
    "nfce": (404, "nfce_nao_autorizada", "NFCe não autorizada"),
}
DONE = (422, "already_processed", "Nota fiscal já cancelada.")

# Everything that may be ordered of a document: method, rest of the address, a good body.
PAYMENT = {"forma_pagamento": "01", "valor_pagamento": "20.00", "data_pagamento": "2026-01-01"}
ECONF = {"detalhes_pagamento": [PAYMENT]}
PROTOCOL = "135260000000001"
ORDERS: dict[str, tuple[tuple[str, str, Any], ...]] = {
    "nfe": (
        ("POST", "carta_correcao", CORRECTION),
        ("POST", "ator_interessado", {"cnpj": "11444777000161"}),
        ("POST", "insucesso_entrega", FAILED),
        ("DELETE", "insucesso_entrega", None),
        ("POST", "econf", ECONF),
        ("DELETE", f"econf/{PROTOCOL}", None),
        ("POST", "evento", {"tipo_evento": "prorrogacao_suspensao_icms"}),
        ("DELETE", "evento", {"tipo_evento": "prorrogacao_suspensao_icms"}),
    ),
    "nfce": (("POST", "econf", ECONF), ("DELETE", f"econf/{PROTOCOL}", None)),
}
EACH = [(kind, *order) for kind, orders in ORDERS.items() for order in orders]
EACH_ORDER = pytest.mark.parametrize(("kind", "method", "rest", "body"), EACH)
NFE_ONLY = ("carta_correcao", "ator_interessado", "insucesso_entrega", "evento")


def work_off() -> None:
    """What the queue would do."""
    for pk in FiscalDocument.objects.filter(state="recebido").values_list("pk", flat=True):
        advance(pk)


def issued(nfe: V2, kind: str) -> None:
    assert nfe.post(kind, BODIES[kind](), ref="r1").status_code in (201, 202)
    work_off()
    assert nfe.get(f"{kind}/r1").json()["status"] == "autorizado"


def cancelled(nfe: V2, kind: str) -> None:
    """As if the authority had taken the cancellation: whatever comes then is refused here."""
    issued(nfe, kind)
    document = FiscalDocument.objects.get()
    document.cancel(c_stat="135", x_motivo="Evento registrado")
    document.save()


def refusal(answer: Any) -> tuple[int, str, str]:
    told = answer.json()
    assert set(told) <= {"codigo", "mensagem", "erros"}
    return answer.status_code, told["codigo"], told["mensagem"]


@pytest.fixture(autouse=True)
def _nothing_is_signed(db: Any) -> Any:
    """A refusal leaves neither event nor voiding behind."""
    yield
    assert not FiscalEvent.objects.exists()
    assert not Inutilizacao.objects.exists()


# --- the document of the address -----------------------------------------------------------------


@EACH_ORDER
def test_an_order_on_an_unknown_ref(company, nfe, kind, method, rest, body):
    assert refusal(nfe.call(method, f"{kind}/r1/{rest}", body)) == UNKNOWN[kind]


@KINDS
def test_cancelling_an_unknown_ref(company, nfe, kind):
    assert refusal(nfe.delete(f"{kind}/r1", WHY)) == UNKNOWN[kind]


@EACH_ORDER
def test_an_order_on_what_was_not_authorized(company, authority, nfe, kind, method, rest, body):
    authority.next("authorize", says("108"), says("108"))
    nfe.post(kind, BODIES[kind](), ref="r1")

    answer = nfe.call(method, f"{kind}/r1/{rest}", body)

    if rest == "evento":  # 400 in generic events (§2.15)
        assert refusal(answer) == (400, "nfe_nao_autorizada", "Nota fiscal não autorizada.")
    else:
        assert refusal(answer) == NOT_AUTHORIZED[kind]


@KINDS
def test_cancelling_what_was_not_authorized(company, authority, nfe, kind):
    authority.next("authorize", says("108"), says("108"))
    nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(nfe.delete(f"{kind}/r1", WHY)) == NOT_AUTHORIZED[kind]


@EACH_ORDER
def test_an_order_on_a_cancelled_document(company, authority, nfe, kind, method, rest, body):
    cancelled(nfe, kind)

    assert refusal(nfe.call(method, f"{kind}/r1/{rest}", body)) == DONE


@KINDS
def test_cancelling_twice(company, authority, nfe, kind):
    cancelled(nfe, kind)

    answer = nfe.delete(f"{kind}/r1", WHY)

    assert refusal(answer) == (400, "nfe_cancelada", "Nota fiscal já cancelada.")


@KINDS
def test_a_cancelled_ref_is_never_used_again(company, authority, nfe, kind):
    cancelled(nfe, kind)

    answer = nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(answer) == (422, "nfe_autorizada", "Nota fiscal já autorizada.")


@EACH_ORDER
def test_an_order_on_another_companys_document(
    company, account, authority, nfe, kind, method, rest, body
):
    from factories import FiscalCompanyFactory

    issued(nfe, kind)
    others = FiscalCompanyFactory(account=account, cnpj="11444777000161")

    for token in (fiscal_token(others), fiscal_token(company, "producao")):
        assert refusal(v2(token).call(method, f"{kind}/r1/{rest}", body)) == UNKNOWN[kind]
        assert refusal(v2(token).delete(f"{kind}/r1", WHY)) == UNKNOWN[kind]


@pytest.mark.parametrize("rest", NFE_ONLY)
def test_nfce_has_no_such_event(company, authority, nfe, rest):
    issued(nfe, "nfce")

    answer = nfe.post(f"nfce/r1/{rest}", CORRECTION)

    assert refusal(answer) == (404, "nao_encontrado", "Endereço não encontrado.")


# --- what the bodies lack ------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, {}, {"justificativa": None}, {"justificativa": "  "}])
def test_a_cancellation_without_a_reason(company, authority, nfe, body):
    issued(nfe, "nfe")
    nfce = nfe.post("nfce", nfce_body(), ref="r1")
    missing = 'Parâmetro "justificativa" não informado'

    assert nfce.status_code == 201
    assert refusal(nfe.delete("nfe/r1", body)) == (400, "requisicao_invalida", f"{missing}.")
    assert refusal(nfe.delete("nfce/r1", body)) == (400, "justificativa_nao_informada", missing)


@KINDS
@pytest.mark.parametrize("text", ["curta", "x" * 14, "x" * 256, " " * 20 + "x", 12])
def test_a_reason_of_the_wrong_length(company, authority, nfe, kind, text):
    issued(nfe, kind)

    assert refusal(nfe.delete(f"{kind}/r1", {"justificativa": text})) == (
        400,
        "requisicao_invalida",
        'Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.',
    )


@pytest.mark.parametrize("text", ["curta", "x" * 1_001])
def test_a_correction_of_the_wrong_length(company, authority, nfe, text):
    issued(nfe, "nfe")
    message = 'Parâmetro "correcao" deve ter entre 15 e 1000 caracteres.'

    answer = nfe.post("nfe/r1/carta_correcao", {"correcao": text})

    assert refusal(answer) == (400, "requisicao_invalida", message)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("carta_correcao", 'Parâmetro "correcao" não informado.'),
        ("ator_interessado", "Por favor, informe o CNPJ ou CPF do ator interessado."),
        ("insucesso_entrega", "Por favor, informe a data da tentativa de entrega."),
        ("evento", 'Parâmetro "tipo_evento" não informado.'),
        ("econf", 'Parâmetro "detalhes_pagamento" não informado.'),
    ],
)
def test_an_event_without_what_it_needs(company, authority, nfe, rest, message):
    issued(nfe, "nfe")

    for body in (None, {}):
        answer = nfe.post(f"nfe/r1/{rest}", body)
        assert refusal(answer) == (400, "requisicao_invalida", message)


def test_events_that_are_not_there_cannot_be_cancelled(company, authority, nfe):
    issued(nfe, "nfe")
    nfe.post("nfce", nfce_body(), ref="r1")

    failed = nfe.delete("nfe/r1/insucesso_entrega")
    generic = nfe.delete("nfe/r1/evento", {"tipo_evento": "prorrogacao_suspensao_icms"})

    assert refusal(failed) == (
        400, "pending_operation", "Nota não possui evento de insucesso de entrega.",
    )  # fmt: skip
    assert refusal(generic)[:2] == (400, "pending_operation")
    for kind in BODIES:
        for method in ("GET", "DELETE"):
            answer = nfe.call(method, f"{kind}/r1/econf/{PROTOCOL}")
            assert refusal(answer)[:2] == (422, "object_not_found")


@EACH_ORDER
def test_the_wrong_method_on_an_order(company, nfe, kind, method, rest, body):
    answer = nfe.call("PUT", f"{kind}/r1/{rest}", body)

    assert refusal(answer)[:2] == (404, "nao_encontrado")
    assert answer.json()["mensagem"].startswith("Utilize ")


@pytest.mark.parametrize(
    ("kind", "method", "rest", "body"), [order for order in EACH if order[3] is not None]
)
def test_an_order_that_is_no_json(company, authority, nfe, kind, method, rest, body):
    issued(nfe, kind)

    answer = nfe.call(method, f"{kind}/r1/{rest}", "{")

    assert refusal(answer)[:2] == (415, "requisicao_invalida")


@KINDS
def test_a_cancellation_that_is_no_json(company, authority, nfe, kind):
    issued(nfe, kind)

    assert refusal(nfe.delete(f"{kind}/r1", "{"))[:2] == (415, "requisicao_invalida")


# --- inutilização --------------------------------------------------------------------------------

RANGE = {
    "cnpj": "11222333000181",
    "serie": "1",
    "numero_inicial": "10",
    "numero_final": "12",
    "justificativa": "Faixa pulada na troca de sistema",
}


@KINDS
@pytest.mark.parametrize("name", ["cnpj", "serie", "numero_inicial", "numero_final"])
def test_a_range_without_one_of_its_parameters(company, authority, nfe, kind, name):
    issued(nfe, kind)
    body = {key: value for key, value in RANGE.items() if key != name}

    answer = nfe.post(f"{kind}/inutilizacao", body)

    assert refusal(answer) == (400, "requisicao_invalida", f'Parâmetro "{name}" não informado.')


def test_a_range_without_a_reason(company, authority, nfe):
    body = {key: value for key, value in RANGE.items() if key != "justificativa"}
    missing = 'Parâmetro "justificativa" não informado'

    in_nfe, in_nfce = (nfe.post(f"{kind}/inutilizacao", body) for kind in BODIES)

    assert refusal(in_nfe) == (400, "requisicao_invalida", f"{missing}.")
    assert refusal(in_nfce) == (400, "justificativa_nao_informada", missing)


@KINDS
@pytest.mark.parametrize("serie", ["1", "77", 77])
def test_a_range_of_an_unknown_series(company, nfe, kind, serie):
    answer = nfe.post(f"{kind}/inutilizacao", {**RANGE, "serie": serie})

    assert refusal(answer) == (
        400, "requisicao_invalida", "Não existe série com os critérios informados.",
    )  # fmt: skip


@KINDS
def test_a_range_of_another_company(company, authority, nfe, kind):
    issued(nfe, kind)

    answer = nfe.post(f"{kind}/inutilizacao", {**RANGE, "cnpj": "11444777000161"})

    assert refusal(answer) == (403, "permissao_negada", "CNPJ do emitente não autorizado.")


@KINDS
@pytest.mark.parametrize(
    "wrong",
    [
        {"numero_inicial": "13"}, {"numero_inicial": "0"}, {"numero_final": "1e3"},
        {"numero_final": "9" * 40}, {"numero_inicial": "-1"}, {"serie": "x"}, {"serie": [1]},
        {"cnpj": "123"}, {"cnpj": {"a": 1}}, {"numero_inicial": True}, {"serie": "1000"},
        {"numero_final": "500000"}, {"justificativa": "curta"}, {"justificativa": "x" * 256},
    ],
)  # fmt: skip
def test_a_range_that_is_none(company, authority, nfe, kind, wrong):
    issued(nfe, kind)

    answer = nfe.post(f"{kind}/inutilizacao", {**RANGE, **wrong})

    assert refusal(answer)[:2] == (400, "requisicao_invalida")


@KINDS
def test_the_list_of_ranges_needs_an_issuer(company, nfe, kind):
    missing = 'Parâmetro "cnpj" ou "cpf" inválidos ou não informados'

    assert refusal(nfe.get(f"{kind}/inutilizacoes")) == (400, "requisicao_invalida", missing)
    assert refusal(nfe.get(f"{kind}/inutilizacoes", cnpj="1")) == (
        400, "requisicao_invalida", missing,
    )  # fmt: skip
    assert refusal(nfe.get(f"{kind}/inutilizacoes", cnpj="11444777000161"))[0] == 403


@KINDS
@pytest.mark.parametrize("name", ["inutilizacao", "inutilizacoes"])
def test_the_wrong_method_on_the_ranges(company, nfe, kind, name):
    right = {"inutilizacao": "POST", "inutilizacoes": "GET"}[name]

    answer = nfe.call("PUT", f"{kind}/{name}", {})

    assert refusal(answer) == (404, "nao_encontrado", f"Utilize o método {right}.")
