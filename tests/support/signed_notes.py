"""A small valid NF-e or NFC-e, built and signed without any code of the product."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree

NFE = "http://www.portalfiscal.inf.br/nfe"
NS = f"{{{NFE}}}"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
BRASILIA = timezone(timedelta(hours=-3))
ISSUER = "11222333000181"
BUYER = "11444777000161"
TEST_NAME = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
TEST_PRODUCT = "NOTA FISCAL EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
QR_SP = "https://www.homologacao.nfce.fazenda.sp.gov.br/qrcode"
CONSULT_SP = "https://www.homologacao.nfce.fazenda.sp.gov.br/NFCeConsultaPublica"
XCOND = (
    "A Carta de Correcao e disciplinada pelo paragrafo 1o-A do art. 7o do Convenio S/N, de 15 de "
    "dezembro de 1970 e pode ser utilizada para regularizacao de erro ocorrido na emissao de "
    "documento fiscal, desde que o erro nao esteja relacionado com: I - as variaveis que "
    "determinam o valor do imposto tais como: base de calculo, aliquota, diferenca de preco, "
    "quantidade, valor da operacao ou da prestacao; II - a correcao de dados cadastrais que "
    "implique mudanca do remetente ou do destinatario; III - a data de emissao ou de saida."
)
# A change of the tree before it is signed.
Edit = Callable[[etree._Element], None]


@dataclass(frozen=True)
class Signing:
    """A private key and its certificate."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes

    @property
    def der(self) -> bytes:
        return x509.load_pem_x509_certificate(self.certificate_pem).public_bytes(Encoding.DER)

    def sign(self, data: bytes) -> bytes:
        key = load_pem_private_key(self.key_pem, None)
        return key.sign(data, PKCS1v15(), SHA1())  # noqa: S303


@dataclass(frozen=True)
class Note:
    """A signed document."""

    chave: str
    xml: bytes


def digit(first43: str) -> str:
    """cDV."""
    weights = [2 + place % 8 for place in range(43)]
    total = sum((ord(c) - 48) * w for c, w in zip(reversed(first43), weights, strict=True))
    return "0" if total % 11 < 2 else str(11 - total % 11)


def xml(tag: str, *content: str, **attributes: str) -> str:
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<{tag}{given}>{''.join(content)}</{tag}>"


def leaves(**values: object) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())


# --- the tree ----------------------------------------------------------------------------------


def tree(
    *,
    modelo: str = "55",
    numero: int = 1,
    serie: int = 1,
    when: datetime | None = None,
    cnf: str = "10203040",
    tp_emis: str = "1",
    issuer: str = ISSUER,
    buyer: str = BUYER,
    uf: str = "SP",
    cuf: str = "35",
    city: str = "3550308",
    items: int = 1,
) -> etree._Element:
    """The unsigned NFe of a sale of `items` times R$ 20.00, ICMS 18 %, with IBS and CBS."""
    moment = (when or datetime.now(UTC)).astimezone(BRASILIA).isoformat(timespec="seconds")
    head = _ide(modelo, numero, serie, moment, cnf, tp_emis, cuf, city)
    body = head + _emit(issuer, uf, city) + _dest(modelo, buyer)
    body += "".join(_item(number, modelo) for number in range(1, items + 1))
    body += _total(items) + _end(items)
    text = f'<NFe xmlns="{NFE}"><infNFe Id="NFe" versao="4.00">{body}</infNFe></NFe>'
    return etree.fromstring(text)


def _ide(
    modelo: str, numero: int, serie: int, moment: str, cnf: str, tp_emis: str, cuf: str, city: str
) -> str:
    is_consumer = modelo == "65"
    contingency = (
        leaves(dhCont=moment, xJust="Sem conexao com a autorizadora") if tp_emis != "1" else ""
    )
    return xml(
        "ide",
        leaves(
            cUF=cuf, cNF=cnf, natOp="Venda", mod=modelo, serie=serie, nNF=numero, dhEmi=moment,
            tpNF=1, idDest=1, cMunFG=city, tpImp=4 if is_consumer else 1, tpEmis=tp_emis, cDV=0,
            tpAmb=2, finNFe=1, indFinal=1 if is_consumer else 0, indPres=1, procEmi=0,
            verProc="teste",
        ),
        contingency,
    )  # fmt: skip


