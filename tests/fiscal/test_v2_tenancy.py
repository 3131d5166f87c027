"""No address of /v2, and no published file, gives a token more than its own company's.

TABLE says of every address what stands in it, what a good body is, which tokens it takes and what
strangers are told. An address without a line fails. From each line come the tests: no token, wrong,
revoked, of another kind; the tokens of another company, another account and the other environment;
a malformed body; and after each of them every row of the database is as before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import URLResolver, get_resolver
from factories import FiscalCompanyFactory
from support.certificates import certify
from support.emptying import with_rows
from support.issuing import nfce_body, nfe_body
from support.service_notes import national_body, nfse_body
from support.v2 import fiscal_token, master_token, v2

from accounts.models import Account, ApiToken
from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token, revoke_token
from fiscal.api.base import UnknownView
from fiscal.models import (
    Backup,
    BlockedEmail,
    Company,
    FiscalDocument,
    Manifestation,
    ReceivedDocument,
    ReceivedNfe,
    ReceivedNfse,
    ServiceNote,
    Source,
)
from fiscal.services import archive
from fiscal.services.backups import location
from fiscal.services.delivery import advance
from fiscal.services.nfse import dispatch as note_dispatch
from fiscal.services.nfse import files as note_files
from lib import clock

REF = "r1"
OTHER_CNPJ = "11444777000161"
MAIL = "cliente@exemplo.test"
VERBS = ("get", "post", "put", "patch", "delete")

World = dict[str, Any]
Body = Callable[[World], Any]
Refused = tuple[int, str]
UNKNOWN: Refused = (404, "nao_encontrado")
UNKNOWN_NFCE: Refused = (404, "nfce_nao_encontrada")
FORBIDDEN: Refused = (403, "permissao_negada")


@dataclass(frozen=True)
class Line:
    """An address: what is put in its segments and query, good bodies, and who is told what.

    `strangers` says what the token of another company of the account, of another account and of
    the other environment is told (`who/kind`: with that kind of token); whom it leaves out may ask.
    `malformed`: what is told of a body that cannot be read. `is_silent`: a wrong token is 401
    without a body (§14.3).
    """

    segments: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Body] = field(default_factory=dict)
    query: str = ""
    takes: tuple[str, ...] = ("fiscal",)
    strangers: dict[str, Refused] = field(default_factory=dict)
    malformed: Refused = (415, "requisicao_invalida")
    is_silent: bool = False


def all_told(told: Refused) -> dict[str, Refused]:
    return dict.fromkeys(("company", "account", "ambiente"), told)


def elsewhere(told: Refused) -> dict[str, Refused]:
    """Told to other companies; in the other environment the company's own token may ask."""
    return dict.fromkeys(("company", "account"), told)


def given(**fields: Any) -> Body:
    return lambda world: {**fields}


# --- the table ---------------------------------------------------------------------------------

WHY = given(justificativa="Venda desfeita pelo cliente")
RANGE = given(
    cnpj="11222333000181",
    serie="1",
    numero_inicial="50",
    numero_final="51",
    justificativa="Faixa pulada na troca de sistema",
)
PAYMENT = {"forma_pagamento": "01", "valor_pagamento": "20.00", "data_pagamento": "2026-01-01"}
ECONF = given(detalhes_pagamento=[PAYMENT])
FAILED = given(
    data_tentativa_entrega="2026-01-01T10:00:00-03:00",
    motivo_insucesso="1",
    hash_tentativa_entrega="qvTGHdzF6KLavt4PO0gs2a6pQ00=",
)
GENERIC = given(tipo_evento="prorrogacao_suspensao_icms")
OF_NFE = Line({"ref": "ref"}, strangers=all_told(UNKNOWN))
OF_NFCE = Line({"ref": "ref"}, strangers=all_told(UNKNOWN_NFCE))
FILE = replace(OF_NFE, segments={})
RECEIVED = Line({"chave": "received", "form": "form"}, strangers=all_told(UNKNOWN))
LOOKUP = Line({"code": "code", "item": "code", "cnpj": "cnpj"}, takes=("fiscal", "master"))
MASTER = Line(
    takes=("master",), malformed=(400, "parametros_invalidos"), is_silent=True,
)  # fmt: skip


def of(line: Line, **bodies: Body) -> Line:
    return replace(line, bodies=bodies)


def own_nfe(world: World) -> dict[str, Any]:
    return nfe_body(cnpj_emitente=world["cnpj"])


