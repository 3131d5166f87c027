"""Every status and every error of /v2/nfsen, over HTTP (fiscal-api §1.7, §1.8, §5).

Tokens and tenants are the matter of tests/fiscal/test_v2_tenancy.py, hostile bodies that of
tests/fiscal/test_hostile_bodies.py.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from support.certificates import certify
from support.national_answers import key_of, nfse, packed, unpacked
from support.service_notes import national_body
from support.v2 import fiscal_token, v2

from fiscal.authorities import rest
from fiscal.authorities.base import Lost, NotSent
from fiscal.authorities.transport import Reply
from fiscal.models import AuthorityStatus, NoteState, OrderState, ServiceNote, ServiceOrder
from fiscal.services.nfse import dispatch, orders, sending
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
REASON = {"justificativa": "Servico nao foi prestado"}
SCHEMA = "Erro na validação do Schema XML"
NOT_JSON = "O corpo da requisição não é um objeto JSON válido."
POST_ONLY, NO_NOTE = "Utilize o método POST.", "Nota fiscal não encontrada"


@pytest.fixture
def issuer(company):
    company.habilita_nfsen_homologacao = True
    company.save()
    return company


def without(name):
    body = national_body()
    del body[name]
    return body


def told(answer):
    """HTTP, codigo, mensagem and the fields of the errors."""
    body = answer.json()
    fields = [one.get("campo") for one in body.get("erros", ())]
    return answer.status_code, body.get("codigo"), body.get("mensagem"), fields


# What is sent → HTTP, codigo, mensagem, fields.
MISSING = "requisicao_invalida"
REFUSED_BODIES: list[tuple[Any, int, str, str, list[str]]] = [
    *(
        (without(name), 400, MISSING, f'Parâmetro "{name}" não informado', [])
        for name in (
            "data_emissao", "data_competencia", "codigo_municipio_emissora", "cnpj_prestador",
            "codigo_opcao_simples_nacional", "regime_especial_tributacao",
            "codigo_municipio_prestacao", "codigo_tributacao_nacional_iss", "descricao_servico",
            "valor_servico", "tributacao_iss", "tipo_retencao_iss",
        )
    ),
    ({}, 400, MISSING, NOT_JSON, []),
    (b'{"a":', 415, MISSING, NOT_JSON, []),
    (b"[]", 415, MISSING, NOT_JSON, []),
    (national_body(descricao_servico="a\x00b"), 415, MISSING, NOT_JSON, []),
    (b'{"valor_servico": NaN}', 415, MISSING, NOT_JSON, []),
    (b"x" * 5_000_001, 413, MISSING, "O corpo da requisição é grande demais.", []),
    (national_body(cnpj_prestador="123"), 400, MISSING, 'Parâmetro "cnpj_prestador" inválido.', []),
    (national_body(cnpj_prestador="12ABC34501DE35"), 403, "permissao_negada",
     "CNPJ do emitente não autorizado.", []),
    (national_body(serie_dps="77", numero_dps="0"), 422, "erro_validacao_schema", SCHEMA,
     ["numero_dps"]),
    *(
        (national_body(**{name: value}), 422, "erro_validacao_schema", SCHEMA, [name])
        for name, value in (
            ("data_emissao", "2026-02-30T10:00:00-03:00"), ("data_emissao", "2099-01-01"),
            ("data_competencia", "2026-02-30"), ("data_competencia", "2099-01-01"),
            ("codigo_municipio_emissora", "9999999"), ("codigo_tributacao_nacional_iss", "1.07"),
            ("valor_servico", "-1"), ("valor_servico", "NaN"), ("valor_servico", "9" * 20),
            ("valor_servico", {}), ("documentos", {"a": 1}), ("documentos", "x"),
            ("descricao_servico", "\U0001f600" * 9), ("razao_social_tomador", ["x"]),
            ("cnpj_tomador", "11222333000181"), ("cnpj_tomador", "11444777000162"),
            ("serie_dps", "50000"), ("tributacao_iss", "9"), ("tipo_retencao_iss", 5),
        )
    ),
]  # fmt: skip


def test_every_refusal_of_an_issue_is_told_and_keeps_nothing(nfe, issuer, sandbox, at_moment):
    for body, *wanted in REFUSED_BODIES:
        assert told(nfe.post("nfsen", body, ref="r1")) == tuple(wanted), str(body)[:300]
    for ref in ("", "a b", "a/b", "x" * 256, "\U0001f600"):
        status, codigo, text, _ = told(nfe.post("nfsen", national_body(), ref=ref))
        assert (status, codigo, text[:15]) == (400, MISSING, 'Parâmetro "ref"'), ref
    for method, path, text in (
        ("GET", "nfsen", POST_ONLY),
        ("PUT", "nfsen/r1", "Utilize um dos métodos GET, DELETE."),
        ("GET", "nfsen/r1/email", POST_ONLY),
        ("GET", "nfsen/r1", NO_NOTE),
        ("DELETE", "nfsen/r1", NO_NOTE),
        ("POST", "nfsen/r1/email", NO_NOTE),
        ("POST", "nfsen/r1/hook", NO_NOTE),
    ):
        assert told(nfe.call(method, path, REASON if method != "GET" else None)) == (
            404, "nao_encontrado", text, [],
        ), path  # fmt: skip

    live = v2(fiscal_token(issuer, "producao"))
    assert told(live.post("nfsen", {}, ref="r1")) == (
        400, "empresa_nao_habilitada",
        "Emitente ainda não habilitado para emissão de NFSe Nacional", [],
    )  # fmt: skip
    certificate = issuer.certificates.get()
    issuer.certificates.all().delete()
    assert told(nfe.post("nfsen", national_body(), ref="r1")) == (
        400, "empresa_nao_habilitada", "A empresa não tem certificado digital.", [],
    )  # fmt: skip
    certificate.save(force_insert=True)
    at_moment(clock.now() + timedelta(days=5000))
    assert told(nfe.post("nfsen", national_body(), ref="r1")) == (
        400, "certificado_vencido", "O certificado do emitente está vencido", [],
    )  # fmt: skip
    assert not ServiceNote.objects.exists()
    assert not sandbox.requests(servico="nota_envio")


# --- states ------------------------------------------------------------------------------------


def test_every_status_and_what_may_be_asked_in_it(nfe, issuer, sandbox):
    """processando_autorizacao → erro_autorizacao → autorizado → cancelado; substituido."""

    def note(ref="r1"):
        return nfe.get(f"nfsen/{ref}").json()

    def refusals(ref, issue, cancel, email):
        answers = (
            nfe.post("nfsen", national_body(), ref=ref),
            nfe.delete(f"nfsen/{ref}", REASON),
            nfe.post(f"nfsen/{ref}/email", {"emails": ["a@example.com"]}),
        )
        for answer, wanted in zip(answers, (issue, cancel, email), strict=True):
            assert wanted is None or told(answer)[:3] == wanted

    unauthorized = (
        400, "nfe_nao_autorizada", "Nota fiscal não autorizada não pode ser cancelada",
    )  # fmt: skip
    no_mail = (422, "nfe_nao_autorizada", "Nota fiscal não autorizada.")
    issued = (422, "nfe_autorizada", "Nota fiscal já autorizada")
    cancelled = (400, "nfe_cancelada", "Nota fiscal já cancelada")
    accepted = {"cnpj_prestador": issuer.cnpj, "ref": "r1", "status": "processando_autorizacao"}

    wrong = national_body(codigo_tributacao_nacional_iss="999999")
    answer = nfe.post("nfsen", wrong, ref="r1")
    assert (answer.status_code, answer.json()) == (202, accepted)
    assert note() == accepted
    processing = (422, "em_processamento", "Nota fiscal em processamento")
    refusals("r1", processing, unauthorized, no_mail)

    dispatch.work()
    shown = note()
    assert shown["status"] == "erro_autorizacao"
    assert [one["codigo"] for one in shown["erros"]] == ["E0310"]
    assert shown["erros"][0].keys() == {"codigo", "mensagem", "correcao"}
    assert "caminho_xml_nota_fiscal" not in shown
    assert "url_danfse" not in shown
    refusals("r1", None, unauthorized, no_mail)  # taken again, with a good body

    dispatch.work()
    shown = note()
    assert shown["status"] == "autorizado"
    assert re.fullmatch("[0-9]{50}", shown["codigo_verificacao"])
    assert shown["url"].endswith(shown["codigo_verificacao"])
    assert shown.keys() >= {"numero", "data_emissao", "url_danfse", "caminho_xml_nota_fiscal"}
    assert (shown["numero_rps"], shown["serie_rps"], shown["tipo_rps"]) == ("1", "1", "1")
    refusals("r1", issued, None, None)
    assert note()["status"] == "cancelado"
    assert note()["caminho_xml_cancelamento"].endswith("-can.xml")
    refusals("r1", issued, cancelled, None)

    nfe.post("nfsen", national_body(), ref="r2")
    dispatch.work()
    replacing = national_body(
        chave_nfse_substituida=note("r2")["codigo_verificacao"],
        codigo_justificativa_substituicao="01",
    )
    nfe.post("nfsen", replacing, ref="r3")
    dispatch.work()
    assert (note("r2")["status"], note("r3")["status"]) == ("substituido", "autorizado")
    assert note("r2")["numero_nfse_substituta"] == note("r3")["numero"]
    refusals("r2", issued, cancelled, None)
    answer = told(nfe.post("nfsen", replacing, ref="r4"))
    assert answer[:2] == (400, "requisicao_invalida")


def test_files_are_there_when_the_note_is_and_only_for_its_company(
    nfe, issuer, sandbox, account, other_account
):
    from factories import FiscalCompanyFactory

    nfe.post("nfsen", national_body(), ref="r1")
    dispatch.work()
    shown = nfe.get("nfsen/r1").json()
    xml = shown["caminho_xml_nota_fiscal"]
    pdf = xml.replace("/XMLs/", "/DANFSEs/").replace("-nfse.xml", ".pdf")
    stranger = FiscalCompanyFactory(account=other_account, cnpj="11444777000161")
    sister = FiscalCompanyFactory(account=account, cnpj="87011122000161")
    certify(sister)
    tokens = [fiscal_token(stranger), fiscal_token(sister), fiscal_token(issuer, "producao")]
    for path, start in ((xml, b"<?xml"), (pdf, b"%PDF")):
        own = Client().get(path, headers={"Authorization": _basic(nfe.token)})
        assert (own.status_code, own.content[: len(start)]) == (200, start)
        assert Client().get(path).status_code == 401
        for token in tokens:
            assert Client().get(path, headers={"Authorization": _basic(token)}).status_code == 404
    nfe.post("nfsen", national_body(), ref="r2")
    before = pdf.rpartition("/")[0] + f"/{issuer.cnpj}-3550308-1-2.pdf"
    assert Client().get(before, headers={"Authorization": _basic(nfe.token)}).status_code == 404


def _basic(token):
    return "Basic " + base64.b64encode(f"{token}:".encode()).decode()


def test_a_city_without_agreement_and_an_unknown_service_are_refused_by_sefin(nfe, issuer, sandbox):
    """What only Sefin can know comes with the query, with its code."""
    sandbox.told("POST", "municipios", {"3304557": {"convenio": None}, "2304400": {"convenio": 0}})
    cases = [
        ("none", {"codigo_municipio_emissora": "3304557"}, "E0037"),
        ("inactive", {"codigo_municipio_emissora": "2304400"}, "E0038"),
        ("service", {"codigo_tributacao_nacional_iss": "999999"}, "E0310"),
        ("immunity", {"tipo_imunidade": "1"}, "E0592"),
    ]
    for ref, changes, _ in cases:
        assert nfe.post("nfsen", national_body(**changes), ref=ref).status_code == 202, ref
    dispatch.work()
    for ref, _, code in cases:
        shown = nfe.get(f"nfsen/{ref}").json()
        assert shown["status"] == "erro_autorizacao", ref
        assert code in [one["codigo"] for one in shown["erros"]], (ref, shown["erros"])
        assert all(one["mensagem"] for one in shown["erros"])


# --- cancelling --------------------------------------------------------------------------------


def test_every_answer_to_a_cancellation(nfe, issuer, sandbox):
    """§5.3, NAC-11: cancelado, erro_cancelamento, and the city's analysis past its term."""
    nfe.post("nfsen", national_body(), ref="r1")
    dispatch.work()
    bad = 'Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.'
    for sent, text in (
        ({}, 'Parâmetro "justificativa" não informado.'),
        ({"justificativa": "curta"}, bad),
        ({"justificativa": "x" * 256}, bad),
        ({"justificativa": " " * 20}, bad),
        ({"justificativa": ["x" * 20]}, bad),
        ({"justificativa": "\U0001f600" * 15}, bad),
        (REASON | {"codigo_cancelamento": {"a": 1}}, 'Parâmetro "codigo_cancelamento" inválido.'),
        (REASON | {"codigo_cancelamento": "7"},
         "Código de cancelamento inválido. Use um destes: 1, 2, 9."),
        (REASON | {"analise_fiscal": "talvez"},
         'Parâmetro "analise_fiscal" inválido: Informe true ou false.'),
    ):  # fmt: skip
        assert told(nfe.delete("nfsen/r1", sent)) == (400, MISSING, text, []), sent
    assert not ServiceOrder.objects.exists()

    sandbox.fault("cancelamento_recusado", vezes=1)
    answer = nfe.delete("nfsen/r1", REASON)
    assert (answer.status_code, answer.json()["status"]) == (200, "erro_cancelamento")
    assert answer.json()["erros"][0]["codigo"] == "E0827"

    sandbox.told("POST", "municipios", {"3550308": {"prazo_horas": 0}})
    answer = nfe.delete("nfsen/r1", REASON)
    assert (answer.status_code, answer.json()["status"]) == (200, "erro_cancelamento")
    error = answer.json()["erros"][0]
    assert error["codigo"] == "E0822"
    assert '"analise_fiscal": true' in error["correcao"]

    for result, status in (("indeferido", "autorizado"), ("deferido", "cancelado")):
        for _ in range(2):  # the second finds the first
            answer = nfe.delete("nfsen/r1", REASON | {"analise_fiscal": True})
            assert (answer.status_code, answer.json()) == (
                202,
                {"status": "processando_autorizacao",
                 "mensagem": "O cancelamento está em análise."},
            )  # fmt: skip
        assert nfe.delete("nfsen/r1", REASON).status_code == 202
        shown = nfe.get("nfsen/r1").json()
        assert shown["status"] == "autorizado"
        decision = {"resultado": result, "chave": shown["codigo_verificacao"]}
        sandbox.told("POST", "analise", decision)
        orders.resume(ServiceOrder.objects.latest("pk").pk)
        assert nfe.get("nfsen/r1").json()["status"] == status
    kinds = list(ServiceOrder.objects.order_by("pk").values_list("kind", "state"))
    assert kinds == [
        ("cancelamento", OrderState.REJEITADO),
        ("cancelamento", OrderState.REJEITADO),
        ("analise", OrderState.REJEITADO),
        ("analise", OrderState.REGISTRADO),
    ]