def _emit(issuer: str, uf: str, city: str) -> str:
    name = "CPF" if len(issuer) == 11 else "CNPJ"
    address = leaves(
        xLgr="Rua A", nro=1, xBairro="Centro", cMun=city, xMun="Cidade", UF=uf, CEP="01001000"
    )
    return xml(
        "emit",
        f"<{name}>{issuer}</{name}><xNome>Emitente</xNome>",
        xml("enderEmit", address),
        leaves(IE="110042490114", CRT=3),
    )


def _dest(modelo: str, buyer: str) -> str:
    if modelo == "65" or not buyer:
        return ""
    name = "CPF" if len(buyer) == 11 else "CNPJ"
    address = leaves(
        xLgr="Rua B", nro=2, xBairro="Centro", cMun="3550308", xMun="Cidade", UF="SP",
        CEP="01001000",
    )  # fmt: skip
    return xml(
        "dest",
        f"<{name}>{buyer}</{name}><xNome>{TEST_NAME}</xNome>",
        xml("enderDest", address),
        leaves(indIEDest=9),
    )


def _item(number: int, modelo: str) -> str:
    name = TEST_PRODUCT if modelo == "65" and number == 1 else "Caneta"
    product = leaves(
        cProd=number, cEAN="SEM GTIN", xProd=name, NCM="96081000", CFOP=5102, uCom="UN",
        qCom="2.0000", vUnCom="10.0000000000", vProd="20.00", cEANTrib="SEM GTIN", uTrib="UN",
        qTrib="2.0000", vUnTrib="10.0000000000", indTot=1,
    )  # fmt: skip
    icms = leaves(orig=0, CST="00", modBC=3, vBC="20.00", pICMS="18.0000", vICMS="3.60")
    taxes = (
        xml("ICMS", xml("ICMS00", icms))
        + xml("PIS", xml("PISNT", leaves(CST="07")))
        + xml("COFINS", xml("COFINSNT", leaves(CST="07")))
        + _ibscbs()
    )
    return xml("det", xml("prod", product), xml("imposto", taxes), nItem=str(number))


def _ibscbs() -> str:
    values = (
        leaves(vBC="20.00")
        + xml("gIBSUF", leaves(pIBSUF="0.1000", vIBSUF="0.02"))
        + xml("gIBSMun", leaves(pIBSMun="0.0000", vIBSMun="0.00"))
        + leaves(vIBS="0.02")
        + xml("gCBS", leaves(pCBS="0.9000", vCBS="0.18"))
    )
    return xml("IBSCBS", leaves(CST="000", cClassTrib="000001"), xml("gIBSCBS", values))


def _total(items: int) -> str:
    zero = dict.fromkeys(("vICMSDeson", "vFCP", "vBCST", "vST", "vFCPST", "vFCPSTRet"), "0.00") | {
        "vProd": f"{items * 20}.00"
    }
    zero |= dict.fromkeys(
        ("vFrete", "vSeg", "vDesc", "vII", "vIPI", "vIPIDevol", "vPIS", "vCOFINS", "vOutro"), "0.00"
    )
    icms = leaves(vBC=f"{items * 20}.00", vICMS=_cents(items * 360), **zero, vNF=f"{items * 20}.00")
    uf = xml("gIBSUF", leaves(vDif="0.00", vDevTrib="0.00", vIBSUF=_cents(items * 2)))
    city = xml("gIBSMun", leaves(vDif="0.00", vDevTrib="0.00", vIBSMun="0.00"))
    credit = leaves(vCredPres="0.00", vCredPresCondSus="0.00")
    ibs = xml("gIBS", uf, city, leaves(vIBS=_cents(items * 2)), credit)
    cbs = xml("gCBS", leaves(vDif="0.00", vDevTrib="0.00", vCBS=_cents(items * 18)), credit)
    reform = xml("IBSCBSTot", leaves(vBCIBSCBS=f"{items * 20}.00"), ibs, cbs)
    return xml("total", xml("ICMSTot", icms), reform)


def _cents(value: int) -> str:
    return f"{value // 100}.{value % 100:02d}"


def _end(items: int) -> str:
    paid = xml("detPag", leaves(tPag="01", vPag=f"{items * 20}.00"))
    return xml("transp", leaves(modFrete=9)) + xml("pag", paid)


# --- changes -----------------------------------------------------------------------------------


def find(root: etree._Element, path: str) -> etree._Element:
    """The element at a path of local names below `root`."""
    found = root.find("/".join(NS + step for step in path.split("/")))
    assert found is not None, path
    return found


def put(path: str, value: object) -> Edit:
    """Give another text to a leaf of infNFe."""

    def edit(root: etree._Element) -> None:
        find(root, f"infNFe/{path}").text = str(value)

    return edit


