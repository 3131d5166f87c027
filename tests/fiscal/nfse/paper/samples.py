"""XML of service notes as archives hold them, national and of cities, put together tag by tag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import escape

from fiscal.signing import DS

NATIONAL = "http://www.sped.fazenda.gov.br/nfse"
ABRASF = "http://www.abrasf.org.br/nfse.xsd"
LETTERED = "12ABC34501DE35"
TAKER = "<CNPJ>11444777000161</CNPJ><IM>998877</IM><xNome>Tomador &amp; Filhos Ltda</xNome>" + (
    "<end><endNac><cMun>3550308</cMun><CEP>01001000</CEP></endNac><xLgr>Praça da Sé</xLgr>"
    "<nro>1</nro><xBairro>Sé</xBairro></end><fone>1132101234</fone><email>nf@tomador.test</email>"
)
ABROAD = "<NIF>US-998877</NIF><xNome>ACME Trading Inc</xNome>" + (
    "<end><endExt><cPais>US</cPais><cEndPost>10018</cEndPost><xCidade>New York</xCidade>"
    "<xEstProvReg>NY</xEstProvReg></endExt><xLgr>5th Avenue</xLgr><nro>1020</nro>"
    "<xBairro>Manhattan</xBairro></end>"
)
BROKER = "<CPF>52998224725</CPF><xNome>Corretora Intermediária</xNome>"
REFORM = (
    "<IBSCBS><cLocalidadeIncid>3550308</cLocalidadeIncid><xLocalidadeIncid>São Paulo"
    "</xLocalidadeIncid><valores><vBC>943.50</vBC><uf><pIBSUF>0.10</pIBSUF>"
    "<pRedAliqUF>60.00</pRedAliqUF><pAliqEfetUF>0.04</pAliqEfetUF></uf><mun><pIBSMun>0.00"
    "</pIBSMun><pAliqEfetMun>0.00</pAliqEfetMun></mun><fed><pCBS>0.90</pCBS>"
    "<pAliqEfetCBS>0.36</pAliqEfetCBS></fed></valores><totCIBS><vTotNF>938.50</vTotNF><gIBS>"
    "<vIBSTot>0.38</vIBSTot><gIBSUFTot><vIBSUF>0.38</vIBSUF></gIBSUFTot><gIBSMunTot><vIBSMun>0.00"
    "</vIBSMun></gIBSMunTot></gIBS><gCBS><vCBS>3.40</vCBS></gCBS></totCIBS></IBSCBS>"
)
FEDERAL = (
    "<tribFed><piscofins><CST>01</CST><vBCPisCofins>1000.00</vBCPisCofins><pAliqPis>0.65"
    "</pAliqPis><pAliqCofins>3.00</pAliqCofins><vPis>6.50</vPis><vCofins>30.00</vCofins>"
    "<tpRetPisCofins>{kind}</tpRetPisCofins></piscofins><vRetCP>110.00</vRetCP>"
    "<vRetIRRF>15.00</vRetIRRF><vRetCSLL>10.00</vRetCSLL></tribFed>"
)
APPROXIMATE = (
    "<totTrib><vTotTrib><vTotTribFed>134.50</vTotTribFed><vTotTribEst>0.00</vTotTribEst>"
    "<vTotTribMun>20.00</vTotTribMun></vTotTrib></totTrib>"
)
TAXED = "<tribISSQN>1</tribISSQN><tpRetISSQN>1</tpRetISSQN>"
SPECIAL = (
    "<tribISSQN>1</tribISSQN><exigSusp><tpSusp>1</tpSusp><nProcesso>"
    "123456789012345678901234567890</nProcesso></exigSusp><BM><nBM>42046080100001</nBM></BM>"
    "<tpRetISSQN>2</tpRetISSQN>"
)


def group(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>" if inner else ""


@dataclass(frozen=True)
class Nfse:
    """A national note by its parts; those that are XML say so by their tags."""

    cnpj: str = "11222333000181"
    numero: str = "1234"
    amb: str = "1"
    status: str = "100"
    compet: str = "2026-11-20"
    taker: str = TAKER
    broker: str = ""
    description: str = "Análise de sistemas"
    told: str = "Análise e desenvolvimento de sistemas."
    told_city: str = ""
    service_code: str = "010101"
    regime: str = "<opSimpNac>1</opSimpNac><regEspTrib>0</regEspTrib>"
    where: str = "<cLocPrestacao>4204608</cLocPrestacao>"
    more: str = ""  # infoCompl
    work: str = ""
    subst: str = ""
    discounts: str = ""
    municipal: str = TAXED
    federal: str = FEDERAL.format(kind="3")
    approximate: str = APPROXIMATE
    own: str = "<vBC>1000.00</vBC><pAliqAplic>2.00</pAliqAplic><vISSQN>20.00</vISSQN>" + (
        "<vTotalRet>135.00</vTotalRet><vLiq>865.00</vLiq>"
    )
    recipient: str = "0"  # indDest
    dest: str = ""
    reform: str = REFORM
    out: str = ""  # xOutInf

    @property
    def key(self) -> str:
        return f"42046082{'2'}{self.cnpj}{self.numero:0>13}2611123456789{'8'}"

    def but(self, **changes: Any) -> Nfse:
        return replace(self, **changes)

    def xml(self) -> bytes:
        emit = f"<CNPJ>{self.cnpj}</CNPJ><xNome>Prestadora São João Ltda</xNome><enderNac>" + (
            "<xLgr>Rua das Acácias</xLgr><nro>1500</nro><xCpl>Sala 2</xCpl><xBairro>Centro"
            "</xBairro><cMun>4204608</cMun><UF>SC</UF><CEP>88801000</CEP></enderNac>"
            "<fone>4834331234</fone><email>fiscal@prestadora.test</email>"
        )
        head = "<xLocEmi>Criciúma</xLocEmi><xLocPrestacao>Criciúma</xLocPrestacao>" + (
            f"<nNFSe>{self.numero}</nNFSe><cLocIncid>4204608</cLocIncid><xLocIncid>Criciúma"
            f"</xLocIncid>{group('xTribNac', escape(self.told))}"
            f"{group('xTribMun', escape(self.told_city))}<verAplic>Sefin_1</verAplic><ambGer>2"
            f"</ambGer><tpEmis>1</tpEmis><procEmi>1</procEmi><cStat>{self.status}</cStat>"
            "<dhProc>2026-11-20T10:00:01-03:00</dhProc><nDFSe>1</nDFSe>"
        )
        inner = head + group("emit", emit) + group("valores", self.own)
        inner += group("xOutInf", escape(self.out)) + self.reform + self._dps()
        signature = f'<Signature xmlns="{DS}"/>'
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><NFSe xmlns="{NATIONAL}" versao="1.01">'
            f'<infNFSe Id="NFS{self.key}">{inner}</infNFSe>{signature}</NFSe>'
        ).encode()

    def _dps(self) -> str:
        code = f"<cTribNac>{self.service_code}</cTribNac><cTribMun>123</cTribMun>"
        code += f"<xDescServ>{escape(self.description)}</xDescServ><cNBS>115022000</cNBS>"
        service = group("locPrest", self.where) + group("cServ", code) + group("obra", self.work)
        service += group("infoCompl", self.more)
        values = "<vServPrest><vServ>1000.00</vServ></vServPrest>" + self.discounts
        values += group("trib", group("tribMun", self.municipal) + self.federal + self.approximate)
        reform = (
            f"<finNFSe>0</finNFSe><cIndOp>100301</cIndOp><indDest>{self.recipient}</indDest>"
            f"{group('dest', self.dest)}<valores><trib><gIBSCBS><CST>000</CST><cClassTrib>000001"
            "</cClassTrib></gIBSCBS></trib></valores>"
        )
        prest = f"<CNPJ>{self.cnpj}</CNPJ><IM>12345</IM>" + group("regTrib", self.regime)
        inner = (
            f"<tpAmb>{self.amb}</tpAmb><dhEmi>2026-11-20T10:00:00-03:00</dhEmi><serie>1</serie>"
            f"<nDPS>77</nDPS><dCompet>{self.compet}</dCompet><tpEmit>1</tpEmit>"
            f"<cLocEmi>4204608</cLocEmi>{group('subst', self.subst)}{group('prest', prest)}"
            f"{group('toma', self.taker)}{group('interm', self.broker)}{group('serv', service)}"
            f"{group('valores', values)}{group('IBSCBS', reform) if self.reform else ''}"
        )
        return f'<DPS versao="1.01"><infDPS Id="DPS1">{inner}</infDPS></DPS>'

    def event(self, kind: str = "e101101", *, key: str = "") -> bytes:
        """A registered event, as the national system signs it."""
        asked = f"<chNFSe>{key or self.key}</chNFSe>{group(kind, '<xDesc>x</xDesc>')}"
        return (
            f'<evento xmlns="{NATIONAL}" versao="1.01"><infEvento><pedRegEvento><infPedReg>'
            f"{asked}</infPedReg></pedRegEvento></infEvento></evento>"
        ).encode()


FULL = Nfse(
    taker=ABROAD,
    broker=BROKER,
    recipient="1",
    dest=TAKER.replace("Tomador &amp; Filhos", "Destinatária").replace("<IM>998877</IM>", ""),
    regime="<opSimpNac>3</opSimpNac><regApTribSN>2</regApTribSN><regEspTrib>6</regEspTrib>",
    municipal=SPECIAL,
    discounts="<vDescCondIncond><vDescIncond>10.00</vDescIncond><vDescCond>5.00</vDescCond>"
    "</vDescCondIncond>",
    own="<vCalcDR>12.00</vCalcDR><tpBM>2</tpBM><vCalcBM>33.00</vCalcBM>" + Nfse.own,
    federal=FEDERAL.format(kind="1"),
    subst="<chSubstda>42046082211222333000181000000000000526111234567895</chSubstda>",
    more="<docRef>Contrato 77</docRef><xPed>PED-9</xPed><gItemPed><xItemPed>1</xItemPed>"
    "<xItemPed>2</xItemPed></gItemPed><xInfComp>Pagamento em 30 dias</xInfComp>",
    work="<inscImobFisc>IMOB-1</inscImobFisc><cObra>CNO-55</cObra>",
    out="Nota emitida conforme LC 123",
    told_city="Consultoria em informática",
)

_PARTY = (
    "<Endereco><Endereco>Praça da Sé</Endereco><Numero>1</Numero><Bairro>Sé</Bairro>"
    "<CodigoMunicipio>3550308</CodigoMunicipio><Uf>SP</Uf><Cep>01001000</Cep></Endereco><Contato>"
    "<Telefone>1132101234</Telefone><Email>nf@tomador.test</Email></Contato>"
)
_KNOWN = (
    "<RazaoSocial>Prestadora São João Ltda</RazaoSocial><Endereco><Endereco>Rua das Acácias"
    "</Endereco><Numero>1500</Numero><Bairro>Centro</Bairro><CodigoMunicipio>4301602"
    "</CodigoMunicipio><Uf>RS</Uf><Cep>96400000</Cep></Endereco>"
)
_GIVEN = (
    "<ValorServicos>1000.00</ValorServicos><ValorDeducoes>100.00</ValorDeducoes>"
    "<ValorPis>6.50</ValorPis><ValorCofins>30.00</ValorCofins><ValorInss>110.00</ValorInss>"
    "<ValorIr>15.00</ValorIr><ValorCsll>10.00</ValorCsll>"
)
DESCRIPTION = "Análise de sistemas, novembro de 2026\nContrato 77"


def abrasf204(
    *, cnpj: str = LETTERED, withheld: bool = True, description: str = DESCRIPTION, more: str = ""
) -> bytes:
    """A CompNfse of 2.04: rates in per cent, the declaration inside. `more` follows the note."""
    declared = (
        "<InfDeclaracaoPrestacaoServico><Rps><IdentificacaoRps><Numero>12</Numero><Serie>A</Serie>"
        "<Tipo>1</Tipo></IdentificacaoRps><DataEmissao>2026-11-20</DataEmissao></Rps>"
        f"<Competencia>2026-11-01</Competencia><Servico><Valores>{_GIVEN}<Aliquota>5.00</Aliquota>"
        f"</Valores><IssRetido>{1 if withheld else 2}</IssRetido><ItemListaServico>01.01"
        f"</ItemListaServico><CodigoCnae>6201501</CodigoCnae><Discriminacao>{escape(description)}"
        "</Discriminacao><CodigoMunicipio>4301602</CodigoMunicipio><ExigibilidadeISS>1"
        "</ExigibilidadeISS><MunicipioIncidencia>4301602</MunicipioIncidencia></Servico>"
        f"<Prestador><CpfCnpj><Cnpj>{cnpj}</Cnpj></CpfCnpj><InscricaoMunicipal>123"
        "</InscricaoMunicipal></Prestador><TomadorServico><IdentificacaoTomador><CpfCnpj><Cnpj>"
        "11444777000161</Cnpj></CpfCnpj></IdentificacaoTomador><RazaoSocial>Tomador &amp; Filhos"
        f"</RazaoSocial>{_PARTY}</TomadorServico><OptanteSimplesNacional>1"
        "</OptanteSimplesNacional></InfDeclaracaoPrestacaoServico>"
    )
    inf = (
        "<InfNfse><Numero>202600000000055</Numero><CodigoVerificacao>AB12CD34</CodigoVerificacao>"
        "<DataEmissao>2026-11-20T14:05:06</DataEmissao><ValoresNfse><BaseCalculo>900.00"
        "</BaseCalculo><Aliquota>5.00</Aliquota><ValorIss>45.00</ValorIss><ValorLiquidoNfse>783.50"
        f"</ValorLiquidoNfse></ValoresNfse><PrestadorServico>{_KNOWN}</PrestadorServico>"
        "<OrgaoGerador><CodigoMunicipio>4301602</CodigoMunicipio><Uf>RS</Uf></OrgaoGerador>"
        f"<DeclaracaoPrestacaoServico>{declared}</DeclaracaoPrestacaoServico></InfNfse>"
    )
    return f'<CompNfse xmlns="{ABRASF}"><Nfse versao="2.04">{inf}</Nfse>{more}</CompNfse>'.encode()


def abrasf100(*, rate: str = "0.0500") -> bytes:
    """A CompNfse of 1.00: everything in InfNfse, the rate a fraction."""
    inf = (
        "<InfNfse><Numero>55</Numero><CodigoVerificacao>XYZ</CodigoVerificacao>"
        "<DataEmissao>2026-11-20T14:05:06</DataEmissao><IdentificacaoRps><Numero>12</Numero>"
        "<Serie>A</Serie><Tipo>1</Tipo></IdentificacaoRps><NaturezaOperacao>1</NaturezaOperacao>"
        "<OptanteSimplesNacional>2</OptanteSimplesNacional><Competencia>2026-11-20T00:00:00"
        f"</Competencia><NfseSubstituida>54</NfseSubstituida><Servico><Valores>{_GIVEN}"
        "<IssRetido>2</IssRetido><ValorIss>45.00</ValorIss><BaseCalculo>900.00</BaseCalculo>"
        f"<Aliquota>{rate}</Aliquota><ValorLiquidoNfse>828.50</ValorLiquidoNfse></Valores>"
        "<ItemListaServico>1.01</ItemListaServico><Discriminacao>Linha um\\nLinha dois"
        "</Discriminacao><CodigoMunicipio>3106200</CodigoMunicipio></Servico><PrestadorServico>"
        "<IdentificacaoPrestador><Cnpj>11222333000181</Cnpj><InscricaoMunicipal>777"
        f"</InscricaoMunicipal></IdentificacaoPrestador>{_KNOWN}</PrestadorServico><OrgaoGerador>"
        "<CodigoMunicipio>3106200</CodigoMunicipio><Uf>MG</Uf></OrgaoGerador></InfNfse>"
    )
    return f"<CompNfse><Nfse>{inf}</Nfse></CompNfse>".encode()


def sao_paulo(*, status: str = "N", withheld: str = "false") -> bytes:
    """A NFe of the city of São Paulo: the rate a fraction, lines joined by a bar."""
    place = (
        "<TipoLogradouro>Av</TipoLogradouro><Logradouro>Paulista</Logradouro><NumeroEndereco>1000"
        "</NumeroEndereco><Bairro>Bela Vista</Bairro><Cidade>3550308</Cidade><UF>SP</UF>"
        "<CEP>1310100</CEP>"
    )
    return (
        "<NFe><ChaveNFe><InscricaoPrestador>31000000</InscricaoPrestador><NumeroNFe>321"
        "</NumeroNFe><CodigoVerificacao>ABCD1234</CodigoVerificacao></ChaveNFe><DataEmissaoNFe>"
        "2026-11-20T14:05:06</DataEmissaoNFe><ChaveRPS><InscricaoPrestador>31000000"
        "</InscricaoPrestador><SerieRPS>OL03</SerieRPS><NumeroRPS>4105</NumeroRPS></ChaveRPS>"
        "<DataEmissaoRPS>2026-11-20</DataEmissaoRPS><CPFCNPJPrestador><CNPJ>11222333000181</CNPJ>"
        "</CPFCNPJPrestador><RazaoSocialPrestador>Prestadora São João</RazaoSocialPrestador>"
        f"<EnderecoPrestador>{place}</EnderecoPrestador><StatusNFe>{status}</StatusNFe>"
        "<TributacaoNFe>T</TributacaoNFe><OpcaoSimples>0</OpcaoSimples><ValorServicos>1000.00"
        "</ValorServicos><ValorDeducoes>100.00</ValorDeducoes><ValorPIS>6.50</ValorPIS>"
        "<ValorIR>15.00</ValorIR><CodigoServico>2658</CodigoServico><AliquotaServicos>0.05"
        "</AliquotaServicos><ValorISS>45.00</ValorISS><ValorCredito>4.50</ValorCredito>"
        f"<ISSRetido>{withheld}</ISSRetido><CPFCNPJTomador><CPF>52998224725</CPF></CPFCNPJTomador>"
        f"<RazaoSocialTomador>Maria da Silva</RazaoSocialTomador><EnderecoTomador>{place}"
        "</EnderecoTomador><Discriminacao>Linha um|Linha dois</Discriminacao>"
        "<ValorCargaTributaria>134.50</ValorCargaTributaria><FonteCargaTributaria>IBPT"
        "</FonteCargaTributaria></NFe>"
    ).encode()