# --- numbers -----------------------------------------------------------------------------------


def test_a_number_that_another_system_used_is_told_and_the_next_one_taken(nfe, issuer, sandbox):
    """E0014 with somebody else's note behind it: told (§5.3), and the same ref goes on."""
    for ref in ("r1", "r2"):
        nfe.post("nfsen", national_body(), ref=ref)
    dispatch.work()
    first = ServiceNote.objects.get(ref="r1")
    # As if another system of the company had issued it: the same service, the same taker.
    ServiceNote.objects.filter(pk=first.pk).update(rps_number=9001, key=None)
    issuer.service_series.update(next_number=1)

    at_home = clock.now().astimezone(ZoneInfo("America/Sao_Paulo"))
    earlier = (at_home - timedelta(hours=1)).isoformat()  # else it would be the same bytes
    today = {"data_emissao": earlier, "data_competencia": earlier[:10]}
    nfe.post("nfsen", national_body(**today), ref="r3")
    dispatch.work()

    shown = nfe.get("nfsen/r3").json()
    assert (shown["status"], shown["erros"][0]["codigo"]) == ("erro_autorizacao", "E0014"), shown
    assert "próximo número" in shown["erros"][0]["correcao"]
    assert nfe.post("nfsen", national_body(), ref="r3").status_code == 202
    dispatch.work()
    shown = nfe.get("nfsen/r3").json()
    assert (shown["status"], shown["numero_rps"]) == ("autorizado", "3")

    # A client that numbers by itself corrects the number, or the series, in the body.
    for ref, numbers in (("r4", {"numero_dps": 1}), ("r5", {"numero_dps": 1, "serie_dps": 1})):
        body = national_body(**numbers, **today)
        assert nfe.post("nfsen", body, ref=ref).status_code == 202, ref
        dispatch.work()
        assert nfe.get(f"nfsen/{ref}").json()["erros"][0]["codigo"] == "E0014", ref
        if ref == "r4":
            assert nfe.post("nfsen", national_body(numero_dps=70), ref=ref).status_code == 202
    again = national_body(numero_dps=70, serie_dps=1)
    assert told(nfe.post("nfsen", again, ref="r5"))[:2] == (400, MISSING)  # r4 has it
    again = national_body(numero_dps=70, serie_dps=2)
    assert nfe.post("nfsen", again, ref="r5").status_code == 202
    dispatch.work()
    for ref, series in (("r4", "1"), ("r5", "2")):
        shown = nfe.get(f"nfsen/{ref}").json()
        assert (shown["status"], shown["numero_rps"], shown["serie_rps"]) == (
            "autorizado", "70", series,
        )  # fmt: skip