def own_nfce(world: World) -> dict[str, Any]:
    return nfce_body(cnpj_emitente=world["cnpj"])


def own_nfse(world: World) -> dict[str, Any]:
    return nfse_body(prestador={"cnpj": world["cnpj"]})


def own_nfsen(world: World) -> dict[str, Any]:
    return national_body(cnpj_prestador=world["cnpj"])


def own_batch(world: World) -> dict[str, Any]:
    note = {name: value for name, value in nfse_body().items() if name != "prestador"}
    note["servico"] = {**note["servico"], "codigo_tributario_municipio": "2658"}
    issuer = {
        "cnpj": world["cnpj"], "codigo_municipio": "3550308", "inscricao_municipal": "31000000",
    }  # fmt: skip
    return {"prestador": issuer, "lista_nfse": [note]}


def hook(world: World) -> dict[str, Any]:
    return {"event": "nfe", "url": "https://8.8.8.8/avisos", "cnpj": world["cnpj"]}


RECEIVED_BODIES = {
    "/manifesto": given(tipo="ciencia"),
    "/evento": given(tipo_evento="aceite_debito", aceite=True),
}
ISSUE = Line(query=f"ref={REF}-novo", strangers=elsewhere(FORBIDDEN))
LIST = Line(query="cnpj=11222333000181", strangers=elsewhere(FORBIDDEN))
# The account's own token knows no company of another account.
OF_BACKUPS = all_told(FORBIDDEN) | {"account/master": UNKNOWN}
VOIDING = Line(bodies={"post": RANGE}, strangers=elsewhere(FORBIDDEN))

