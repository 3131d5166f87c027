"""Hardened reading, layout text, and schemas with their overlays (XML-6, XSD-1 to XSD-7)."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from support import a1

from fiscal import access_key, xml, xsd
from fiscal.schemas.catalogue import FILES, families
from fiscal.schemas.overlays import OVERLAYS, Overlay

LETTERS = "35261112ABC34501DE35550010000000421180947562"
SAMPLES = xsd.package_folder() / "nfe/samples/v4_0/leiauteNFe"
GOOD = (SAMPLES / "35180834128745000152550010000476051695511860-nfe.xml").read_bytes()
GOOD = xml.cut_out(GOOD, "NFe")


# --- reading (XSD-7) -------------------------------------------------------------------------

LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">'
    b'<!ENTITY z "&y;&y;&y;&y;&y;&y;&y;&y;&y;&y;">]><a>&z;&z;&z;&z;</a>'
)


@pytest.mark.parametrize(
    "raw",
    [
        LAUGHS,
        b'<?xml version="1.0"?>' + LAUGHS,
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>',
        b'\xef\xbb\xbf<!DOCTYPE a [<!ENTITY x "y">]><a b="&x;"/>',
        LAUGHS.decode().encode("utf-16"),
        LAUGHS.decode().encode("utf-16-be"),
        LAUGHS.decode().encode("utf-32"),
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
        b'<?xml version="1.0" encoding="IBM037"?><a/>',
        b"<?xml version='1.0' encoding='utf-16'?><a/>",
    ],
)
def test_entities_doctypes_and_disguises_are_refused(raw: bytes) -> None:
    with pytest.raises(xml.BadXml):
        xml.parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&nbsp;</a>",
        b"<a>\x00</a>",
        b"<a>\x01</a>",
        b"<a>\xff\xfe</a>",
        b"<a x='1' x='2'/>",
        b"<p:a/>",
        b"{}",
        b"<a>" * 300 + b"</a>" * 300,
        b"<?xml version='1.0' encoding='nonsense-8'?><a/>",
    ],
)
def test_malformed_text_is_never_mended(raw: bytes) -> None:
    with pytest.raises(xml.BadXml):
        xml.parse(raw)


def test_size_is_checked_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(etree, "fromstring", never)
    with pytest.raises(xml.BadXml, match="20480 KB"):
        xml.parse(b"<a>" + b"x" * 100 * 1024 * 1024 + b"</a>")
    with pytest.raises(xml.BadXml, match="500 KB"):
        xml.parse(b" " * (xml.DOCUMENT_LIMIT + 1), limit=xml.DOCUMENT_LIMIT)


def test_a_giant_text_inside_the_limit_is_refused_too() -> None:
    """libxml2 without huge_tree: no text node above 10 MB."""
    with pytest.raises(xml.BadXml):
        xml.parse(b"<a>" + b"x" * 11_000_000 + b"</a>")


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "windows-1252"])
def test_usual_encodings_are_read(encoding: str) -> None:
    raw = f'<?xml version="1.0" encoding="{encoding}"?><a>ção</a>'.encode(encoding)
    assert xml.parse(raw).text == "ção"


def test_byte_order_mark_is_read() -> None:
    assert xml.parse(b"\xef\xbb\xbf<a>x</a>").text == "x"


def test_readers_go_by_local_name() -> None:
    root = xml.parse(b'<a xmlns="urn:x"><!-- c --><b><p:c xmlns:p="urn:y">1</p:c><d/></b></a>')
    assert xml.child_text(root, "b", "c") == "1"
    assert xml.child_text(root, "b", "d") == ""
    assert xml.child_text(root, "b", "nothing", "more") == ""
    assert [xml.local_name(node) for node in root] == ["", "b"]


# --- text (XML-6) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  a  b\t c\r\n d ", "a b c d"),
        ("Ação às três, ª º ° § ç Ü", "Ação às três, ª º ° § ç Ü"),
        ("a\x00b\x1fc\x7fd\x85e", "a b c d e"),
        ("a \x07 b", "a b"),
        ("“Caf\u00e9” – l\u2019eau…", '"Café" - l\'eau...'),
        ("Cafe\u0301", "Café"),  # decomposed, as some systems write it
        ("a\u00a0b\u2003c", "a b c"),
        ("Žižek Łódź", "Zizek ódz"),
        ("ﬁm ①", "fim 1"),
        ("só 😀 emoji 👩‍👩‍👧", "só emoji"),
        ("a\u200bb\u00adc\ufeff", "ab c"),
        ("€ 10 ™", "EUR 10 (TM)"),
        ("\ud800x", "x"),
        ("Москва", ""),
        ("&<>'\"", "&<>'\""),
    ],
)
def test_text_is_what_the_layouts_accept(value: str, expected: str) -> None:
    assert xml.text(value) == expected


@given(st.text())
def test_any_text_becomes_a_tstring_or_nothing(value: str) -> None:
    cleaned = xml.text(value)
    assert cleaned == xml.text(cleaned)
    assert cleaned == cleaned.strip()
    assert all(" " <= char <= "\xff" and char not in "\x7f\xad" for char in cleaned)
    assert "  " not in cleaned


def test_lines_are_joined() -> None:
    assert xml.joined_lines("um \n\n dois\r\ntrês\u2028 ") == "um | dois | três"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_escaping_agrees_with_another_canonicaliser(value: str) -> None:
    """SIG-3: what we write is what C14N would write, so it can be digested as it is."""
    legal = "".join(char for char in value if char >= " " or char in "\t\n\r")
    legal = legal.replace("\ufffe", "").replace("\uffff", "")
    element = etree.Element("a", b=legal)
    element.text = legal
    expected = etree.tostring(element, method="c14n").decode()
    assert f'<a b="{xml.escape_attribute(legal)}">{xml.escape(legal)}</a>' == expected


# --- schemas (XSD-1, XSD-2) ------------------------------------------------------------------

# SHA-256 over name and content of every file of the family: a changed package is looked at.
CHECKSUMS = {
    "nfe/schemas/v4_0": "7bde60158141c89edea572dcce6f690ef9cb7b45cbf21d416fa752444d0a8646",
    "nfe_ator_interessado/schemas/v1_0": "9a7abf973dc8ee82d757e080f73138a0"
    "f98b153a286ac3cd276a9ffe3cb5db9c",
    "nfe_dist_dfe/schemas/v1_0": "b3cde1f0d8ccf7781a91b273e9cf3a0feb9a76ac386859e4b22f70d8262e8d04",
    "nfe_entrega/schemas/v1_0": "64d9a62d401541d52c989389ca2c8cf8a683d28eca4fcfea9dfbfcbdf96796b1",
    "nfe_epec/schemas/v1_0": "32f08003d96e278a6d8ebfc86f9a77049800c20e4d7a8b5fa41b28ab1ae04a37",
    "nfe_evento_cancel/schemas/v1_0": "61c8a187bf9f54760a2d41a2b26734c0"
    "f3611517e34cf4e7580d3577bbc544a5",
    "nfe_evento_cce/schemas/v1_0": "4391856790608d2c5252b462565edc46"
    "0385c3f483abc364853d2a871d065804",
    "nfe_evento_generico/schemas/v1_0": "792209e4d2d159b2baa3e0042d50a63b"
    "992d211e79abccfe239ecd693a847730",
    "nfe_evento_mde/schemas/v1_0": "3dadcf6f665a7ef6669eb2e1acdf0a62"
    "9ba682a04e7134bcd45c28806d5c6997",
    "nfe_insucesso/schemas/v1_0": "06b9a47d48e40a725d38b2bd1f30f201"
    "35f407ce5ad2fa6d36e04dc7caf48980",
    "nfse/schemas/v1_0": "9485eb1267a8ec8266b1ea968180dae58a2055a2c57b711df748f31eb86f9c6a",
    "fiscal/abrasf_1_00": "8d906b2d1b43cc1a1e0276818de81e2ad40148d161bcb839eea54c4961822625",
    "fiscal/abrasf_2_02": "17c893d36285b7966cc872e6d22570591971f0ed69015140299f5c3c6dbdef28",
    "fiscal/abrasf_2_04": "3c78b0c5d4c5e31cc29364fab23fbf3b07ea9e8f6324cacd73d83a8c71e139f2",
    "fiscal/paulistana_v01": "179ab2742b9917bcb67cae55c5d68b0f7cbfdcb3b6f409cca5b6e5e00f09c626",
    "fiscal/paulistana_v02": "05b8c479a7257aacfac33a4c33fb80977bffe5f9191279c46b36b85e64171fd6",
}


def checksum(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.glob("*.xsd")):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


@pytest.mark.parametrize("family", CHECKSUMS)
def test_family_is_the_one_we_know(family: str) -> None:
    assert checksum(xsd.family_folder(family)) == CHECKSUMS[family]


def test_our_own_schemas_wait_for_the_official_ones() -> None:
    """Fails when the package brings one of them: then ours goes."""
    official = {file.name for file in xsd.package_folder().glob("nfe*/schemas/*/*.xsd")}
    for name in ("110112", "110750", "110751"):
        assert not {file for file in official if name in file}


def test_every_known_family_is_in_use() -> None:
    assert {*CHECKSUMS, "fiscal/eventos"} == set(families())


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_schema_compiles(name: str) -> None:
    assert xml.schema(name) is xml.schema(name)


def test_package_is_found_without_importing_it() -> None:
    import subprocess
    import sys

    code = "import sys; from fiscal import xml; xml.schema('nfe'); print('nfelib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda it: f"{it.family}-{it.after}")
def test_every_overlay_is_still_needed(overlay: Overlay) -> None:
    """Fails when the package has caught up: then the entry goes."""
    raw = (xsd.family_folder(overlay.family) / overlay.filename).read_text(encoding="utf-8-sig")
    assert overlay.fits(raw)
    assert not overlay.fits(overlay.apply(raw))


def test_an_overlay_that_fits_no_more_changes_nothing() -> None:
    overlay = Overlay("f", "f", 'name="T"', "old", "new", "")
    text = '<xs:simpleType name="T">newer</xs:simpleType><xs:simpleType>old</xs:simpleType>'
    assert overlay.apply(text) == text


@pytest.mark.parametrize(
    "name", ["e110110", "e110111", "e110140", "e110150", "e110192", "e110193", "e210240"]
)
def test_events_have_a_schema_of_their_own(name: str) -> None:
    assert xml.has_schema(name)
    assert not xml.has_schema("e999999")


# --- events with letters (XSD-2) -------------------------------------------------------------

CNPJ = "12ABC34501DE35"
CANCEL = "<descEvento>Cancelamento</descEvento><nProt>135260000000001</nProt><xJust>{}</xJust>"
JUST = "Erro na digitação do pedido"


def event(tp_evento: str, details: str, *, chave: str = LETTERS, organ: str = "35") -> bytes:
    element_id = access_key.event_id(tp_evento, chave, 1)
    inner = (
        f'<infEvento xmlns="{xml.NFE}" Id="{element_id}"><cOrgao>{organ}</cOrgao>'
        f"<tpAmb>2</tpAmb><CNPJ>{CNPJ}</CNPJ><chNFe>{chave}</chNFe>"
        f"<dhEvento>2026-11-21T10:00:00-03:00</dhEvento><tpEvento>{tp_evento}</tpEvento>"
        f'<nSeqEvento>1</nSeqEvento><verEvento>1.00</verEvento><detEvento versao="1.00">'
        f"{details}</detEvento></infEvento>"
    ).encode()
    signature, _ = a1.signer().signature(inner, element_id=element_id)
    own = inner.replace(f' xmlns="{xml.NFE}"'.encode(), b"", 1)
    return f'<evento xmlns="{xml.NFE}" versao="1.00">'.encode() + own + signature + b"</evento>"


AUTHOR = "<cOrgaoAutor>35</cOrgaoAutor>"
XCOND = (
    "A Carta de Correcao e disciplinada pelo paragrafo 1o-A do art. 7o do Convenio S/N, de 15 de "
    "dezembro de 1970 e pode ser utilizada para regularizacao de erro ocorrido na emissao de "
    "documento fiscal, desde que o erro nao esteja relacionado com: I - as variaveis que "
    "determinam o valor do imposto tais como: base de calculo, aliquota, diferenca de preco, "
    "quantidade, valor da operacao ou da prestacao; II - a correcao de dados cadastrais que "
    "implique mudanca do remetente ou do destinatario; III - a data de emissao ou de saida."
)
EVENTS = {
    "110111": CANCEL.format(JUST),
    "110110": "<descEvento>Carta de Correcao</descEvento>"
    f"<xCorrecao>Peso bruto correto: 12 kg</xCorrecao><xCondUso>{XCOND}</xCondUso>",
    "110140": f"<descEvento>EPEC</descEvento>{AUTHOR}<tpAutor>1</tpAutor><verAplic>1</verAplic>"
    "<dhEmi>2026-11-21T10:00:00-03:00</dhEmi><tpNF>1</tpNF><IE>111222333444</IE>"
    f"<dest><UF>SP</UF><CNPJ>{CNPJ}</CNPJ><vNF>10.00</vNF><vICMS>1.80</vICMS><vST>0.00</vST></dest>",
    "110150": f"<descEvento>Ator interessado na NF-e</descEvento>{AUTHOR}<tpAutor>1</tpAutor>"
    f"<verAplic>1</verAplic><autXML><CNPJ>{CNPJ}</CNPJ></autXML><tpAutorizacao>0</tpAutorizacao>",
    "110192": f"<descEvento>Insucesso na Entrega da NF-e</descEvento>{AUTHOR}<verAplic>1</verAplic>"
    "<dhTentativaEntrega>2026-11-21T10:00:00-03:00</dhTentativaEntrega><nTentativa>1</nTentativa>"
    "<tpMotivo>1</tpMotivo><hashTentativaEntrega>noauBnfaoS02PYxVm8ufox7OKww=</hashTentativaEntrega>",
    "110193": "<descEvento>Cancelamento Insucesso na Entrega da NF-e</descEvento>"
    f"{AUTHOR}<verAplic>1</verAplic><nProtEvento>135260000000001</nProtEvento>",
    "110112": f"<descEvento>Cancelamento por substituicao</descEvento>{AUTHOR}<tpAutor>1</tpAutor>"
    f"<verAplic>1</verAplic><nProt>135260000000001</nProt><xJust>{JUST}</xJust>"
    f"<chNFeRef>{LETTERS}</chNFeRef>",
    "110750": "<descEvento>ECONF</descEvento><verAplic>1</verAplic><detPag><indPag>0</indPag>"
    "<tPag>03</tPag><vPag>10.00</vPag><dPag>2026-11-21</dPag>"
    f"<CNPJPag>{CNPJ}</CNPJPag><UFPag>SP</UFPag><CNPJIF>{CNPJ}</CNPJIF><tBand>01</tBand>"
    f"<cAut>A1</cAut><CNPJReceb>{CNPJ}</CNPJReceb><UFReceb>SP</UFReceb></detPag>"
    "<detPag><tPag>99</tPag><xPag>Vale</xPag><vPag>1.00</vPag><dPag>2026-11-21</dPag></detPag>",
    "110751": "<descEvento>Cancelamento Conciliação Financeira</descEvento><verAplic>1</verAplic>"
    "<nProtEvento>135260000000001</nProtEvento>",
    "210240": f"<descEvento>Operacao nao Realizada</descEvento><xJust>{JUST}</xJust>",
    "210210": "<descEvento>Ciencia da Operacao</descEvento>",
}


@pytest.mark.parametrize("tp_evento", EVENTS)
@pytest.mark.parametrize("organ", ["35", "91", "92"])
def test_events_with_letters_in_the_key_are_valid(tp_evento: str, organ: str) -> None:
    assert xml.event_faults(event(tp_evento, EVENTS[tp_evento], organ=organ)) == []


def test_protocols_of_17_digits_are_valid() -> None:
    details = EVENTS["110111"].replace("135260000000001", "13526000000000123")
    assert xml.event_faults(event("110111", details)) == []


def test_details_are_judged_by_the_schema_of_their_type() -> None:
    (found,) = xml.event_faults(event("110111", CANCEL.format("curto")))
    assert found.path == "evento/infEvento/detEvento/xJust"
    assert (found.tag, found.kind, found.value) == ("xJust", "value", "curto")
    assert "no mínimo 15" in found.detail


def test_types_without_a_schema_are_judged_by_the_generic_one() -> None:
    assert xml.event_faults(event("999999", "<qualquer>1</qualquer>")) == []
    broken = event("999999", "<a>1</a>").replace(b"<tpAmb>2</tpAmb>", b"")
    (found,) = xml.event_faults(broken)
    assert (found.path, found.kind) == ("evento/infEvento/CNPJ", "unexpected")
    assert found.expected == ("tpAmb",)


def test_voiding_with_letters_is_valid() -> None:
    element_id = access_key.void_id(cuf=35, ano=26, cnpj=CNPJ, modelo=55, serie=1, first=3, last=3)
    inner = (
        f'<infInut xmlns="{xml.NFE}" Id="{element_id}"><tpAmb>2</tpAmb><xServ>INUTILIZAR</xServ>'
        f"<cUF>35</cUF><ano>26</ano><CNPJ>{CNPJ}</CNPJ><mod>55</mod><serie>1</serie>"
        f"<nNFIni>3</nNFIni><nNFFin>3</nNFFin><xJust>{JUST}</xJust></infInut>"
    ).encode()
    signature, _ = a1.signer().signature(inner, element_id=element_id)
    own = inner.replace(f' xmlns="{xml.NFE}"'.encode(), b"", 1)
    document = f'<inutNFe xmlns="{xml.NFE}" versao="4.00">'.encode() + own + signature
    assert xml.faults(document + b"</inutNFe>", "inutNFe") == []


def test_query_by_a_key_with_letters_is_valid() -> None:
    query = (
        f'<consSitNFe xmlns="{xml.NFE}" versao="4.00"><tpAmb>2</tpAmb><xServ>CONSULTAR</xServ>'
        f"<chNFe>{LETTERS}</chNFe></consSitNFe>"
    )
    assert xml.faults(query.encode(), "consSitNFe") == []


# --- faults (XSD-5) --------------------------------------------------------------------------


def test_a_published_document_is_valid_for_both_validators() -> None:
    assert xml.faults(GOOD, "nfe") == []
    assert xml.explain(GOOD, "nfe") == []


def change(old: str, new: str) -> bytes:
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(
    ("old", "new", "path", "kind", "said"),
    [
        ("<NCM>", "<NCM>X", "NFe/infNFe/det[1]/prod/NCM", "value", "[0-9]{8}"),
        ("<tpAmb>1", "<tpAmb>3", "NFe/infNFe/ide/tpAmb", "value", "1, 2"),
        ("<natOp>", f"<natOp>{'x' * 61}", "NFe/infNFe/ide/natOp", "value", "no máximo 60"),
        (
            "<cProd>",
            "<cProdX>1</cProdX><cProd>",
            "NFe/infNFe/det[1]/prod/cProdX",
            "unexpected",
            "cProd",
        ),
        ('versao="4.00"', "", "NFe/infNFe", "attribute", "versao"),
        ('versao="4.00"', 'versao="3.10"', "NFe/infNFe", "attribute", "4"),
    ],
)
def test_faults_name_place_kind_and_what_is_accepted(
    old: str, new: str, path: str, kind: str, said: str
) -> None:
    found = xml.faults(change(old, new), "nfe")
    assert [(it.path, it.kind) for it in found] == [(path, kind)]
    assert said in found[0].detail


def test_missing_and_out_of_place_elements_say_what_is_expected() -> None:
    root = etree.fromstring(GOOD)
    prod = root.find(f".//{{{xml.NFE}}}prod")
    assert prod is not None
    prod.remove(prod[0])
    (found,) = xml.faults(etree.tostring(root), "nfe")
    assert (found.kind, found.expected) == ("unexpected", ("cProd",))
    for child in list(prod):
        prod.remove(child)
    (found,) = xml.faults(etree.tostring(root), "nfe")
    assert (found.path, found.kind, found.expected) == (
        "NFe/infNFe/det[1]/prod",
        "missing",
        ("cProd",),
    )


def test_repeated_elements_are_numbered_and_each_has_its_first_fault() -> None:
    root = etree.fromstring(GOOD)
    inf = root[0]
    for position, tag in ((2, "NCM"), (3, "CFOP")):
        node = inf.findall(f"{{{xml.NFE}}}det")[position - 1].find(f".//{{{xml.NFE}}}{tag}")
        assert node is not None
        node.text = "abc"
    found = xml.faults(etree.tostring(root), "nfe")
    assert [(it.path, it.value) for it in found] == [
        ("NFe/infNFe/det[2]/prod/NCM", "abc"),
        ("NFe/infNFe/det[3]/prod/CFOP", "abc"),
    ]


def test_unreadable_and_foreign_documents_are_faults_too() -> None:
    (found,) = xml.faults(b"<NFe", "nfe")
    assert (found.kind, found.path) == ("malformed", "")
    (found,) = xml.faults(b"<other/>", "nfe")
    assert (found.path, found.kind) == ("other", "unexpected")
    with pytest.raises(KeyError):
        xml.faults(GOOD, "nothing")


def test_explanation_comes_from_another_validator() -> None:
    reasons = xml.explain(change("<NCM>", "<NCM>X"), "nfe")
    assert len(reasons) == 1
    assert "prod/NCM" in reasons[0].replace("nfe:", "").replace("{" + xml.NFE + "}", "")
    with pytest.raises(xml.BadXml):
        xml.explain(LAUGHS, "nfe")


def test_threads_do_not_see_the_faults_of_each_other() -> None:
    """The compiled schema keeps the errors of its last run (XSD-3)."""
    bad = change("<NCM>", "<NCM>X")
    wrong: list[object] = []

    def judge(document: bytes, expected: int) -> None:
        for _ in range(150):
            found = xml.faults(document, "nfe")
            if len(found) != expected:
                wrong.append(found)

    threads = [
        threading.Thread(target=judge, args=pair) for pair in ((GOOD, 0), (bad, 1), (GOOD, 0))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
