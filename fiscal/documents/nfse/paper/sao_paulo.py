"""The print of a NFe of the city of São Paulo (Nota do Milhão), layouts 1 and 2."""

from __future__ import annotations

from fiscal.documents.nfe.danfe.tags import Tag, day, moment
from fiscal.documents.nfse.paper import texts
from fiscal.documents.nfse.paper.texts import named
from fiscal.documents.nfse.paper.view import (
    CANCELLED,
    NOTE_TITLE,
    Amounts,
    Paper,
    Party,
    clean_item,
    decimal,
    document,
    percent_of,
)
from lib import br, money

TOWN = "São Paulo – SP"
_CANCELLED = "C"  # StatusNFe
_SIMPLES = ("1", "2", "3", "4", "6")  # OpcaoSimples; 0 is none, 5 MEI


def read_note(root: Tag) -> Paper:
    """`root` is, or holds, a NFe of the city."""
    note = root.anywhere("NFe") if root.anywhere("NFe") else root
    return Paper(
        title=NOTE_TITLE,
        town=TOWN,
        numero=note("ChaveNFe/NumeroNFe"),
        codigo=_code(note("ChaveNFe/CodigoVerificacao")),
        issued=moment(note("DataEmissaoNFe")),
        competencia=day(note("DataFatoGeradorNFe") or note("DataEmissaoRPS")),
        rps=_rps(note),
        replaces="",
        prestador=_party(note, "Prestador", inscricao=note("ChaveNFe/InscricaoPrestador")),
        tomador=_party(note, "Tomador", inscricao=note("InscricaoMunicipalTomador")),
        intermediario=_party(
            note, "Intermediario", inscricao=note("InscricaoMunicipalIntermediario")
        ),
        discriminacao=clean_item(note("Discriminacao")),
        details=_details(note),
        amounts=_amounts(note),
        notes=_notes(note),
    )


def mark_of(root: Tag) -> str:
    note = root.anywhere("NFe") if root.anywhere("NFe") else root
    is_cancelled = note("StatusNFe") == _CANCELLED or note("DataCancelamento")
    return CANCELLED if is_cancelled else ""


def _code(text: str) -> str:
    """`ABCD1234` → `ABCD-1234`, as the city prints it."""
    return f"{text[:4]}-{text[4:]}" if len(text) == 8 else text


def _rps(note: Tag) -> str:
    rps = note.tag("ChaveRPS")
    if not rps("NumeroRPS"):
        return ""
    text = f"nº {rps('NumeroRPS')}, série {rps('SerieRPS')}"
    issued = note("DataEmissaoRPS")
    return f"{text}, de {day(issued)}" if issued else text


def _party(note: Tag, who: str, *, inscricao: str) -> Party:
    numbers, place = note.tag(f"CPFCNPJ{who}"), note.tag(f"Endereco{who}")
    parts = (
        _street(place),
        *(place(tag) for tag in ("NumeroEndereco", "ComplementoEndereco", "Bairro")),
    )
    cep = place("CEP").zfill(8) if place("CEP") else ""
    return Party(
        nome=note(f"RazaoSocial{who}"),
        documento=document(numbers("CNPJ") or numbers("CPF")) or numbers("NIF"),
        inscricao=inscricao,
        address=", ".join(filter(None, parts)),
        town=_town(place),
        cep=br.cep_mask(cep) if cep else "",
        email=note(f"Email{who}"),
    )


def _street(place: Tag) -> str:
    """The kind of street is the first letters of its name where nobody told another (§4.2)."""
    kind, street = place("TipoLogradouro"), place("Logradouro")
    is_told = street[:3].strip().casefold() == kind.casefold()
    return street if is_told or not kind else f"{kind} {street}"


def _town(place: Tag) -> str:
    """Cidade is an IBGE code in the layout, a name in some answers."""
    from fiscal.tables import places

    found = places.municipality(place("Cidade"))
    name = found.name if found else place("Cidade")
    return " – ".join(filter(None, (name, place("UF"))))


def _details(note: Tag) -> tuple[tuple[str, str], ...]:
    from fiscal.tables import places

    where = places.municipality(note("cLocPrestacao") or note("MunicipioPrestacao"))
    return (
        ("Código do serviço", note("CodigoServico").zfill(5) if note("CodigoServico") else ""),
        ("Tributação", named(texts.SAO_PAULO, note("TributacaoNFe"))),
        ("Município da prestação", f"{where.name} – {where.uf}" if where else ""),
        ("NBS", note("NBS")),
        ("CEI", note("CodigoCEI")),
        ("Matrícula da obra", note("MatriculaObra")),
        ("Nº do encapsulamento", note("NumeroEncapsulamento")),
        ("Guia de recolhimento", note("NumeroGuia")),
        ("Nota nacional", note("ChaveNFe/ChaveNotaNacional")),
    )


def _amounts(note: Tag) -> Amounts:
    services = decimal(
        note("ValorServicos") or note("ValorFinalCobrado") or note("ValorInicialCobrado")
    )
    deductions, iss = decimal(note("ValorDeducoes")), decimal(note("ValorISS"))
    base = services - (deductions or 0) if services is not None else None
    return Amounts(
        services=services,
        deductions=deductions,
        base=base,
        rate=percent_of(decimal(note("AliquotaServicos")), base=base, iss=iss),
        iss=iss,
        is_withheld=note("ISSRetido") in ("true", "1"),
        pis=decimal(note("ValorPIS")),
        cofins=decimal(note("ValorCOFINS")),
        inss=decimal(note("ValorINSS")),
        ir=decimal(note("ValorIR")),
        csll=decimal(note("ValorCSLL")),
        credit=decimal(note("ValorCredito")),
    )


def _notes(note: Tag) -> tuple[str, ...]:
    total = decimal(note("ValorCargaTributaria"))
    source = note("FonteCargaTributaria")
    burden = f"Valor aproximado dos tributos (Lei 12.741/2012): {money.brl(total)}" if total else ""
    if burden and source:
        burden += f" (fonte: {source})"
    return tuple(filter(None, (texts.SIMPLES if note("OpcaoSimples") in _SIMPLES else "", burden)))