def cut(path: str) -> Edit:
    """Take an element out of infNFe."""

    def edit(root: etree._Element) -> None:
        element = find(root, f"infNFe/{path}")
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return edit


def after(path: str, text: str) -> Edit:
    """Put XML after an element of infNFe."""

    def edit(root: etree._Element) -> None:
        made = etree.fromstring(f'<x xmlns="{NFE}">{text}</x>')
        find(root, f"infNFe/{path}").addnext(made[0])
        etree.cleanup_namespaces(root)

    return edit


def keyed(root: etree._Element) -> str:
    """The key that the fields make; the fields keep their own cDV until `note` sets it."""
    ide = find(root, "infNFe/ide")

    def text(name: str) -> str:
        return ide.findtext(NS + name, "")

    emit = find(root, "infNFe/emit")
    issuer = emit.findtext(f"{NS}CNPJ") or emit.findtext(f"{NS}CPF", "")
    first = (
        text("cUF") + text("dhEmi")[2:4] + text("dhEmi")[5:7] + issuer.zfill(14) + text("mod")
        + text("serie").zfill(3) + text("nNF").zfill(9) + text("tpEmis") + text("cNF")
    )  # fmt: skip
    return first + digit(first)


# --- signing -----------------------------------------------------------------------------------


def note(
    signing: Signing,
    *edits: Edit,
    key: Callable[[str], str] | None = None,
    qr: Callable[[str, etree._Element], str] | str | None = None,
    late: Edit | None = None,
    **fields: object,
) -> Note:
    """Build, edit, key and sign. `key` changes the right key, `late` the tree after the key.

    `qr` is the text of the QR code, or a function of key and signed tree; NFC-e of SP get that of
    version 3 when it is not given.
    """
    root = tree(**fields)  # type: ignore[arg-type]
    for edit in edits:
        edit(root)
    chave = keyed(root)
    find(root, "infNFe/ide/cDV").text = chave[-1]
    chave = key(chave) if key else chave
    find(root, "infNFe").set("Id", f"NFe{chave}")
    if late:
        late(root)
    sign(root, "infNFe", signing)
    if find(root, "infNFe/ide/mod").text == "65" or qr:
        _supplement(root, chave, qr)
    return Note(chave, etree.tostring(root))


def _supplement(root: etree._Element, chave: str, qr: object) -> None:
    text = qr(chave, root) if callable(qr) else qr
    if text == "":
        return
    code = text or f"{QR_SP}?p={chave}|3|2"
    made = etree.SubElement(root, f"{NS}infNFeSupl")
    etree.SubElement(made, f"{NS}qrCode").text = code
    etree.SubElement(made, f"{NS}urlChave").text = CONSULT_SP
    find(root, "infNFe").addnext(made)


