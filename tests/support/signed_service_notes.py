"""Small valid declarations of services, built by hand and signed by xmlsec: no product code."""

from __future__ import annotations

import base64
import gzip
from datetime import UTC, datetime, timedelta, timezone

import xmlsec
from lxml import etree

from fiscal.sandbox.ca import Issued

NATIONAL = "http://www.sped.fazenda.gov.br/nfse"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA1 = (C14N, f"{DSIG}rsa-sha1", f"{DSIG}sha1")
SHA256 = (
    EXCLUSIVE,
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmlenc#sha256",
)
ISSUER, TAKER = "11222333000181", "11444777000161"
CITY = "4204608"
BRASILIA = timezone(timedelta(hours=-3))


def moment(when: datetime | None = None) -> str:
    """A moment as the layouts write it."""
    return (when or datetime.now(UTC)).astimezone(BRASILIA).isoformat(timespec="seconds")


def signed(
    text: str,
    identity: Issued,
    *,
    uri: str,
    inside: str = "",
    algorithms: tuple[str, str, str] = SHA1,
) -> str:
    """`text` with the signature of the element of Id `uri` as last child of `inside` (a path of
    local names below the root; "" for the root)."""
    c14n, method, digest = algorithms
    template = (
        f'<Signature xmlns="{DSIG}"><SignedInfo><CanonicalizationMethod Algorithm="{c14n}"/>'
        f'<SignatureMethod Algorithm="{method}"/><Reference URI="{"#" + uri if uri else ""}">'
        f'<Transforms><Transform Algorithm="{DSIG}enveloped-signature"/>'
        f'<Transform Algorithm="{c14n}"/></Transforms><DigestMethod Algorithm="{digest}"/>'
        "<DigestValue/></Reference></SignedInfo><SignatureValue/><KeyInfo><X509Data>"
        "<X509Certificate/></X509Data></KeyInfo></Signature>"
    )
    root = etree.fromstring(text.encode())
    parent = root
    for step in inside.split("/") if inside else ():
        parent = next(each for each in parent if etree.QName(each).localname == step)
    node = etree.fromstring(template)
    parent.append(node)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(identity.key_pem, xmlsec.KeyFormat.PEM, None)
    context.key.load_cert_from_memory(identity.certificate_pem, xmlsec.KeyFormat.PEM)
    for element in root.iter(etree.Element):
        for name in ("Id", "id"):
            if element.get(name):
                context.register_id(element, name)
    context.sign(node)
    for each in root.iter(f"{{{DSIG}}}X509Certificate"):
        each.text = "".join((each.text or "").split())
    return etree.tostring(root, encoding="unicode")


# --- national ----------------------------------------------------------------------------------


def dps_id(*, series: int, number: int, issuer: str = ISSUER, city: str = CITY) -> str:
    kind = "2" if len(issuer) == 14 else "1"
    return f"DPS{city}{kind}{issuer:0>14}{series:05d}{number:015d}"


