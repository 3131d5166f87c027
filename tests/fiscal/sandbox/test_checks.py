"""Each check of the table (guide §20.2): a document that breaks just that rule."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree
from support import signed_notes as notes
from support.signed_notes import after, cut, find, leaves, note, put, xml

NOW = datetime.now(UTC)
OTHER = "11444777000161"


@pytest.fixture
def client(sandbox):
    return sandbox.client()


def refused(client, *edits, **fields) -> int:
    """cStat of the note with these edits, sent to the authority of its model in São Paulo."""
    answer = client.send(note(client.signing, *edits, **fields), modelo=fields.get("modelo", "55"))
    assert answer.c_stat == 104, answer.raw.decode()
    return answer.protocol


def message(client, payload: bytes, **place) -> int:
    return client.ask("autorizacao", payload, **place).c_stat


# --- rows 3 to 8: the message --------------------------------------------------------------------


def test_a_document_over_500_kb_is_refused(client):
    # 50 MB of the same would be too; this is one byte over for a document.
    text = notes.batch(b"<NFe>" + b"a" * 500 * 1024 + b"</NFe>")

    assert message(client, text) == 214


@pytest.mark.parametrize(
    ("change", "c_stat"),
    [
        (lambda raw: raw.replace(b"<natOp>Venda", b"<natOp>Venda\xe9"), 402),
        (lambda raw: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + raw, 402),
        (lambda raw: raw.replace(b"</natOp>", b"", 1), 243),
        (lambda raw: raw.replace(b"<NFe ", b'<NFe xmlns:x="urn:x" '), 404),
        (lambda raw: raw.replace(b"<natOp>", b"\n<natOp>"), 588),
        (lambda raw: raw + b"\n", 588),
        (lambda raw: raw.replace(b"<natOp>", b"<!-- x --><natOp>"), 588),
        (lambda raw: raw.replace(b"enviNFe", b"outraNFe"), 516),
        (lambda raw: raw.replace(b' versao="4.00"><idLote>', b"><idLote>"), 517),
        (lambda raw: raw.replace(b'versao="4.00"><idLote>', b'versao="3.10"><idLote>'), 239),
        (lambda raw: raw.replace(b"<idLote>1<", b"<idLote>um<"), 225),
        (lambda raw: raw.replace(b"<indSinc>1</indSinc>", b""), 225),
        (lambda raw: raw.replace(b"<tpAmb>2<", b"<tpAmb>1<"), 252),
        (lambda raw: raw.replace(b"<cUF>35<", b"<cUF>31<"), 226),
    ],
)
def test_a_message_is_refused_as_a_whole(client, change, c_stat):
    raw = notes.batch(note(client.signing).xml)

    assert message(client, change(raw)) == c_stat


def test_one_note_must_be_sent_synchronously_and_several_not(client):
    first, second = (note(client.signing, numero=numero).xml for numero in (1, 2))

    assert message(client, notes.batch(first, sync=False)) == 452
    assert message(client, notes.batch(first, second, sync=True)) == 452


def test_svc_does_not_serve_nfce(sandbox, client):
    sandbox.svc("SP", "aberto")
    sent = note(client.signing, modelo="65", tp_emis="6")

    assert client.send(sent, authority="SVC-AN", modelo="65").c_stat == 783


def test_a_document_with_a_namespace_of_its_batch_alone_is_refused(client):
    raw = note(client.signing).xml.replace(f' xmlns="{notes.NFE}"'.encode(), b"", 1)

    assert client.ask("autorizacao", notes.batch(raw)).protocol == 587


def test_the_thirtieth_rejection_of_the_same_document_blocks_it_for_an_hour(sandbox, client):
    sandbox.clock(parado=True)
    sent = note(client.signing, put("ide/tpNF", 0), put("emit/CNPJ", "11222333000182"))
    codes = [client.send(sent) for _ in range(30)]

    blocked = client.send(sent)
    sandbox.clock(avancar=3601)

    assert {answer.c_stat for answer in codes} == {104}
    assert blocked.c_stat == 656
    assert client.send(sent).c_stat == 104


# --- rows 9 to 11: schema, signature, signer -----------------------------------------------------


def test_a_document_against_the_schema_is_refused_with_the_reason(client):
    answer = client.send(note(client.signing, put("ide/natOp", "")))

    assert answer.protocol == 215
    assert "natOp" in answer.text("protNFe/infProt/xMotivo")


def test_a_changed_byte_breaks_the_digest(client):
    raw = note(client.signing).xml.replace(b"Venda", b"Vendo")

    assert client.ask("autorizacao", notes.batch(raw)).protocol == 297


def test_a_signature_value_of_other_bytes_is_refused(client):
    first, second = (note(client.signing, numero=numero).xml for numero in (1, 2))
    value = second.partition(b"<SignatureValue>")[2].partition(b"<")[0]
    other = first.partition(b"<SignatureValue>")[2].partition(b"<")[0]

    assert client.ask("autorizacao", notes.batch(first.replace(other, value))).protocol == 297


def test_a_reference_to_something_else_is_out_of_profile(client):
    sent = note(client.signing)
    other = sent.chave[:-1] + ("1" if sent.chave[-1] == "0" else "0")
    raw = sent.xml.replace(f'URI="#NFe{sent.chave}'.encode(), f'URI="#NFe{other}'.encode())

    assert client.ask("autorizacao", notes.batch(raw)).protocol == 298


def signed_by(sandbox, **certificate) -> int:
    """A note of the usual issuer, sent well and signed with another certificate."""
    signing = sandbox.client(**certificate).signing
    return sandbox.client().send(note(signing)).protocol


def test_the_signing_certificate_is_judged(sandbox):
    assert signed_by(sandbox, begins=-30, ends=-1) == 291
    assert signed_by(sandbox, kind="no_document") == 292
    assert signed_by(sandbox, kind="self_signed") == 293
    assert signed_by(sandbox, document=OTHER) == 213


def test_a_branch_may_be_signed_for_with_the_certificate_of_the_head_office(sandbox):
    branch = sandbox.client("11222333000262")

    assert sandbox.client().send(note(branch.signing)).protocol == 100


def test_a_revoked_certificate_may_not_sign(sandbox):
    gone = sandbox.client(ends=300)
    sandbox.told("POST", "revogados", {"serie": f"{gone.identity.serial:X}"})

    assert sandbox.client().send(note(gone.signing)).protocol == 294


# --- row 12: the key -----------------------------------------------------------------------------


def shifted(start: int, stop: int, text: str):
    """The key with another text in some positions, its check digit right again."""

    def change(chave: str) -> str:
        first = (chave[:start] + text + chave[stop:])[:43]
        return first + notes.digit(first)

    return change


@pytest.mark.parametrize(
    ("start", "stop", "text", "c_stat"),
    [(22, 25, "009", 502), (2, 6, "2601", 561), (35, 43, "55443322", 562)],
)
def test_a_key_that_differs_from_the_fields_is_refused(client, start, stop, text, c_stat):
    sent = note(client.signing, key=shifted(start, stop, text), when=NOW)

    assert client.send(sent).protocol == c_stat


def test_a_wrong_check_digit_is_refused(client):
    sent = note(client.signing, key=lambda key: key[:43] + str((int(key[43]) + 1) % 10))

    assert client.send(sent).protocol == 253


@pytest.mark.parametrize(
    ("edit", "c_stat"),
    [
        (put("emit/CNPJ", "11222333000180"), 207),
        (put("dest/CNPJ", "11444777000160"), 208),
        (after("dest", xml("autXML", leaves(CNPJ="11444777000160"))), 489),
        (after("dest", xml("autXML", leaves(CPF="11144477734"))), 490),
        (put("ide/cNF", "00000001"), 897),
        (put("ide/cNF", "77777777"), 897),
        (put("ide/cNF", "90123456"), 897),
    ],
)
def test_documents_and_code_of_the_key_are_verified(client, edit, c_stat):
    assert refused(client, edit) == c_stat


# --- row 13: the issuer --------------------------------------------------------------------------


def test_an_issuer_that_is_not_enabled_is_refused(sandbox, client):
    sandbox.told("POST", "contribuintes", {notes.ISSUER: {"nfe": False, "nfce": False}})

    assert refused(client) == 203
    assert refused(client, modelo="65") == 781


def test_another_state_registration_than_the_registered_one_is_refused(sandbox, client):
    sandbox.told("POST", "contribuintes", {notes.ISSUER: {"ie": "111111111111"}})

    assert refused(client) == 230


@pytest.mark.parametrize(
    ("edits", "c_stat"),
    [
        ([put("emit/IE", "000000000")], 209),
        ([put("emit/enderEmit/UF", "RJ")], 247),
        ([put("emit/enderEmit/cMun", "3550309")], 272),
        ([put("emit/enderEmit/cMun", "3304557")], 273),
        ([put("ide/cMunFG", "3550309")], 270),
        ([put("ide/cMunFG", "3304557")], 271),
        ([put("ide/serie", "890")], 266),
        ([put("ide/serie", "920")], 266),
    ],
)
def test_the_issuer_and_its_place_are_verified(client, edits, c_stat):
    assert refused(client, *edits) == c_stat


# --- row 15: dates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modelo", "age", "c_stat"),
    [
        ("55", timedelta(minutes=-6), 703),
        ("55", timedelta(minutes=-4), 100),
        ("55", timedelta(days=6, hours=23), 100),
        ("55", timedelta(days=7, minutes=1), 150),
        ("55", timedelta(days=30, minutes=1), 228),
        ("65", timedelta(minutes=4), 100),
        ("65", timedelta(minutes=6), 704),
    ],
)
def test_the_moment_of_issue_is_compared_with_the_clock(client, modelo, age, c_stat):
    assert refused(client, modelo=modelo, when=datetime.now(UTC) - age) == c_stat


def test_a_unit_may_take_the_limit_of_days_away(sandbox, client):
    sandbox.set(dias_de_atraso=0)

    assert refused(client, when=datetime.now(UTC) - timedelta(days=90)) == 150


# --- row 16: form of emission --------------------------------------------------------------------


@pytest.mark.parametrize(("form", "c_stat"), [("6", 570), ("7", 570), ("9", 711), ("4", 468)])
def test_the_form_of_emission_must_be_one_of_this_service(client, form, c_stat):
    assert refused(client, tp_emis=form) == c_stat


def test_svc_takes_only_its_own_form(sandbox, client):
    sandbox.svc("SP", "aberto")

    assert client.send(note(client.signing), authority="SVC-AN").protocol == 713
    assert client.send(note(client.signing, tp_emis="7"), authority="SVC-AN").protocol == 713


def test_a_unit_may_refuse_offline_nfce(sandbox, client):
    sandbox.set(ufs_sem_offline=["35"])

    assert refused(client, modelo="65", tp_emis="9", qr=offline_v3(client)) == 712


# --- row 17: model rules -------------------------------------------------------------------------

DEST = xml(
    "dest",
    leaves(CPF="11144477735", xNome=notes.TEST_NAME),
    leaves(indIEDest=9),
)


@pytest.mark.parametrize(
    ("edits", "c_stat"),
    [
        ([after("ide/dhEmi", leaves(dhSaiEnt="2026-11-21T10:00:00-03:00"))], 705),
        ([put("ide/tpNF", 0)], 706),
        ([put("ide/idDest", 2), put("det/prod/CFOP", "6102")], 707),
        ([after("ide/verProc", xml("NFref", leaves(refNFe="3" * 44)))], 708),
        ([put("ide/tpImp", 1)], 709),
        ([put("ide/finNFe", 4)], 715),
        ([put("ide/indFinal", 0)], 716),
        ([put("ide/indPres", 2)], 717),
        ([after("emit/IE", leaves(IEST="110042490114"))], 718),
        ([put("det/prod/CFOP", "5910")], 725),
        ([after("emit", DEST.replace("</dest>", "<IE>110042490114</IE></dest>"))], 729),
        ([put("transp/modFrete", 0)], 753),
        ([put("pag/detPag/vPag", "21.00")], 767),
        ([put("det/prod/xProd", "Caneta")], 373),
        ([after("emit", DEST.replace(notes.TEST_NAME, "Fulano"))], 598),
    ],
)
def test_nfce_has_its_own_rules(client, edits, c_stat):
    assert refused(client, *edits, modelo="65") == c_stat


@pytest.mark.parametrize(
    ("edits", "c_stat"),
    [
        ([put("ide/tpImp", 4)], 710),
        ([cut("dest")], 719),
        ([put("dest/xNome", "Comprador")], 598),
    ],
)
def test_nfe_has_its_own_rules(client, edits, c_stat):
    assert refused(client, *edits) == c_stat


def test_a_nfce_with_change_and_a_known_buyer_is_authorised(client):
    edits = (
        after("emit", DEST),
        put("pag/detPag/vPag", "50.00"),
        after("pag/detPag", leaves(vTroco="30.00")),
    )

    assert refused(client, *edits, modelo="65") == 100


# --- row 18: classification ----------------------------------------------------------------------

CSOSN = xml("ICMSSN102", leaves(orig=0, CSOSN="102"))


def simples(root: etree._Element) -> None:
    """ICMS of the Simples Nacional instead of CST 00, totals with it."""
    icms = find(root, "infNFe/det/imposto/ICMS")
    icms.remove(icms[0])
    icms.append(etree.fromstring(f'<x xmlns="{notes.NFE}">{CSOSN}</x>')[0])
    put("total/ICMSTot/vBC", "0.00")(root)
    put("total/ICMSTot/vICMS", "0.00")(root)


@pytest.mark.parametrize(
    ("edits", "c_stat"),
    [
        ([put("det/prod/CFOP", "7102")], 731),
        ([put("det/prod/CFOP", "6102")], 732),
        ([put("ide/idDest", 2)], 733),
        ([put("emit/CRT", 1)], 590),
        ([simples], 591),
        ([simples, put("emit/CRT", 1)], 100),
        ([put("det/prod/NCM", "77010000")], 778),
        ([put("det/prod/cEAN", "7891000100102")], 611),
        ([put("det/prod/cEANTrib", "7891000100102")], 612),
        ([put("det/prod/cEAN", "7891000100103")], 100),
    ],
)
def test_classification_is_verified(client, edits, c_stat):
    assert refused(client, *edits) == c_stat


# --- row 19: arithmetic --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "c_stat"),
    [
        ("det/prod/vUnCom", "10.0100000000", 629),
        ("det/imposto/ICMS/ICMS00/pICMS", "17.0000", 528),
        ("total/ICMSTot/vBC", "20.01", 531),
        ("total/ICMSTot/vICMS", "3.61", 532),
        ("total/ICMSTot/vBCST", "1.00", 533),
        ("total/ICMSTot/vST", "1.00", 534),
        ("total/ICMSTot/vFrete", "1.00", 535),
        ("total/ICMSTot/vSeg", "1.00", 536),
        ("total/ICMSTot/vDesc", "1.00", 537),
        ("total/ICMSTot/vIPI", "1.00", 538),
        ("total/ICMSTot/vII", "1.00", 601),
        ("total/ICMSTot/vPIS", "1.00", 602),
        ("total/ICMSTot/vCOFINS", "1.00", 603),
        ("total/ICMSTot/vOutro", "1.00", 604),
        ("total/ICMSTot/vProd", "21.00", 564),
        ("total/ICMSTot/vNF", "21.00", 610),
    ],
)
def test_figures_are_computed_again(client, path, value, c_stat):
    assert refused(client, put(path, value)) == c_stat


def test_the_total_of_approximate_taxes_is_the_sum_of_the_items(client):
    total = after("total/ICMSTot/vNF", leaves(vTotTrib="5.00"))

    def item(root: etree._Element) -> None:
        icms = find(root, "infNFe/det/imposto/ICMS")
        icms.addprevious(etree.fromstring(f'<vTotTrib xmlns="{notes.NFE}">5.00</vTotTrib>'))

    assert refused(client, total) == 685
    assert refused(client, total, item) == 100


def test_a_cent_of_rounding_in_a_product_is_accepted(client):
    assert refused(client, put("det/prod/vUnCom", "10.0049000000")) == 100


# --- row 20: IBS and CBS -------------------------------------------------------------------------

IBS = "det/imposto/IBSCBS"
UNVALUED = (put(f"{IBS}/CST", "410"), put(f"{IBS}/cClassTrib", "410001"), cut(f"{IBS}/gIBSCBS"))


@pytest.mark.parametrize(
    ("edits", "c_stat"),
    [
        ([put(f"{IBS}/cClassTrib", "200001")], 1022),
        ([put(f"{IBS}/gIBSCBS/gIBSUF/pIBSUF", "0.2000")], 1026),
        ([put(f"{IBS}/gIBSCBS/gIBSMun/pIBSMun", "0.0500")], 1036),
        ([put(f"{IBS}/gIBSCBS/gCBS/pCBS", "1.0000")], 1037),
        ([*UNVALUED], 1118),
        ([*UNVALUED, cut("total/IBSCBSTot")], 100),
        ([put("total/IBSCBSTot/gIBS/vIBS", "0.03")], 1004),
        ([put("total/IBSCBSTot/gCBS/vCBS", "0.19")], 1004),
        ([cut(IBS), cut("total/IBSCBSTot")], 100),
    ],
)
def test_the_reform_is_verified(client, edits, c_stat):
    assert refused(client, *edits, when=datetime(2026, 11, 21, 12, tzinfo=UTC)) in (c_stat, 150)


@pytest.fixture(autouse=True)
def _in_2026(sandbox):
    """The rates of the notes here are those of 2026."""
    if datetime.now(UTC).year != 2026:
        sandbox.clock(agora="2026-11-21T12:00:00-03:00")


def test_the_group_is_demanded_once_the_authority_switches_it_on(sandbox, client):
    sandbox.set(exigir_ibscbs=True)

    assert refused(client, cut(IBS), cut("total/IBSCBSTot")) == 1115


# --- row 21: QR code -----------------------------------------------------------------------------


def v2(client, *, number: str = "1", code: str = "SANDBOX-CSC-0123456789ABCDEF", offline=False):
    def made(chave: str, root: etree._Element) -> str:
        text = f"{chave}|2|2"
        if offline:
            text += told(root, digest=True)
        text += f"|{number}"
        digest = hashlib.sha1((text + code).encode())  # noqa: S324
        return f"{notes.QR_SP}?p={text}|{digest.hexdigest().upper()}"

    return made


def told(root: etree._Element, *, digest: bool) -> str:
    day = find(root, "infNFe/ide/dhEmi").text[8:10]
    total = find(root, "infNFe/total/ICMSTot/vNF").text
    value = root.findtext(f".//{{{notes.DSIG}}}DigestValue")
    return f"|{day}|{total}|" + (value.encode().hex() if digest else "|")


def offline_v3(client, change: str = ""):
    def made(chave: str, root: etree._Element) -> str:
        text = f"{chave}|3|2{told(root, digest=False)}"
        value = base64.b64encode(client.signing.sign((text + change).encode())).decode()
        return f"{notes.QR_SP}?p={text}|{value}"

    return made


def test_each_form_of_the_qr_code_is_authorised(client):
    for numero, (qr, form) in enumerate(
        [
            (None, "1"),
            (v2(client), "1"),
            (v2(client, offline=True), "9"),
            (offline_v3(client), "9"),
        ],
        1,
    ):
        assert refused(client, modelo="65", numero=numero, qr=qr, tp_emis=form) == 100


@pytest.mark.parametrize(
    ("qr", "c_stat"),
    [
        ("", 394),
        (lambda key, root: f"https://www.sefaz.rs.gov.br/NFCE/NFCE-COM.aspx?p={key}|3|2", 395),
        (lambda key, root: v2(None, offline=True)(key[:34] + "9" + key[35:], root), 396),
        (lambda key, root: f"{notes.QR_SP}?p={key}|3|1", 397),
        (v2(None, number="7"), 462),
        (v2(None, code="outro"), 464),
    ],
)
def test_the_qr_code_is_verified(client, qr, c_stat):
    assert refused(client, modelo="65", qr=qr) == c_stat


def test_an_offline_code_repeats_day_total_and_digest(client):
    made = v2(client, offline=True)

    def other_total(chave: str, root: etree._Element) -> str:
        return made(chave, root).replace("|20.00|", "|21.00|")

    assert refused(client, modelo="65", tp_emis="9", qr=other_total) == 397


def test_a_revoked_csc_and_a_wrong_signature_are_told_apart(sandbox, client):
    sandbox.told("POST", "csc", {notes.ISSUER: {"1": "", "2": "NOVO"}})

    assert refused(client, modelo="65", qr=v2(client)) == 463
    assert refused(client, modelo="65", qr=v2(client, number="2", code="NOVO")) == 100
    wrong = offline_v3(client, change="x")
    assert refused(client, modelo="65", numero=2, tp_emis="9", qr=wrong) == 464


def test_another_address_of_the_key_is_refused(client):
    sent = note(client.signing, modelo="65")
    raw = sent.xml.replace(notes.CONSULT_SP.encode(), b"https://www.example.com/")

    assert client.ask("autorizacao", notes.batch(raw), modelo="65").protocol == 878


# --- what is written down ------------------------------------------------------------------------


def test_the_first_refusal_is_answered_and_the_others_are_in_the_log(sandbox, client):
    sent = note(client.signing, put("ide/tpImp", 4), put("total/ICMSTot/vNF", "21.00"))

    assert client.send(sent).protocol == 710
    (request,) = sandbox.requests(chave=sent.chave)
    assert request["observacoes"] == ["610"]
    assert sandbox.documents() == []


def test_the_digest_of_the_protocol_is_that_of_the_received_bytes(client):
    sent = note(client.signing)

    answer = client.send(sent)

    digest = etree.fromstring(sent.xml).findtext(f".//{{{notes.DSIG}}}DigestValue")
    assert answer.text("protNFe/infProt/digVal") == digest
    assert answer.text("protNFe/infProt/chNFe") == sent.chave
    assert len(answer.text("protNFe/infProt/nProt")) == 15
