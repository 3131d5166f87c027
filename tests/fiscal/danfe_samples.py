"""XML of invoices as archives hold them, put together tag by tag: nothing here builds documents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from fiscal.access_key import compose

NS = "http://www.portalfiscal.inf.br/nfe"
LETTERED = "12ABC34501DE35"
NEW = "2026-12-01T00:00:00-03:00"  # from here on the layout of NT 2026.010
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63"
    "6460f85f0f0002870180eb47ba920000000049454e44ae426082"
)
CORRECTION = "Onde se lê volume 3, leia-se volume 4. "


def tags(**values: str) -> str:
    """`<a>1</a><b>2</b>`: absent values leave no tag."""
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in values.items() if text)


def group(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>" if inner else ""


ICMS00 = "<ICMS00><orig>0</orig><CST>00</CST><modBC>3</modBC><vBC>100.00</vBC>" + (
    "<pICMS>18.0000</pICMS><vICMS>18.00</vICMS></ICMS00>"
)
ICMS_ST = "<ICMS10><orig>1</orig><CST>10</CST><modBC>3</modBC><vBC>100.00</vBC>" + (
    "<pICMS>12.00</pICMS><vICMS>12.00</vICMS><modBCST>4</modBCST><pMVAST>40.00</pMVAST>"
    "<vBCST>140.00</vBCST><pICMSST>18.00</pICMSST><vICMSST>13.20</vICMSST></ICMS10>"
)
SIMPLES = "<ICMSSN102><orig>0</orig><CSOSN>102</CSOSN></ICMSSN102>"
IPI = "<IPI><cEnq>999</cEnq><IPITrib><CST>50</CST><vBC>100.00</vBC><pIPI>5.0000</pIPI>" + (
    "<vIPI>5.00</vIPI></IPITrib></IPI>"
)
REFORM = "<IBSCBS><CST>000</CST><cClassTrib>000001</cClassTrib><gIBSCBS><vBC>72.75</vBC>" + (
    "<gIBSUF><pIBSUF>0.1000</pIBSUF><vIBSUF>0.07</vIBSUF></gIBSUF>"
    "<gIBSMun><pIBSMun>0.0000</pIBSMun><vIBSMun>0.00</vIBSMun></gIBSMun><vIBS>0.07</vIBS>"
    "<gCBS><pCBS>0.9000</pCBS><vCBS>0.65</vCBS></gCBS></gIBSCBS></IBSCBS>"
)
REDUCED = "<IBSCBS><CST>200</CST><cClassTrib>200001</cClassTrib><gIBSCBS><vBC>100.00</vBC>" + (
    "<gIBSUF><pIBSUF>0.1000</pIBSUF><gRed><pRedAliq>60.0000</pRedAliq><pAliqEfet>0.0400"
    "</pAliqEfet></gRed><vIBSUF>0.04</vIBSUF></gIBSUF><gIBSMun><pIBSMun>0.0000</pIBSMun>"
    "<vIBSMun>0.00</vIBSMun></gIBSMun><vIBS>0.04</vIBS><gCBS><pCBS>0.9000</pCBS><gRed>"
    "<pRedAliq>60.0000</pRedAliq><pAliqEfet>0.3600</pAliqEfet></gRed><vCBS>0.36</vCBS></gCBS>"
    "</gIBSCBS></IBSCBS>"
)
FOREIGN = "<dest><idEstrangeiro>US-998877</idEstrangeiro><xNome>ACME Trading</xNome>" + (
    "<enderDest><xLgr>5th Avenue</xLgr><nro>1020</nro><xMun>EXTERIOR</xMun><UF>EX</UF>"
    "<xPais>ESTADOS UNIDOS</xPais><fone>12125551234</fone></enderDest></dest>"
)
REFORM_TOTAL = "<IBSCBSTot><vBCIBSCBS>72.75</vBCIBSCBS><gIBS><gIBSUF><vDif>0.00</vDif>" + (
    "<vDevTrib>0.00</vDevTrib><vIBSUF>0.07</vIBSUF></gIBSUF><gIBSMun><vDif>0.00</vDif>"
    "<vDevTrib>0.00</vDevTrib><vIBSMun>0.00</vIBSMun></gIBSMun><vIBS>0.07</vIBS></gIBS>"
    "<gCBS><vCBS>0.65</vCBS></gCBS></IBSCBSTot><vNFTot>100.00</vNFTot>"
)
ISSQN_TOTAL = "<ISSQNtot><vServ>200.00</vServ><vBC>200.00</vBC><vISS>10.00</vISS>" + (
    "<dCompet>2026-11-20</dCompet></ISSQNtot>"
)


@dataclass(frozen=True)
class Sample:
    """An invoice by its parts; every part is XML except the plain facts."""

    modelo: int = 55
    cnpj: str = "07504505000132"
    numero: int = 123456
    dh_emi: str = "2026-11-20T23:30:00-03:00"
    tp_amb: str = "1"
    tp_emis: int = 1
    crt: str = "3"
    emit_name: str = "Indústria & Comércio São João Ltda"
    street: str = "Rua das Acácias"
    n_items: int = 1
    item_name: str = "Parafuso sextavado de aço inox M8"
    item_more: str = ""
    inf_ad_prod: str = ""
    taxes: str = f"<ICMS>{ICMS00}</ICMS>"
    unit: str = "UN"
    tax_unit: str = "UN"
    dest: str = "default"
    places: str = ""
    totals: str = ""
    more_totals: str = ""
    cobr: str = ""
    transp: str = "<modFrete>9</modFrete>"
    pag: str = "<detPag><tPag>01</tPag><vPag>100.00</vPag></detPag>"
    notes: str = ""
    reserved: str = ""
    supplement: str = ""
    nat_op: str = "Venda de mercadoria"
    tp_imp: str = "1"
    protocol: str = "135260000000123"
    c_stat: str = "100"
    message: str = ""  # xMsg of the authority

    @property
    def chave(self) -> str:
        return compose(
            cuf="35",
            aamm=self.dh_emi[2:4] + self.dh_emi[5:7],
            document=self.cnpj,
            modelo=self.modelo,
            serie=1,
            numero=self.numero,
            tp_emis=self.tp_emis,
            cnf="87654321",
        )

    def but(self, **changes: object) -> Sample:
        return replace(self, **changes)  # type: ignore[arg-type]

    def xml(self) -> bytes:
        """nfeProc, or NFe alone where there is no protocol."""
        nfe = (
            f'<NFe xmlns="{NS}"><infNFe versao="4.00" Id="NFe{self.chave}">{self._body()}</infNFe>'
        )
        nfe += f"{group('infNFeSupl', self.supplement)}</NFe>"
        if not self.protocol:
            return nfe.encode()
        answer = tags(
            tpAmb=self.tp_amb,
            chNFe=self.chave,
            dhRecbto="2026-11-20T23:30:05-03:00",
            nProt=self.protocol,
            cStat=self.c_stat,
            xMsg=self.message,
        )
        body = f'{nfe}<protNFe versao="4.00"><infProt>{answer}</infProt></protNFe>'
        return f'<nfeProc xmlns="{NS}" versao="4.00">{body}</nfeProc>'.encode()

    def _body(self) -> str:
        ide = tags(
            cUF="35",
            natOp=self.nat_op,
            mod=str(self.modelo),
            serie="1",
            nNF=str(self.numero),
            dhEmi=self.dh_emi,
            dhSaiEnt="2026-11-21T08:15:00-03:00" if self.modelo == 55 else "",
            tpNF="1",
            tpImp=self.tp_imp,
            tpEmis=str(self.tp_emis),
            tpAmb=self.tp_amb,
        )
        place = tags(
            xLgr=self.street,
            nro="1500",
            xCpl="Galpão 2",
            xBairro="Distrito Industrial",
            xMun="Campinas",
            UF="SP",
            CEP="13050000",
            fone="1932123456",
        )
        emit = tags(CNPJ=self.cnpj, xNome=self.emit_name) + group("enderEmit", place)
        emit += tags(IE="244567890112", CRT=self.crt)
        info = tags(infAdFisco=self.reserved, infCpl=self.notes)
        return "".join(
            (
                group("ide", ide),
                group("emit", emit),
                self._dest(),
                self.places,
                "".join(self._item(at + 1) for at in range(self.n_items)),
                group("total", self._totals()),
                group("transp", self.transp),
                group("cobr", self.cobr),
                group("pag", self.pag),
                group("infAdic", info),
            )
        )

    def _dest(self) -> str:
        if self.dest != "default":
            return self.dest
        place = tags(
            xLgr="Avenida Brasil",
            nro="42",
            xBairro="Centro",
            xMun="Belo Horizonte",
            UF="MG",
            CEP="30130000",
        )
        who = tags(CNPJ="11222333000181", xNome="Mercado Ônibus & Açaí S/A")
        return group("dest", who + group("enderDest", place) + tags(IE="0620000000001"))

    def _item(self, at: int) -> str:
        prod = tags(
            cProd=f"COD-{at:04d}",
            xProd=self.item_name if self.n_items == 1 else f"{self.item_name} nº {at}",
            NCM="73181500",
            CFOP="6102",
            uCom=self.unit,
            qCom="2.5000",
            vUnCom="40.0000000000",
            vProd="100.00",
            uTrib=self.tax_unit,
            qTrib="2500.0000",
            vUnTrib="40.0000000000" if self.unit == self.tax_unit else "0.0400000000",
        )
        prod = group("prod", prod + self.item_more)
        inside = prod + group("imposto", self.taxes) + tags(infAdProd=self.inf_ad_prod)
        return f'<det nItem="{at}">{inside}</det>'

    def _totals(self) -> str:
        total = self.totals or tags(
            vBC="100.00",
            vICMS="18.00",
            vICMSDeson="0.00",
            vBCST="0.00",
            vST="0.00",
            vProd="100.00",
            vFrete="0.00",
            vSeg="0.00",
            vDesc="0.00",
            vII="0.00",
            vIPI="0.00",
            vPIS="1.65",
            vCOFINS="7.60",
            vOutro="0.00",
            vNF="1234.56",
        )
        return group("ICMSTot", total) + self.more_totals


def event(
    sample: Sample,
    tp_evento: str,
    *,
    detail: str = "",
    c_stat: str = "135",
    chave: str = "",
    n_seq: str = "1",
) -> bytes:
    """procEventoNFe of `sample`, with the authority's answer `c_stat`."""
    key = chave or sample.chave
    inner = tags(
        cOrgao="35",
        tpAmb=sample.tp_amb,
        CNPJ=sample.cnpj,
        chNFe=key,
        dhEvento="2026-11-21T09:00:00-03:00",
        tpEvento=tp_evento,
        nSeqEvento=n_seq,
    )
    answer = tags(
        cStat=c_stat,
        chNFe=key,
        tpEvento=tp_evento,
        dhRegEvento="2026-11-21T09:00:07-03:00",
        nProt="135260000009999",
    )
    return (
        f'<procEventoNFe xmlns="{NS}" versao="1.00"><evento versao="1.00">'
        f"<infEvento>{inner}{group('detEvento', detail)}</infEvento></evento>"
        f"<retEvento><infEvento>{answer}</infEvento></retEvento></procEventoNFe>"
    ).encode()


def consumer_note(**changes: object) -> Sample:
    """A NFC-e with its supplement."""
    sample = Sample(
        modelo=65,
        dest="",
        n_items=3,
        totals=tags(vProd="300.00", vDesc="20.00", vNF="280.00", vTotTrib="45.10"),
        pag="<detPag><tPag>03</tPag><vPag>180.00</vPag></detPag>"
        "<detPag><tPag>17</tPag><vPag>120.00</vPag></detPag><vTroco>20.00</vTroco>",
    ).but(**changes)
    address = "https://www.nfce.fazenda.sp.gov.br/qrcode?p="
    hashed = "A94A8FE5CCB19BA61C4C0873D391E987982FBBD3"
    code = f"{address}{sample.chave}|2|{sample.tp_amb}|1|{hashed}"
    return sample.but(
        supplement=tags(qrCode=code, urlChave="https://www.nfce.fazenda.sp.gov.br/consulta")
    )


def correction(sample: Sample) -> bytes:
    """A registered carta de correção of `sample`, with a long text."""
    detail = tags(xCorrecao=CORRECTION * 20, xCondUso="A Carta de Correcao e disciplinada")
    return event(sample, "110110", detail=detail, n_seq="3")
