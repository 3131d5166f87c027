"""The print of a CompNfse of ABRASF, of any version: what counts is what is there (ABR-2)."""

from __future__ import annotations

from fiscal.documents.nfe.danfe.tags import Tag, day, moment
from fiscal.documents.nfse.paper import texts
from fiscal.documents.nfse.paper.texts import named
from fiscal.documents.nfse.paper.view import (
    CANCELLED,
    NOTE_TITLE,
    REPLACED,
    Amounts,
    Paper,
    Party,
    clean_item,
    decimal,
    document,
    percent_of,
)
from fiscal.tables import places
from lib import br, money

_YES = ("1", "S", "true")


def read_note(root: Tag) -> Paper:
    """`root` holds an InfNfse; in 1.00 everything is below it, in 2.x most in the declaration."""
    inf = root.anywhere("InfNfse")
    declared = inf.anywhere("InfDeclaracaoPrestacaoServico") or inf
    service = declared.tag("Servico")
    return Paper(
        title=NOTE_TITLE,
        town=_town(inf("OrgaoGerador/CodigoMunicipio"), inf("OrgaoGerador/Uf")),
        numero=inf("Numero"),
        codigo=inf("CodigoVerificacao"),
        issued=moment(inf("DataEmissao")),
        competencia=day(declared("Competencia")),
        rps=_rps(inf, declared),
        replaces=_replaced(inf),
        prestador=_provider(inf, declared),
        tomador=_party(declared.tag("TomadorServico") or declared.tag("Tomador")),
        intermediario=_party(declared.tag("Intermediario") or declared.tag("IntermediarioServico")),
        discriminacao=clean_item(service("Discriminacao")),
        details=_details(service, declared),
        amounts=_amounts(inf, service),
        notes=_notes(inf, declared),
    )


def mark_of(root: Tag) -> str:
    """What the same message says of a cancellation or a replacement."""
    if root.anywhere("NfseSubstituicao").anywhere("NfseSubstituidora").text:
        return REPLACED
    return CANCELLED if root.anywhere("NfseCancelamento").anywhere("Confirmacao") else ""


def _replaced(inf: Tag) -> str:
    known = inf("NfseSubstituida").lstrip("0")
    rps = inf.anywhere("RpsSubstituido")
    if known or not rps("Numero"):
        return f"NFS-e nº {known}" if known else ""
    return f"RPS nº {rps('Numero')}, série {rps('Serie')}"


def _rps(inf: Tag, declared: Tag) -> str:
    named_rps = inf.anywhere("IdentificacaoRps")
    if not named_rps("Numero"):
        return ""
    issued = inf("DataEmissaoRps") or declared("Rps/DataEmissao")
    text = f"nº {named_rps('Numero')}, série {named_rps('Serie')}"
    return f"{text}, de {day(issued)}" if issued else text


def _provider(inf: Tag, declared: Tag) -> Party:
    """Name and address as the city has them; the numbers as we declared them (2.x)."""
    known = inf.tag("PrestadorServico")
    found = _party(known)
    declared_by = declared.tag("Prestador")
    return Party(
        nome=found.nome or declared_by("RazaoSocial"),
        documento=found.documento or _document(declared_by),
        inscricao=found.inscricao or declared_by("InscricaoMunicipal"),
        address=found.address,
        town=found.town,
        cep=found.cep,
        email=found.email,
        phone=found.phone,
    )


def _party(party: Tag) -> Party:
    place, contact = party.tag("Endereco"), party.tag("Contato")
    abroad = party("EnderecoExterior/EnderecoCompletoExterior")
    return Party(
        nome=party("RazaoSocial"),
        documento=_document(party) or party("NifTomador"),
        inscricao=party.anywhere("InscricaoMunicipal").text,
        address=abroad or _address(place),
        town=_town(place("CodigoMunicipio"), place("Uf")),
        cep=br.cep_mask(place("Cep")) if place("Cep") else "",
        email=contact("Email"),
        phone=br.phone_mask(contact("Telefone")) if contact("Telefone") else "",
    )


def _document(party: Tag) -> str:
    return document(party.anywhere("Cnpj").text or party.anywhere("Cpf").text)


def _address(place: Tag) -> str:
    parts = (place(tag) for tag in ("Endereco", "Numero", "Complemento", "Bairro"))
    return ", ".join(filter(None, parts))


def _town(code: str, uf: str) -> str:
    place = places.municipality(code)
    name = place.name if place else ""
    return " – ".join(filter(None, (name, uf or (place.uf if place else ""))))


def _details(service: Tag, declared: Tag) -> tuple[tuple[str, str], ...]:
    where = service("MunicipioIncidencia")
    return (
        ("Item da lista de serviços (LC 116/2003)", service("ItemListaServico")),
        ("Código de tributação do município", service("CodigoTributacaoMunicipio")),
        ("CNAE", service("CodigoCnae")),
        ("NBS", service("CodigoNbs")),
        ("Local da prestação", _town(service("CodigoMunicipio"), "")),
        ("Município de incidência", _town(where, "") if where else ""),
        ("Exigibilidade do ISS", named(texts.EXIGIBILITY, service("ExigibilidadeISS"))),
        ("Processo de suspensão", service("NumeroProcesso")),
        ("Natureza da operação", named(texts.NATURES, declared("NaturezaOperacao"))),
        (
            "Regime especial de tributação",
            named(texts.REGIMES, declared("RegimeEspecialTributacao")),
        ),
        ("Código da obra", declared.anywhere("CodigoObra").text),
        ("ART", declared.anywhere("Art").text),
    )


def _amounts(inf: Tag, service: Tag) -> Amounts:
    """The city's own amounts (ValoresNfse) before the declared ones."""
    declared, own = service.tag("Valores"), inf.tag("ValoresNfse")

    def of(name: str) -> str:
        return own(name) or declared(name)

    base, iss = decimal(of("BaseCalculo")), decimal(of("ValorIss"))
    return Amounts(
        services=decimal(declared("ValorServicos")),
        deductions=decimal(declared("ValorDeducoes")),
        unconditional=decimal(declared("DescontoIncondicionado")),
        conditional=decimal(declared("DescontoCondicionado")),
        base=base,
        rate=percent_of(decimal(of("Aliquota")), base=base, iss=iss),
        iss=iss,
        is_withheld=(service("IssRetido") or declared("IssRetido")) in _YES,
        pis=decimal(declared("ValorPis")),
        cofins=decimal(declared("ValorCofins")),
        inss=decimal(declared("ValorInss")),
        ir=decimal(declared("ValorIr")),
        csll=decimal(declared("ValorCsll")),
        others=decimal(declared("OutrasRetencoes")),
        iss_withheld=decimal(declared("ValorIssRetido")),
        net=decimal(of("ValorLiquidoNfse")),
        credit=decimal(inf("ValorCredito")),
    )


def _notes(inf: Tag, declared: Tag) -> tuple[str, ...]:
    approximate = decimal(declared("Servico/Valores/ValTotTributos"))
    found = (
        inf("OutrasInformacoes"),
        declared("InformacoesComplementares"),
        texts.SIMPLES if declared("OptanteSimplesNacional") in _YES else "",
        f"Valor aproximado dos tributos (Lei 12.741/2012): {money.brl(approximate)}"
        if approximate
        else "",
    )
    return tuple(filter(None, found))