@pytest.mark.parametrize("amount", ["1e2", "1E+2", "100", "100.00", "10000e-2"])
def test_a_number_means_the_same_when_it_is_read_again(nfe, issuer, sandbox, amount):
    """The body is kept, and read once more by whoever signs it."""
    text = json.dumps(national_body(valor_servico="@", tributacao_iss="#"))
    raw = text.replace('"@"', amount).replace('"#"', "1.0")

    assert nfe.post("nfsen", raw.encode(), ref="r1").status_code == 202
    dispatch.work()

    note = ServiceNote.objects.get()
    assert (note.state, note.declared["valor_servicos"]) == (NoteState.AUTORIZADO, "100.00")


# --- answers that prove nothing ----------------------------------------------------------------

DPS_ID = re.compile(rb'Id="(DPS[0-9A-Z]{42})"')
VALUE = re.compile(rb"<vServ>[^<]*</vServ>")
HTML = "<html><body>Service Unavailable</body></html>"
Answer = Callable[["There", bytes, str], Reply]


@dataclass
class There:
    """Sefin behind `transport.request`: takes every DPS, and answers the next one as told."""

    next: list[tuple[bool, Answer]] = field(default_factory=list)  # whether it is taken
    held: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # Id of the DPS → key, NFS-e
    sent: list[bytes] = field(default_factory=list)

    def __call__(self, method: str, url: str, body: bytes | None = None, **_: Any) -> Reply:
        _, _, path = url.partition("/SefinNacional/")
        if not path:
            raise NotSent("Parâmetros fora do ar.")
        if method == "POST":
            return self._take(unpacked(json.loads(body or b"")["dpsXmlGZipB64"]))
        kind, _, name = path.partition("/")
        if kind == "dps" and name in self.held:
            return says(200, {"chaveAcesso": self.held[name][0]})
        for key, note in self.held.values():
            if kind == "nfse" and name == key:
                return says(200, {"nfseXmlGZipB64": packed(note)})
        return says(404, "")

    def _take(self, dps: bytes) -> Reply:
        self.sent.append(dps)
        identity = DPS_ID.search(dps)
        assert identity is not None
        name, key = identity[1].decode(), key_of(number=len(self.sent))
        is_taken, answer = self.next.pop(0) if self.next else (True, created)
        if is_taken:
            self.held[name] = (key, nfse(dps.partition(b"?>")[2], key=key))
        return answer(self, dps, key)


