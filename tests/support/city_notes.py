"""Messages of cities, built by hand and signed by xmlsec, and the SOAP around them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from support.sandbox_authority import Client
from support.signed_service_notes import BRASILIA, ISSUER, TAKER, signed

from fiscal.sandbox.ca import Issued

NFSE = "http://www.abrasf.org.br/nfse.xsd"
NFSE_1 = "http://www.abrasf.org.br/ABRASF/arquivos/nfse.xsd"
XSD = Path(__file__).resolve().parents[2] / "fiscal" / "schemas"
FILES = {
    "1.00": "abrasf_1_00/nfse.xsd",
    "2.02": "abrasf_2_02/nfse_v2_02.xsd",
    "2.04": "abrasf_2_04/nfse_v2-04.xsd",
}
CITIES = {"1.00": "3104205", "2.02": "4301602", "2.04": "5208707"}
WHO = f"<CpfCnpj><Cnpj>{ISSUER}</Cnpj></CpfCnpj><InscricaoMunicipal>123</InscricaoMunicipal>"
SOAPS = {
    "1.1": ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8"),
    "1.2": ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml; charset=utf-8"),
}


def today() -> str:
    return datetime.now(UTC).astimezone(BRASILIA).date().isoformat()


def rps_inf(version: str, number: int = 1, *, serie: str = "A", amount: str = "1000.00") -> str:
    """The unsigned declaration of one RPS."""
    city, name = CITIES[version], f"rps{number}"
    identity = f"<Numero>{number}</Numero><Serie>{serie}</Serie><Tipo>1</Tipo>"
    identity = f"<IdentificacaoRps>{identity}</IdentificacaoRps>"
    taker = (
        f"<IdentificacaoTomador><CpfCnpj><Cnpj>{TAKER}</Cnpj></CpfCnpj></IdentificacaoTomador>"
        "<RazaoSocial>Tomador Ltda</RazaoSocial>"
    )
    if version == "1.00":
        return (
            f'<InfRps id="{name}">{identity}<DataEmissao>{today()}T08:00:00</DataEmissao>'
            "<NaturezaOperacao>1</NaturezaOperacao><OptanteSimplesNacional>2"
            "</OptanteSimplesNacional><IncentivadorCultural>2</IncentivadorCultural>"
            f"<Status>1</Status><Servico><Valores><ValorServicos>{amount}</ValorServicos>"
            "<IssRetido>2</IssRetido><Aliquota>0.05</Aliquota></Valores>"
            "<ItemListaServico>1.01</ItemListaServico><Discriminacao>Análise</Discriminacao>"
            f"<CodigoMunicipio>{city}</CodigoMunicipio></Servico><Prestador><Cnpj>{ISSUER}</Cnpj>"
            "<InscricaoMunicipal>123</InscricaoMunicipal></Prestador>"
            f"<Tomador>{taker}</Tomador></InfRps>"
        )
    tag = "TomadorServico" if version == "2.04" else "Tomador"
    return (
        f'<InfDeclaracaoPrestacaoServico Id="{name}"><Rps>{identity}'
        f"<DataEmissao>{today()}</DataEmissao><Status>1</Status></Rps>"
        f"<Competencia>{today()}</Competencia><Servico><Valores>"
        f"<ValorServicos>{amount}</ValorServicos><Aliquota>5.00</Aliquota></Valores>"
        "<IssRetido>2</IssRetido><ItemListaServico>01.01</ItemListaServico>"
        f"<Discriminacao>Análise</Discriminacao><CodigoMunicipio>{city}</CodigoMunicipio>"
        f"<ExigibilidadeISS>1</ExigibilidadeISS><MunicipioIncidencia>{city}</MunicipioIncidencia>"
        f"</Servico><Prestador>{WHO}</Prestador><{tag}>{taker}</{tag}>"
        "<OptanteSimplesNacional>2</OptanteSimplesNacional><IncentivoFiscal>2</IncentivoFiscal>"
        "</InfDeclaracaoPrestacaoServico>"
    )


def generate(version: str, identity: Issued, number: int = 1, **how: str) -> str:
    """GerarNfseEnvio with the signature of its declaration."""
    inf = rps_inf(version, number, **how)
    text = f'<GerarNfseEnvio xmlns="{NFSE}"><Rps>{inf}</Rps></GerarNfseEnvio>'
    return signed(text, identity, uri=f"rps{number}", inside="Rps")


def lot(version: str, identity: Issued, *numbers: int, at_once: bool = False) -> str:
    """EnviarLoteRps(Sincrono)Envio; its lot is signed, its RPS in 2.04 too."""
    root = "EnviarLoteRpsSincronoEnvio" if at_once else "EnviarLoteRpsEnvio"
    space = NFSE_1 if version == "1.00" else NFSE
    rps = "".join(f"<Rps>{rps_inf(version, number)}</Rps>" for number in numbers)
    head = {
        "1.00": f'<LoteRps id="lote1"><NumeroLote>1</NumeroLote><Cnpj>{ISSUER}</Cnpj>'
        "<InscricaoMunicipal>123</InscricaoMunicipal>",
        "2.02": f'<LoteRps Id="lote1" versao="2.02"><NumeroLote>1</NumeroLote>{WHO}',
        "2.04": '<LoteRps Id="lote1" versao="2.04"><NumeroLote>1</NumeroLote>'
        f"<Prestador>{WHO}</Prestador>",
    }[version]
    text = (
        f'<{root} xmlns="{space}">{head}<QuantidadeRps>{len(numbers)}</QuantidadeRps>'
        f"<ListaRps>{rps}</ListaRps></LoteRps></{root}>"
    )
    if version == "2.04":
        text = _each_signed(text, identity, numbers)
    return signed(text, identity, uri="lote1")


def _each_signed(text: str, identity: Issued, numbers: tuple[int, ...]) -> str:
    for number in numbers:
        start = text.index(f'<Rps><InfDeclaracaoPrestacaoServico Id="rps{number}"')
        end = text.index("</InfDeclaracaoPrestacaoServico>", start) + len(
            "</InfDeclaracaoPrestacaoServico></Rps>"
        )
        alone = text[start:end].replace("<Rps>", f'<Rps xmlns="{NFSE}">', 1)
        made = signed(alone, identity, uri=f"rps{number}").replace(f' xmlns="{NFSE}"', "", 1)
        text = text[:start] + made + text[end:]
    return text


def cancel(version: str, identity: Issued, number: str, *, code: str = "1") -> str:
    """CancelarNfseEnvio, signed where 2.x wants it."""
    first = version == "1.00"
    who = f"<Cnpj>{ISSUER}</Cnpj><InscricaoMunicipal>123</InscricaoMunicipal>" if first else WHO
    text = (
        f'<CancelarNfseEnvio xmlns="{NFSE_1 if first else NFSE}"><Pedido>'
        f'<InfPedidoCancelamento {"id" if first else "Id"}="c1"><IdentificacaoNfse>'
        f"<Numero>{number}</Numero>{who}<CodigoMunicipio>{CITIES[version]}</CodigoMunicipio>"
        f"</IdentificacaoNfse><CodigoCancelamento>{code}</CodigoCancelamento>"
        "</InfPedidoCancelamento></Pedido></CancelarNfseEnvio>"
    )
    return text if first else signed(text, identity, uri="c1", inside="Pedido")


def substitute(identity: Issued, old: str, number: int) -> str:
    """SubstituirNfseEnvio of 2.04."""
    order = cancel("2.04", identity, old)
    pedido = order[order.index("<Pedido>") : order.index("</CancelarNfseEnvio>")]
    made = generate("2.04", identity, number)
    rps = made[made.index("<Rps>") : made.index("</GerarNfseEnvio>")]
    return (
        f'<SubstituirNfseEnvio xmlns="{NFSE}"><SubstituicaoNfse Id="s1">{pedido}{rps}'
        "</SubstituicaoNfse></SubstituirNfseEnvio>"
    )


def by_rps(version: str, number: int, serie: str = "A") -> str:
    first = version == "1.00"
    who = f"<Cnpj>{ISSUER}</Cnpj><InscricaoMunicipal>123</InscricaoMunicipal>" if first else WHO
    return (
        f'<ConsultarNfseRpsEnvio xmlns="{NFSE_1 if first else NFSE}"><IdentificacaoRps>'
        f"<Numero>{number}</Numero><Serie>{serie}</Serie><Tipo>1</Tipo></IdentificacaoRps>"
        f"<Prestador>{who}</Prestador></ConsultarNfseRpsEnvio>"
    )


def by_protocol(version: str, root: str, protocol: str) -> str:
    first = version == "1.00"
    who = f"<Cnpj>{ISSUER}</Cnpj><InscricaoMunicipal>123</InscricaoMunicipal>" if first else WHO
    return (
        f'<{root}Envio xmlns="{NFSE_1 if first else NFSE}"><Prestador>{who}</Prestador>'
        f"<Protocolo>{protocol}</Protocolo></{root}Envio>"
    )


@dataclass
class City:
    """A city of one version, asked with a taxpayer's certificate; answers are schema-checked."""

    client: Client
    version: str
    soap: str = "1.1"

    @property
    def identity(self) -> Issued:
        return self.client.identity

    def post(self, operation: str, message: str, **changes: str) -> requests.Response:
        """`changes`: action, head."""
        first = self.version == "1.00"
        space = "http://tempuri.org/" if first else "http://nfse.abrasf.org.br"
        action = f"{space}INfseServices/{operation}" if first else f"{space}/{operation}"
        request = operation if first else f"{operation}Request"
        head, data = ("cabec", "msg") if first else ("nfseCabecMsg", "nfseDadosMsg")
        bare = "" if first else ' xmlns=""'
        told = changes.get("head") or (
            f'<cabecalho xmlns="{NFSE}" versao="{self.version}"><versaoDados>{self.version}'
            "</versaoDados></cabecalho>"
        )
        soap, kind = SOAPS[self.soap]
        body = (
            f'<s:Envelope xmlns:s="{soap}"><s:Body><{request} xmlns="{space}">'
            f"<{head}{bare}>{escape(told)}</{head}><{data}{bare}>{escape(message)}</{data}>"
            f"</{request}></s:Body></s:Envelope>"
        )
        url = f"{self.client.base_url}/homologacao/M{CITIES[self.version]}"
        headers = {"Content-Type": kind, "SOAPAction": f'"{changes.get("action", action)}"'}
        return self.client.session.post(url, data=body.encode(), headers=headers, timeout=10)

    def call(self, operation: str, message: str, **changes: str) -> etree._Element:
        """The answer's own XML, valid against the published schema."""
        response = self.post(operation, message, **changes)
        assert response.status_code == 200, response.text
        text = next(
            each.text
            for each in etree.fromstring(response.content).iter(etree.Element)
            if etree.QName(each).localname in ("outputXML", f"{operation}Result")
        )
        root = etree.fromstring((text or "").encode())
        schema = etree.XMLSchema(etree.parse(XSD / FILES[self.version]))
        schema.assertValid(root)
        return root