TABLE: dict[str, Line] = {
    "v2/nfe": of(ISSUE, post=own_nfe),
    "v2/nfce": of(ISSUE, post=own_nfce),
    "v2/nfe/<ref>": of(OF_NFE, delete=WHY),
    "v2/nfce/<ref>": of(OF_NFCE, delete=WHY),
    "v2/nfe/<ref>/carta_correcao": of(OF_NFE, post=given(correcao="Onde se le azul, leia-se anil")),
    "v2/nfe/<ref>/ator_interessado": of(OF_NFE, post=given(cnpj=OTHER_CNPJ)),
    "v2/nfe/<ref>/insucesso_entrega": of(OF_NFE, post=FAILED),
    "v2/nfe/<ref>/evento": of(OF_NFE, post=GENERIC, delete=GENERIC),
    "v2/nfe/<ref>/econf": of(OF_NFE, post=ECONF),
    "v2/nfce/<ref>/econf": of(OF_NFCE, post=ECONF),
    "v2/nfe/<ref>/econf/<protocolo>": replace(
        OF_NFE, segments={"ref": "ref", "protocolo": "protocolo"}
    ),
    "v2/nfce/<ref>/econf/<protocolo>": replace(
        OF_NFCE, segments={"ref": "ref", "protocolo": "protocolo"}
    ),
    "v2/nfe/<ref>/email": of(OF_NFE, post=given(emails=[MAIL])),
    "v2/nfce/<ref>/email": of(OF_NFCE, post=given(emails=[MAIL])),
    "v2/nfe/<ref>/hook": of(OF_NFE, post=given()),
    "v2/nfce/<ref>/hook": of(OF_NFCE, post=given()),
    "v2/nfse": of(ISSUE, post=own_nfse),
    "v2/nfsen": of(ISSUE, post=own_nfsen),
    **{
        f"v2/{kind}/<ref>{rest}": of(OF_NFE, **bodies)
        for kind in ("nfse", "nfsen")
        for rest, bodies in (
            ("", {"delete": WHY}),
            ("/email", {"post": given(emails=[MAIL])}),
            ("/hook", {"post": given()}),
        )
    },
    "v2/lotes_rps": of(ISSUE, post=own_batch),
    "v2/lotes_rps/<ref>": OF_NFE,
    # Its body is a city's file, whatever it looks like.
    "v2/lotes_rps/<ref>/resposta": replace(
        of(OF_NFE, post=given()), malformed=(422, "erro_validacao")
    ),
    "v2/nfe/inutilizacao": VOIDING,
    "v2/nfce/inutilizacao": VOIDING,
    "v2/nfe/inutilizacoes": LIST,
    "v2/nfce/inutilizacoes": LIST,
    "v2/nfe/importacao": replace(
        of(ISSUE, post=lambda world: world["xml"]), malformed=(422, "erro_validacao_xml")
    ),
    "v2/nfe/danfe": replace(of(ISSUE, post=own_nfe), query=""),
    "v2/hooks": Line(
        bodies={"post": hook}, takes=("fiscal", "master"), strangers=elsewhere(FORBIDDEN)
    ),
    "v2/hooks/<public_id>": Line(
        {"public_id": "hook"}, takes=("fiscal", "master"), strangers=all_told(UNKNOWN)
    ),
    # One list for the whole account, whichever of its tokens asks (§16).
    "v2/blocked_emails/<email>": Line(
        {"email": "email"}, takes=("fiscal", "master"), strangers={"account": UNKNOWN}
    ),
    # Of produção: here the other environment is homologação.
    "v2/backups/<document>.json": Line(
        {"document": "cnpj"}, takes=("producao", "master"), strangers=OF_BACKUPS
    ),
    "v2/empresas": of(MASTER, post=given(nome="Nova Ltda", cnpj=OTHER_CNPJ)),
    "v2/empresas/<key>": replace(
        of(MASTER, put=given(nome="Outro nome")),
        segments={"key": "company"},
        strangers={"account": (422, "permissao_negada")},
    ),
    "v2/empresas/<key>/logo.png": replace(
        MASTER, segments={"key": "company"}, strangers={"account": (422, "permissao_negada")}
    ),
    **{
        f"v2/{name}{rest}": LOOKUP
        for name in ("ncms", "cfops", "codigos_cnae", "municipios", "ceps")
        for rest in ("", "/<code>")
    },
    **{
        f"v2/municipios/<code>/{name}{rest}": LOOKUP
        for name in ("itens_lista_servico", "codigos_tributarios_municipio")
        for rest in ("", "/<item>")
    },
    "v2/cnpjs/<cnpj>": LOOKUP,
    "<root>/<owner>/<month>/XMLs/<name>": replace(
        FILE, segments={"root": "root", "owner": "owner", "month": "month", "name": "file"}
    ),
    "<root>/<owner>/<month>/DANFEs/<chave>.pdf": replace(
        FILE, segments={"root": "root", "owner": "owner", "month": "month", "chave": "chave"}
    ),
    "<root>/<owner>/<month>/DANFSEs/<stem>.pdf": replace(
        FILE, segments={"root": "root", "owner": "owner", "month": "month", "stem": "stem"}
    ),
    "notas_fiscais/NFe<chave>/cartas_correcao/<n_seq>.pdf": replace(
        FILE, segments={"chave": "chave", "n_seq": "n_seq"}
    ),
    "v2/nfes_recebidas": LIST,
    "v2/nfses_recebidas": LIST,
    "v2/nfsens_recebidas": LIST,
    **{
        f"v2/{resource}/<chave>{rest}": of(RECEIVED, post=body, delete=body)
        for resource, rests in {
            "nfes_recebidas": (
                "",
                ".<form>",
                "/cancelamento.xml",
                "/carta_correcao.xml",
                "/manifesto",
                "/evento",
                "/hook",
            ),
            "nfses_recebidas": ("", ".<form>", "/hook"),
            "nfsens_recebidas": ("", ".<form>", "/hook"),
        }.items()
        for rest in rests
        for body in (RECEIVED_BODIES.get(rest, given()),)
    },
    "notas_fiscais/NFe<chave>/recebida.pdf": replace(FILE, segments={"chave": "received"}),
    "notas_fiscais_consumidor/NFe<chave>.html": replace(FILE, segments={"chave": "chave_nfce"}),
    "arquivos/<document>_<company_id>/<month>/backups/<part>.zip": Line(
        {"document": "cnpj", "company_id": "company", "month": "month", "part": "part"},
        takes=("producao", "master"),
        strangers=OF_BACKUPS,
    ),
}


def endpoints() -> dict[str, Any]:
    """Address → view, of /v2 and of the published files; (nfe|nfce) are two addresses."""
    found: dict[str, Any] = {}
    for one in get_resolver().url_patterns:
        inner = [one]
        if isinstance(one, URLResolver):
            inner = one.url_patterns if str(one.pattern) == "v2/" else []
        for each in inner:
            view = getattr(each.callback, "view_class", None)
            if view is None or not view.__module__.startswith("fiscal."):
                continue
            if view is UnknownView:  # tells anybody that there is nothing (test_v2_access)
                continue
            for route in routes_of(str(each.pattern)):
                found["v2/" * (each is not one) + route] = view
    return found