def says(status: int, body: Any, wait: int = 0) -> Reply:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(raw, "utf-8", 3, status, retry_after=wait)


def always(status: int, body: Any, wait: int = 0) -> Answer:
    return lambda there, dps, key: says(status, body, wait)


def fails(error: Exception) -> Answer:
    def answer(there: There, dps: bytes, key: str) -> Reply:
        raise error

    return answer


def created(there: There, dps: bytes, key: str) -> Reply:
    return says(201, {"nfseXmlGZipB64": packed(nfse(dps.partition(b"?>")[2], key=key))})


def somebody_elses(there: There, dps: bytes, key: str) -> Reply:
    other = there.sent[0].partition(b"?>")[2]
    return says(201, {"nfseXmlGZipB64": packed(nfse(other, key=key_of(number=1)))})


def under_a_known_key(there: There, dps: bytes, key: str) -> Reply:
    own = nfse(dps.partition(b"?>")[2], key=key_of(number=1))
    return says(201, {"nfseXmlGZipB64": packed(own)})


def of_another_value(there: There, dps: bytes, key: str) -> Reply:
    changed = VALUE.sub(b"<vServ>7.00</vServ>", dps).partition(b"?>")[2]
    return says(201, {"nfseXmlGZipB64": packed(nfse(changed, key=key))})