def dps_text(
    number: int = 1,
    *,
    series: int = 1,
    issuer: str = ISSUER,
    city: str = CITY,
    when: datetime | None = None,
    amb: str = "2",
    **changes: str,
) -> str:
    """The unsigned DPS of a service of R$ 1,000.00. `changes` replace texts: old → new."""
    at = moment(when)
    document = "CNPJ" if len(issuer) == 14 else "CPF"
    text = (
        f'<DPS xmlns="{NATIONAL}" versao="1.01"><infDPS Id="'
        f'{dps_id(series=series, number=number, issuer=issuer, city=city)}"><tpAmb>{amb}</tpAmb>'
        f"<dhEmi>{at}</dhEmi><verAplic>teste-1</verAplic><serie>{series}</serie>"
        f"<nDPS>{number}</nDPS><dCompet>{at[:10]}</dCompet><tpEmit>1</tpEmit>"
        f"<cLocEmi>{city}</cLocEmi>@subst@<prest><{document}>{issuer}</{document}><IM>123</IM>"
        "<regTrib><opSimpNac>1</opSimpNac><regEspTrib>0</regEspTrib></regTrib></prest>"
        f"<toma><CNPJ>{TAKER}</CNPJ><xNome>Tomador Ltda</xNome><end><endNac>"
        "<cMun>3550308</cMun><CEP>01001000</CEP></endNac><xLgr>Praça da Sé</xLgr><nro>1</nro>"
        "<xBairro>Sé</xBairro></end></toma><serv><locPrest>"
        f"<cLocPrestacao>{city}</cLocPrestacao></locPrest><cServ><cTribNac>010101</cTribNac>"
        "<xDescServ>Análise de sistemas</xDescServ><cNBS>115022000</cNBS></cServ></serv>"
        "<valores><vServPrest><vServ>1000.00</vServ></vServPrest><trib><tribMun>"
        "<tribISSQN>1</tribISSQN><tpRetISSQN>1</tpRetISSQN></tribMun><tribFed><piscofins>"
        "<CST>01</CST><vBCPisCofins>1000.00</vBCPisCofins><pAliqPis>0.65</pAliqPis>"
        "<pAliqCofins>3.00</pAliqCofins><vPis>6.50</vPis><vCofins>30.00</vCofins>"
        "<tpRetPisCofins>3</tpRetPisCofins></piscofins><vRetIRRF>15.00</vRetIRRF>"
        "<vRetCSLL>46.50</vRetCSLL></tribFed><totTrib><vTotTrib>"
        "<vTotTribFed>134.50</vTotTribFed><vTotTribEst>0.00</vTotTribEst>"
        "<vTotTribMun>20.00</vTotTribMun></vTotTrib></totTrib></trib></valores><IBSCBS>"
        "<finNFSe>0</finNFSe><indFinal>0</indFinal><cIndOp>100301</cIndOp><indDest>0</indDest>"
        "<valores><trib><gIBSCBS><CST>000</CST><cClassTrib>000001</cClassTrib></gIBSCBS></trib>"
        "</valores></IBSCBS></infDPS></DPS>"
    )
    return text.replace("@subst@", changes.get("subst", ""))


def dps(
    identity: Issued,
    number: int = 1,
    *,
    algorithms: tuple[str, str, str] = SHA1,
    replace: tuple[tuple[str, str], ...] = (),
    **how: object,
) -> bytes:
    """A signed DPS; `replace` are changes of its text before it is signed."""
    text = dps_text(number, **how)  # type: ignore[arg-type]
    for old, new in replace:
        if old not in text:
            raise ValueError(f"{old} não está na DPS")
        text = text.replace(old, new)
    uri = text.split('Id="')[1].split('"')[0]
    return declared(signed(text, identity, uri=uri, algorithms=algorithms))


def declared(text: str) -> bytes:
    """With the XML declaration that Sefin demands."""
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def packed(xml: bytes) -> str:
    """base64 of gzip."""
    return base64.b64encode(gzip.compress(xml)).decode()


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text))


def event(
    identity: Issued,
    key: str,
    tipo: str = "101101",
    *,
    author: str = ISSUER,
    amb: str = "2",
    code: str = "1",
    algorithms: tuple[str, str, str] = SHA1,
) -> bytes:
    """A signed request of cancellation (101101) or of analysis (101103)."""
    told = {
        "101101": "Cancelamento de NFS-e",
        "101103": "Solicitação de Análise Fiscal para Cancelamento de NFS-e",
    }[tipo]
    name = f"PRE{key}{tipo}"
    text = (
        f'<pedRegEvento xmlns="{NATIONAL}" versao="1.01"><infPedReg Id="{name}">'
        f"<tpAmb>{amb}</tpAmb><verAplic>teste-1</verAplic><dhEvento>{moment()}</dhEvento>"
        f"<CNPJAutor>{author}</CNPJAutor><chNFSe>{key}</chNFSe><e{tipo}><xDesc>{told}</xDesc>"
        f"<cMotivo>{code}</cMotivo><xMotivo>Valor do serviço errado</xMotivo></e{tipo}>"
        "</infPedReg></pedRegEvento>"
    )
    return declared(signed(text, identity, uri=name, algorithms=algorithms))