def routes_of(pattern: str) -> list[str]:
    text = re.sub(r"\(\?P<(\w+)>[^()]*\)", r"<\1>", pattern.removeprefix("^").removesuffix("$"))
    text = re.sub(r"<\w+:(\w+)>", r"<\1>", text).replace("\\.", ".")
    if "<kind>" in text:
        return [text.replace("<kind>", kind) for kind in ("nfe", "nfce")]
    return [text]


def cases() -> list[tuple[str, str]]:
    return [
        (route, method)
        for route, view in endpoints().items()
        for method in VERBS
        if route in TABLE and hasattr(view, method)
    ]


CASES = cases()


# --- a company with one of everything ------------------------------------------------------------


@pytest.fixture
def world(account: Account, company: Company, sandbox: Any) -> World:
    """Documents, a carta de correção, a hook, a blocked address and a backup of the company."""
    token, produced = fiscal_token(company), fiscal_token(company, "producao")
    nfe = v2(token)
    nfe.post("nfe", nfe_body(), ref=REF)
    advance(FiscalDocument.objects.get().pk)
    nfe.post("nfce", nfce_body(), ref=REF)
    corrected = nfe.post(f"nfe/{REF}/carta_correcao", {"correcao": "Onde se le azul, leia-se anil"})
    told, consumer = nfe.get(f"nfe/{REF}").json(), nfe.get(f"nfce/{REF}").json()
    assert corrected.json()["status"] == told["status"] == consumer["status"] == "autorizado"
    made = nfe.post("hooks", {"event": "nfe", "url": "https://8.8.8.8/avisos"})
    assert made.status_code == 200, made.content
    root, owner, month, _, name = told["caminho_xml_nota_fiscal"].strip("/").split("/")
    BlockedEmail.objects.create(
        account=account, email=MAIL, block_type="bounce", bounce_type="permanent",
        blocked_at=clock.now(),
    )  # fmt: skip
    location("copia.zip").parent.mkdir(parents=True, exist_ok=True)
    location("copia.zip").write_bytes(b"PK")
    Backup.objects.create(account=account, company=company, month=month, xmls="copia.zip")
    letter = told["caminho_xml_nota_fiscal"].replace("-nfe.xml", "-cce-01.xml")
    received = received_rows(
        company, told["chave_nfe"][3:],
        nfe.get(told["caminho_xml_nota_fiscal"]).content, nfe.get(letter).content,
    )  # fmt: skip
    for kind, body in (("nfse", nfse_body()), ("nfsen", national_body())):
        assert nfe.post(kind, body, ref=REF).status_code == 202
        note_dispatch.work()
        assert nfe.get(f"{kind}/{REF}").json()["status"] == "autorizado"
    batch = nfe.post("lotes_rps", own_batch({"cnpj": company.cnpj}), ref=REF)
    assert batch.status_code == 201, batch.content
    stem = note_files.stem(ServiceNote.objects.get(tipo="nfse", ref=REF))
    return {
        "stem": stem,
        "received": received, "form": "xml",
        "tokens": {"fiscal": token, "producao": produced, "master": master_token(account)},
        "ref": REF, "cnpj": company.cnpj, "company": company.pk, "protocolo": told["protocolo"],
        "root": root, "owner": owner, "month": month, "file": name, "part": "xmls",
        "chave": told["chave_nfe"][3:], "chave_nfce": consumer["chave_nfe"][3:], "n_seq": 1,
        "hook": made.json()["id"], "email": MAIL, "code": "1",
        "xml": nfe.get(told["caminho_xml_nota_fiscal"]).content,
    }  # fmt: skip