def cut(there: There, dps: bytes, key: str) -> Reply:
    whole = packed(nfse(dps.partition(b"?>")[2], key=key))
    return says(201, {"nfseXmlGZipB64": whole[: len(whole) // 2 & ~3]})


def bomb(there: There, dps: bytes, key: str) -> Reply:
    huge = gzip.compress(b"<" + b" " * 64_000_000, compresslevel=1)
    return says(201, {"nfseXmlGZipB64": base64.b64encode(huge).decode()})


P, A, R = "processando_autorizacao", "autorizado", "erro_autorizacao"
# What, whether the DPS is taken all the same, the answer, the status then, and after a question.
ANSWERS: list[tuple[str, bool, Answer, str, str]] = [
    ("a note", True, created, A, A),
    ("HTML with 200, taken", True, always(200, HTML), P, A),
    ("HTML with 200, not taken", False, always(200, HTML), P, A),
    ("JSON without a note", True, always(201, {"chaveAcesso": "1"}), P, A),
    ("nothing", False, always(201, ""), P, A),
    ("half a gzip", True, cut, P, A),
    ("a bomb", True, bomb, P, A),
    ("the note of another DPS", False, somebody_elses, P, A),
    ("our DPS under the key of another note", True, under_a_known_key, P, A),
    ("another value", True, of_another_value, A, A),
    ("a reason", False, always(400, {"erros": [{"Codigo": "E0160"}]}), R, R),
    ("400 without a reason", False, always(400, {"status": 400}), P, A),
    ("404 of a gateway", False, always(404, HTML), P, A),
    ("500", True, always(500, HTML), P, A),
    ("503 with Retry-After", False, always(503, HTML, 120), P, A),
    ("429 with Retry-After", False, always(429, {}, 600), P, A),
    ("silence", True, fails(Lost("Sem resposta.")), P, A),
    ("no connection", False, fails(NotSent("Sem conexão.")), P, A),
    ("another certificate is wanted", False, always(403, {"erro": {"codigo": "E1203"}}), P, P),
]


def test_whatever_sefin_answers_there_is_one_note_there_and_here(
    nfe, issuer, monkeypatch, at_moment
):
    """NAC-8, NAC-9, REC-9."""
    there = There()
    monkeypatch.setattr(rest.transport, "request", there)
    for n, (what, is_taken, answer, then, at_last) in enumerate(ANSWERS):
        there.next.append((is_taken, answer))
        assert nfe.post("nfsen", national_body(), ref=f"r{n}").status_code == 202, what
        dispatch.work()
        assert nfe.get(f"nfsen/r{n}").json()["status"] == then, what
        note = ServiceNote.objects.get(ref=f"r{n}")
        if what.startswith("429"):
            wait = note.next_attempt_at - clock.now()
            assert timedelta(minutes=9) < wait <= timedelta(minutes=10)
        AuthorityStatus.objects.all().delete()  # each row is a day of its own
        if note.state == NoteState.TRANSMITINDO:  # an answer that could not be recorded
            at_moment(clock.now() + timedelta(minutes=3))
        for _ in range(2):
            sending.resume(note.pk)
        shown = nfe.get(f"nfsen/r{n}").json()
        assert shown["status"] == at_last, what
        if what == "another value":  # NAC-10
            assert [one["campo"] for one in shown["avisos"]][:1] == ["valor_servicos"], shown
    here = ServiceNote.objects.filter(state=NoteState.AUTORIZADO)
    assert sorted(row.key for row in here) == sorted(key for key, _ in there.held.values())
    assert len(there.held) == len(ANSWERS) - 2
    numbers = [row.rps_number for row in ServiceNote.objects.order_by("pk")]
    assert numbers == list(range(1, len(ANSWERS) + 1))