def texts(root: etree._Element, name: str) -> list[str]:
    """Texts of every element of that local name."""
    return [each.text or "" for each in root.iterfind(f".//{{*}}{name}")]


# --- São Paulo ---------------------------------------------------------------------------------

PAULISTANA = "http://www.prefeitura.sp.gov.br/nfe"
ACTIONS = {
    "EnvioRPS": "envioRPS",
    "EnvioLoteRPS": "envioLoteRPS",
    "TesteEnvioLoteRPS": "testeenvio",
    "ConsultaNFe": "consultaNFe",
    "ConsultaNFeRecebidas": "consultaNFeRecebidas",
    "CancelamentoNFe": "cancelamentoNFe",
}
REGISTRATION = "31000000"


def by_hand(identity: Issued, text: str) -> str:
    """base64 of the RSA-SHA1 signature of an ASCII text."""
    key = load_pem_private_key(identity.key_pem, None)
    value = key.sign(text.encode("ascii"), PKCS1v15(), SHA1())  # type: ignore[union-attr,call-arg,arg-type]  # noqa: S303
    return base64.b64encode(value).decode()


def paulistana_rps(layout: str, identity: Issued, number: int, day: str, *, text: str = "") -> str:
    """An RPS of R$ 20,500.00 with R$ 5,000.00 of deductions; `text` replaces what is signed."""
    width = 8 if layout == "1" else 12
    wanted = (
        f"{REGISTRATION:0>{width}}OL03 {number:012d}{day.replace('-', '')}TNN"
        f"000000002050000000000000500000026582{TAKER}"
    )
    assert len(wanted) == (86 if layout == "1" else 90)
    names = ("PIS", "COFINS", "INSS", "IR", "CSLL")
    zero = "".join(f"<Valor{name}>0</Valor{name}>" for name in names)
    amounts = (
        "<ValorServicos>20500</ValorServicos><ValorDeducoes>5000</ValorDeducoes>"
        if layout == "1"
        else f"<ValorDeducoes>5000</ValorDeducoes>{zero}"
    )
    second = (
        "<ValorInicialCobrado>20500</ValorInicialCobrado><ValorIPI>0</ValorIPI>"
        "<ExigibilidadeSuspensa>0</ExigibilidadeSuspensa><PagamentoParceladoAntecipado>0"
        "</PagamentoParceladoAntecipado><NBS>115022000</NBS><cLocPrestacao>3550308</cLocPrestacao>"
        "<IBSCBS><finNFSe>0</finNFSe><indFinal>0</indFinal><cIndOp>100301</cIndOp>"
        "<indDest>0</indDest><valores><trib><gIBSCBS><cClassTrib>000001</cClassTrib></gIBSCBS>"
        "</trib></valores></IBSCBS>"
    )
    return (
        f'<RPS xmlns=""><Assinatura>{by_hand(identity, text or wanted)}</Assinatura><ChaveRPS>'
        f"<InscricaoPrestador>{REGISTRATION}</InscricaoPrestador><SerieRPS>OL03</SerieRPS>"
        f"<NumeroRPS>{number}</NumeroRPS></ChaveRPS><TipoRPS>RPS</TipoRPS>"
        f"<DataEmissao>{day}</DataEmissao><StatusRPS>N</StatusRPS><TributacaoRPS>T</TributacaoRPS>"
        f"{amounts}<CodigoServico>2658</CodigoServico><AliquotaServicos>0.05</AliquotaServicos>"
        f"<ISSRetido>false</ISSRetido><CPFCNPJTomador><CNPJ>{TAKER}</CNPJ></CPFCNPJTomador>"
        "<RazaoSocialTomador>Tomador</RazaoSocialTomador><Discriminacao>Análise|de sistemas"
        f"</Discriminacao>{second if layout == '2' else ''}</RPS>"
    )