def sign(root: etree._Element, tag: str, signing: Signing) -> None:
    """Append the enveloped signature of the child `tag`."""
    target = find(root, tag)
    canonical = etree.tostring(etree.ElementTree(copy.deepcopy(target)), method="c14n")
    digest = base64.b64encode(hashlib.sha1(canonical).digest()).decode()  # noqa: S324
    info = (
        f'<SignedInfo xmlns="{DSIG}"><CanonicalizationMethod Algorithm="{C14N}">'
        f'</CanonicalizationMethod><SignatureMethod Algorithm="{DSIG}rsa-sha1"></SignatureMethod>'
        f'<Reference URI="#{target.get("Id")}"><Transforms>'
        f'<Transform Algorithm="{DSIG}enveloped-signature"></Transform>'
        f'<Transform Algorithm="{C14N}"></Transform></Transforms>'
        f'<DigestMethod Algorithm="{DSIG}sha1"></DigestMethod>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )
    value = base64.b64encode(signing.sign(info.encode())).decode()
    certificate = base64.b64encode(signing.der).decode()
    signature = (
        f'<Signature xmlns="{DSIG}">{info.replace(f" xmlns={chr(34)}{DSIG}{chr(34)}", "", 1)}'
        f"<SignatureValue>{value}</SignatureValue><KeyInfo><X509Data>"
        f"<X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo></Signature>"
    )
    root.append(etree.fromstring(signature))


# --- other messages ----------------------------------------------------------------------------


def batch(*notes: bytes, sync: bool | None = None, lote: str = "1") -> bytes:
    """enviNFe."""
    at_once = len(notes) == 1 if sync is None else sync
    head = leaves(idLote=lote, indSinc=1 if at_once else 0)
    return f'<enviNFe xmlns="{NFE}" versao="4.00">{head}'.encode() + b"".join(notes) + b"</enviNFe>"


def query(chave: str) -> bytes:
    content = leaves(tpAmb=2, xServ="CONSULTAR", chNFe=chave)
    return f'<consSitNFe xmlns="{NFE}" versao="4.00">{content}</consSitNFe>'.encode()


def receipt(recibo: str) -> bytes:
    content = leaves(tpAmb=2, nRec=recibo)
    return f'<consReciNFe xmlns="{NFE}" versao="4.00">{content}</consReciNFe>'.encode()


def status(cuf: str = "35") -> bytes:
    content = leaves(tpAmb=2, cUF=cuf, xServ="STATUS")
    return f'<consStatServ xmlns="{NFE}" versao="4.00">{content}</consStatServ>'.encode()


def voiding(
    signing: Signing,
    first: int,
    last: int,
    *,
    cnpj: str = ISSUER,
    year: str = "",
    modelo: str = "55",
) -> bytes:
    """inutNFe of series 1 in São Paulo."""
    ano = year or datetime.now(BRASILIA).strftime("%y")
    name = f"ID35{ano}{cnpj}{modelo}001{first:09d}{last:09d}"
    content = leaves(
        tpAmb=2, xServ="INUTILIZAR", cUF=35, ano=ano, CNPJ=cnpj, mod=modelo, serie=1, nNFIni=first,
        nNFFin=last, xJust="Falha no sistema de emissao",
    )  # fmt: skip
    root = etree.fromstring(
        f'<inutNFe xmlns="{NFE}" versao="4.00"><infInut Id="{name}">{content}</infInut></inutNFe>'
    )
    sign(root, "infInut", signing)
    return etree.tostring(root)


def event(
    signing: Signing,
    chave: str,
    tipo: str,
    detail: str,
    *,
    author: str = ISSUER,
    orgao: str = "35",
    sequence: int = 1,
    when: datetime | None = None,
    name: str = "",
) -> bytes:
    """evento; `detail` is the content of detEvento."""
    moment = (when or datetime.now(UTC)).astimezone(BRASILIA).isoformat(timespec="seconds")
    person = "CPF" if len(author) == 11 else "CNPJ"
    content = (
        leaves(cOrgao=orgao, tpAmb=2)
        + f"<{person}>{author}</{person}>"
        + leaves(chNFe=chave, dhEvento=moment, tpEvento=tipo, nSeqEvento=sequence, verEvento="1.00")
        + xml("detEvento", detail, versao="1.00")
    )
    given = name or f"ID{tipo}{chave}{sequence:02d}"
    content = xml("infEvento", content, Id=given)
    root = etree.fromstring(f'<evento xmlns="{NFE}" versao="1.00">{content}</evento>')
    sign(root, "infEvento", signing)
    return etree.tostring(root)


def cancellation(signing: Signing, chave: str, protocolo: str, **fields: object) -> bytes:
    detail = leaves(descEvento="Cancelamento", nProt=protocolo, xJust="Pedido feito em duplicidade")
    return event(signing, chave, "110111", detail, **fields)  # type: ignore[arg-type]


def correction(signing: Signing, chave: str, sequence: int = 1, **fields: object) -> bytes:
    detail = leaves(
        descEvento="Carta de Correcao", xCorrecao="Onde se le A, leia-se B", xCondUso=XCOND
    )
    return event(signing, chave, "110110", detail, sequence=sequence, **fields)  # type: ignore[arg-type]


def events(*signed: bytes) -> bytes:
    """envEvento."""
    head = f'<envEvento xmlns="{NFE}" versao="1.00"><idLote>1</idLote>'
    return head.encode() + b"".join(signed) + b"</envEvento>"


def distribution(document: str, *, ult: int | None = None, nsu: int = 0, chave: str = "") -> bytes:
    """distDFeInt: after `ult`, or one by NSU or key."""
    asked = xml("consNSU", leaves(NSU=f"{nsu:015d}"))
    if chave:
        asked = xml("consChNFe", leaves(chNFe=chave))
    elif ult is not None:
        asked = xml("distNSU", leaves(ultNSU=f"{ult:015d}"))
    content = leaves(tpAmb=2, cUFAutor=35, CNPJ=document) + asked
    return f'<distDFeInt xmlns="{NFE}" versao="1.01">{content}</distDFeInt>'.encode()
