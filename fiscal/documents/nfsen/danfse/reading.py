"""From the stored XML of a national NFS-e, and from it alone, to its print (PDF-1, NT 008)."""

from __future__ import annotations

from collections.abc import Iterable

from fiscal.documents.nfe.danfe.tags import Tag, day, moment
from fiscal.documents.nfsen.danfse import texts
from fiscal.documents.nfsen.danfse.parties import parties
from fiscal.documents.nfsen.danfse.standing import mark_of
from fiscal.documents.nfsen.danfse.taxes import taxes
from fiscal.documents.nfsen.danfse.texts import DASH, named
from fiscal.documents.nfsen.danfse.values import (
    national_service,
    nbs,
    or_dash,
    percent,
    reais,
    uf_of,
)
from fiscal.documents.nfsen.danfse.view import Block, Danfse, Field, Head, Row, composite
from fiscal.xml import BadXml, parse

NO_VALUE = "NFS-e SEM VALIDADE JURÍDICA"
CONSULTATION = "https://www.nfse.gov.br/ConsultaPublica/?tpc=1&chave="
_TEST = "2"  # tpAmb
_OUTSIDE_ISSQN = "99"  # first two digits of cTribNac: no city is told


def read_danfse(xml: bytes, *, events: Iterable[bytes] = (), mark: str = "") -> Danfse:
    """The view of a NFSe. `mark` is what its row says, for a cancellation without event.

    Raises BadXml when there is no infNFSe inside.
    """
    note = Tag(parse(xml)).anywhere("infNFSe")
    if not note:
        raise BadXml("O XML não é de uma NFS-e nacional.")
    head = _head(note)
    return Danfse(
        head=head,
        parties=parties(note),
        service=_service(note),
        description=or_dash(note("DPS/infDPS/serv/cServ/xDescServ")),
        taxes=taxes(note),
        notes=_notes(note),
        totals=_approximate_taxes(note.tag("DPS/infDPS/valores/trib/totTrib")),
        receipt=_receipt(note, head.chave),
        mark=mark_of(head.chave, events, known=mark),
    )


def _head(note: Tag) -> Head:
    dps = note.tag("DPS/infDPS")
    emitter = note("emit/enderNac/UF") or uf_of(dps("cLocEmi"))
    is_outside = dps("serv/cServ/cTribNac").startswith(_OUTSIDE_ISSQN)
    return Head(
        municipio="" if is_outside else f"Município: {composite(note('xLocEmi'), emitter)}",
        generator=f"Ambiente Gerador: {named(texts.GENERATORS, note('ambGer'))}",
        environment=f"Tipo de Ambiente: {named(texts.ENVIRONMENTS, dps('tpAmb'))}",
        warning=NO_VALUE if dps("tpAmb") == _TEST else "",
        chave=note.attribute("Id")[3:],
        rows=_own(note, dps),
    )


def _own(note: Tag, dps: Tag) -> tuple[Row, ...]:
    """Dados da NFS-e, below the key: 2.27, 2.96, 3.65 (labels in capitals)."""
    return (
        Row(
            (
                Field("NÚMERO DA NFS-e", or_dash(note("nNFSe")), 0),
                Field("COMPETÊNCIA DA NFS-e", or_dash(day(dps("dCompet"))), 1),
                Field("DATA E HORA DA EMISSÃO DA NFS-e", or_dash(moment(note("dhProc"))), 2),
            ),
            0.69,
        ),
        Row(
            (
                Field("NÚMERO DA DPS", or_dash(dps("nDPS")), 0),
                Field("SÉRIE DA DPS", or_dash(dps("serie")), 1),
                Field("DATA E HORA DA EMISSÃO DA DPS", or_dash(moment(dps("dhEmi"))), 2),
            ),
            0.69,
        ),
        Row(
            (
                Field(
                    "EMITENTE DA NFS-e",
                    or_dash(named(texts.EMITTERS, dps("tpEmit"))),
                    0,
                    is_grey=True,
                ),
                Field("SITUAÇÃO DA NFS-e", or_dash(named(texts.STATUSES, note("cStat"))), 1),
                Field(
                    "FINALIDADE DA NFS-e",
                    or_dash(named(texts.PURPOSES, dps("IBSCBS/finNFSe"))),
                    2,
                ),
            ),
            0.69,
        ),
    )


def _service(note: Tag) -> Block:
    """Everything but the description, which takes the room that others leave."""
    dps = note.tag("DPS/infDPS")
    kind, where = dps.tag("serv/cServ"), dps.tag("serv/locPrest")
    codes = composite(national_service(kind("cTribNac")), kind("cTribMun"))
    place = composite(note("xLocPrestacao"), uf_of(where("cLocPrestacao")), where("cPaisPrestacao"))
    first = Row(
        (
            Field("Código de Tributação Nacional / Municipal", codes, 1),
            Field("Código da NBS", or_dash(nbs(kind("cNBS"))), 2),
            Field("Local da Prestação / Sigla UF / País", place, 3),
        ),
        0.65,
    )
    told = Row((Field("", or_dash(note("xTribMun") or note("xTribNac")), 0, 4),), 0.40)
    return Block("SERVIÇO PRESTADO", (first, told))


def _notes(note: Tag) -> str:
    """Informações complementares: what is there, in the order and with the labels of the NT."""
    dps = note.tag("DPS/infDPS")
    more, work = dps.tag("serv/infoCompl"), dps.tag("serv/obra")
    items = ", ".join(one.text for one in more.all("gItemPed/xItemPed"))
    parts = (
        ("Inf. Cont.:", more("xInfComp")),
        ("NFS-e Subst.:", dps("subst/chSubstda")),
        ("Doc. Ref.:", more("docRef")),
        ("Cod. Obra:", work("cObra") or work("cCIB")),
        ("Insc. Imob.:", work("inscImobFisc") or dps("IBSCBS/imovel/inscImobFisc")),
        ("Cod. Evt.:", dps("serv/atvEvento/idAtvEvt")),
        ("Doc. Tec.:", more("idDocTec")),
        ("Núm. Ped.:", more("xPed")),
        ("Item Ped.:", items),
        ("Inf. A. T. Mun.:", note("xOutInf")),
    )
    return " | ".join(f"{label} {text}" for label, text in parts if text)


def _approximate_taxes(total: Tag) -> str:
    """The line of Lei 12.741/2012, which every print has (note 10)."""
    spheres = (("Federais", "Fed"), ("Estaduais", "Est"), ("Municipais", "Mun"))
    if total.tag("pTotTrib"):
        told = [(name, percent(total(f"pTotTrib/pTotTrib{tag}"))) for name, tag in spheres]
    else:
        told = [(name, reais(total(f"vTotTrib/vTotTrib{tag}"))) for name, tag in spheres]
    if total("pTotTribSN"):
        told.append(("Simples Nacional", percent(total("pTotTribSN"))))
    parts = " ; ".join(f"{name}: {text or DASH}" for name, text in told)
    return f"Totais Aproximados dos Tributos cfe. Lei nº 12.741/2012: {parts}"


def _receipt(note: Tag, chave: str) -> Row:
    return Row(
        (
            Field("Data Cientificação", "", 0),
            Field("Identificação e Assinatura", "", 1),
            Field("Nº NFS-e / Chave NFS-e", composite(note("nNFSe"), chave), 2, 2),
        ),
        1.10,
    )