def received_rows(company: Company, chave: str, note: bytes, letter: bytes) -> str:
    """A note of each kind that the company received, all under one key, with their files."""
    company.options |= {
        "habilita_manifestacao": True,
        "habilita_nfsen_recebidas_homologacao": True,
        "habilita_nfsen_recebidas_producao": True,
    }
    company.habilita_nfse = company.habilita_nfsen_homologacao = True
    company.habilita_nfsen_producao = True
    company.save()
    own = {"account": company.account, "company": company, "ambiente": "homologacao", "nsu": 1,
           "chave": chave, "created_at": clock.now()}  # fmt: skip
    shown = own | {"versao": 1, "updated_at": clock.now()}
    row = ReceivedNfe.objects.create(**shown, is_complete=True, manifestacao="ciencia")
    Manifestation.objects.create(
        account=company.account, received=row, tp_evento="210210", state="registrado",
        c_stat="135", xml=b"", dh_evento=clock.now(), created_at=clock.now(),
    )  # fmt: skip
    for source in (Source.NFSE, Source.NFSEN):
        ReceivedNfse.objects.create(source=source, **shown)
    files = [
        (Source.NFE, "procNFe_v4.00.xsd", note), (Source.NFE, "procEventoNFe_v1.00.xsd", letter),
        (Source.NFSE, "NFSE", note), (Source.NFSEN, "NFSE", note),
    ]  # fmt: skip
    for nsu, (source, schema, content) in enumerate(files):
        ReceivedDocument.objects.create(
            **own | {"nsu": nsu}, source=source, schema=schema, content=archive.packed(content),
            size=len(content), sha256="",
        )  # fmt: skip
    return chave


def strangers_of(world: World, other: Account) -> dict[str, dict[str, str]]:
    """Who they are → kind of token → the token."""
    company = Company.objects.get(pk=world["company"])
    sister = FiscalCompanyFactory(account=company.account, cnpj=OTHER_CNPJ)
    neighbour = FiscalCompanyFactory(account=other, cnpj="11222333000343")
    for one in (sister, neighbour):
        certify(one)
    return {
        "company": {a: fiscal_token(sister, b) for a, b in (FISCAL, PRODUCAO)},
        "account": {a: fiscal_token(neighbour, b) for a, b in (FISCAL, PRODUCAO)}
        | {"master": master_token(other)},
        "ambiente": {
            "fiscal": world["tokens"]["producao"],
            "producao": world["tokens"]["fiscal"],
        },
    }


FISCAL, PRODUCAO = ("fiscal", "homologacao"), ("producao", "producao")


def call(token: str, route: str, method: str, world: World, body: Any = None) -> Any:
    cache.clear()  # one test makes more requests than a minute allows
    line = TABLE[route]
    path = "/" + re.sub(r"<(\w+)>", lambda m: str(world[line.segments[m[1]]]), route)
    query = f"?{line.query}" if line.query else ""
    return v2(token).call(method.upper(), path + query, body)


def good_body(route: str, method: str, world: World) -> Any:
    make = TABLE[route].bodies.get(method)
    return make(world) if make else None


def told(answer: Any) -> Refused:
    body = json.loads(answer.content)
    assert set(body) <= {"codigo", "mensagem", "erros"}, body
    return answer.status_code, body["codigo"]


def fingerprint() -> dict[str, str]:
    """Table with rows → SHA-256 of them all; without what each request touches on its own."""
    found = {}
    filled = with_rows(connection)
    for model in apps.get_models():
        if model._meta.app_label not in ("accounts", "fiscal", "django_q"):
            continue
        if model._meta.db_table not in filled:
            continue
        names = [f.attname for f in model._meta.concrete_fields if f.attname != "last_used_at"]
        rows = model._base_manager.order_by("pk").values_list(*names)
        found[model.__name__] = hashlib.sha256(repr(list(rows)).encode()).hexdigest()
    return found


@contextmanager
def unchanged(before: dict[str, str]) -> Iterator[None]:
    """What happens inside is undone; fails when a row was other than `before` by its end."""
    with transaction.atomic():
        yield
        after = fingerprint()
        transaction.set_rollback(True)
    names = before.keys() | after.keys()
    assert [name for name in names if after.get(name) != before.get(name)] == []


# --- the tests -----------------------------------------------------------------------------------


def test_every_address_has_a_line_and_every_line_an_address():
    served = set(endpoints())

    assert served - set(TABLE) == set(), "add them to TABLE"
    assert set(TABLE) - served == set()


def test_every_segment_and_every_write_is_told():
    for route, method in CASES:
        assert set(re.findall(r"<(\w+)>", route)) <= set(TABLE[route].segments), route
        if method in ("post", "put", "patch"):
            assert method in TABLE[route].bodies, (route, method)