@dataclass
class SaoPaulo:
    """São Paulo in one layout; answers are checked against the published schema."""

    client: Client
    layout: str
    document: str = ISSUER

    @property
    def identity(self) -> Issued:
        return self.client.identity

    def message(self, root: str, inner: str, head: str = "") -> str:
        """A signed message."""
        text = (
            f'<{root} xmlns="{PAULISTANA}"><Cabecalho xmlns="" Versao="{self.layout}">'
            f"<CPFCNPJRemetente><CNPJ>{self.document}</CNPJ></CPFCNPJRemetente>{head}"
            f"</Cabecalho>{inner}</{root}>"
        )
        return signed(text, self.identity, uri="")

    def post(self, operation: str, message: str) -> requests.Response:
        soap, kind = SOAPS["1.1"]
        body = (
            f'<s:Envelope xmlns:s="{soap}"><s:Body><{operation}Request xmlns="{PAULISTANA}">'
            f"<VersaoSchema>{self.layout}</VersaoSchema><MensagemXML>{escape(message)}"
            f"</MensagemXML></{operation}Request></s:Body></s:Envelope>"
        )
        url = f"{self.client.base_url}/producao/M3550308"
        action = f'"{PAULISTANA}/ws/{ACTIONS[operation]}"'
        headers = {"Content-Type": kind, "SOAPAction": action}
        return self.client.session.post(url, data=body.encode(), headers=headers, timeout=10)

    def call(self, operation: str, message: str) -> etree._Element:
        response = self.post(operation, message)
        assert response.status_code == 200, response.text
        text = etree.fromstring(response.content).findtext(f".//{{{PAULISTANA}}}RetornoXML", "")
        root = etree.fromstring(text.encode())
        name = f"{etree.QName(root).localname}_v0{self.layout}.xsd"
        path = XSD / f"paulistana_v0{self.layout}" / name
        etree.XMLSchema(etree.parse(path)).assertValid(root)
        return root

    def send(self, number: int, **how: str) -> etree._Element:
        day = how.pop("day", today() if self.layout == "2" else "2025-12-30")
        rps = paulistana_rps(self.layout, self.identity, number, day, **how)
        return self.call("EnvioRPS", self.message("PedidoEnvioRPS", rps))

    def ask(self, number: int) -> etree._Element:
        """ConsultaNFe by RPS."""
        key = (
            f'<Detalhe xmlns=""><ChaveRPS><InscricaoPrestador>{REGISTRATION}</InscricaoPrestador>'
            f"<SerieRPS>OL03</SerieRPS><NumeroRPS>{number}</NumeroRPS></ChaveRPS></Detalhe>"
        )
        return self.call("ConsultaNFe", self.message("PedidoConsultaNFe", key))

    def cancel(self, number: str, *, text: str = "") -> etree._Element:
        wanted = f"{REGISTRATION}{int(number):012d}"
        detail = (
            f'<Detalhe xmlns=""><ChaveNFe><InscricaoPrestador>{REGISTRATION}</InscricaoPrestador>'
            f"<NumeroNFe>{number}</NumeroNFe></ChaveNFe><AssinaturaCancelamento>"
            f"{by_hand(self.identity, text or wanted)}</AssinaturaCancelamento></Detalhe>"
        )
        head = "<transacao>true</transacao>"
        message = self.message("PedidoCancelamentoNFe", detail, head)
        return self.call("CancelamentoNFe", message)