# A token is looked up before anything else: no database can make a difference to who has none.
@pytest.mark.either_engine
@pytest.mark.django_db
def test_whoever_has_no_good_token_is_told_nothing(world, account, sandbox, subtests):
    revoked, secret = create_token(
        account, name="Revogado", scope=ApiToken.Scope.FISCAL,
        company_cnpj=world["cnpj"], ambiente="homologacao",
    )  # fmt: skip
    revoke_token(revoked.pk, account=account, actor=SYSTEM)
    master, gone = create_token(account, name="Revogado", scope=ApiToken.Scope.MASTER)
    revoke_token(master.pk, account=account, actor=SYSTEM)
    before = fingerprint()

    for route, method in CASES:
        bodies = (good_body(route, method, world), "{")
        with subtests.test(route=route, method=method), unchanged(before):
            for body in bodies:
                nobody = call("", route, method, world, body)
                silence = b"" if TABLE[route].is_silent else b"HTTP Basic: Access denied\n"
                assert (nobody.status_code, nobody.content) == (401, silence)
                for token in ("0" * 32, secret, gone):
                    wrong = call(token, route, method, world, body)
                    if TABLE[route].is_silent:
                        assert (wrong.status_code, wrong.content) == (401, b"")
                    else:
                        assert told(wrong) == FORBIDDEN


@pytest.mark.either_engine
@pytest.mark.django_db
def test_a_token_of_another_kind_is_forbidden(world, account, subtests):
    tokens = world["tokens"] | {"billing": create_token(account, name="x", scope="billing")[1]}
    before = fingerprint()

    for route, method in CASES:
        takes = set(TABLE[route].takes)
        kinds = {"billing", "master", "fiscal"} - takes
        if "producao" in takes:
            kinds.discard("fiscal")  # refused as the other environment
        with subtests.test(route=route, method=method), unchanged(before):
            for kind in kinds:
                for body in (good_body(route, method, world), "{"):
                    assert told(call(tokens[kind], route, method, world, body)) == FORBIDDEN


@pytest.mark.django_db
def test_strangers_are_refused(world, other_account, subtests):
    strangers = strangers_of(world, other_account)
    before = fingerprint()

    for route, method in CASES:
        if (route, method) in OWN_TO_EACH:
            continue
        refused = TABLE[route].strangers
        for who in set(refused) & set(strangers):
            tokens = strangers[who]
            with subtests.test(route=route, method=method, who=who), unchanged(before):
                for kind in set(TABLE[route].takes) & set(tokens):
                    answer = call(
                        tokens[kind], route, method, world, good_body(route, method, world)
                    )
                    expected = refused.get(f"{who}/{kind}", refused[who])
                    assert told(answer) == expected, (kind, answer.content)


# Lists answer everybody, with what is theirs.
OWN_TO_EACH = {("v2/hooks", "get"), ("v2/empresas", "get")}


@pytest.mark.django_db
def test_lists_show_what_is_ones_own(world, other_account):
    strangers = strangers_of(world, other_account)

    for who in ("company", "account", "ambiente"):
        assert v2(strangers[who]["fiscal"]).get("hooks").json() == []
    assert v2(strangers["account"]["master"]).get("hooks").json() == []
    [mine] = v2(world["tokens"]["fiscal"]).get("hooks").json()
    assert mine["id"] == world["hook"]
    shown = v2(strangers["account"]["master"]).get("empresas").json()
    assert world["company"] not in [one["id"] for one in shown]


@pytest.mark.django_db
def test_a_malformed_body_changes_nothing(world, subtests):
    before = fingerprint()

    for route, method in CASES:
        if method not in TABLE[route].bodies:
            continue
        expected = TABLE[route].malformed
        kind = TABLE[route].takes[0]
        with subtests.test(route=route, method=method), unchanged(before):
            for body in (b"{", b"[]", b'{"a": NaN}', b"\xff", b'{"a": "\\u0000"}'):
                answer = call(world["tokens"][kind], route, method, world, body)
                assert told(answer) == expected, (body, answer.content)


@pytest.mark.django_db
def test_with_its_own_token_everything_is_found(world, subtests):
    """So the tests above refuse for the right reason."""
    for route, method in CASES:
        if method != "get" or TABLE[route] is LOOKUP or route in ABSENT:
            continue
        for kind in TABLE[route].takes:
            with subtests.test(route=route, token=kind):
                if (route, kind) == ("v2/hooks/<public_id>", "master"):
                    continue  # the company's own hook is not the account's
                answer = call(world["tokens"][kind], route, method, world)
                assert answer.status_code == 200, answer


# Nothing of the kind was made: no logo, no conciliation, no cancellation.
ABSENT = {
    "v2/nfes_recebidas/<chave>/cancelamento.xml",
    "v2/empresas/<key>/logo.png",
    "v2/nfe/<ref>/econf/<protocolo>",
    "v2/nfce/<ref>/econf/<protocolo>",
}
