"""Taxes and totals of a national NFS-e: ISSQN, federal, IBS/CBS and the value of the note."""

from __future__ import annotations

from fiscal.documents.nfe.danfe.tags import Tag
from fiscal.documents.nfsen.danfse import texts
from fiscal.documents.nfsen.danfse.texts import named
from fiscal.documents.nfsen.danfse.values import (
    or_dash,
    percent,
    reais,
    sum_of,
    uf_of,
)
from fiscal.documents.nfsen.danfse.view import Block, Field, Row, composite

NOT_SUBJECT = "TRIBUTAÇÃO MUNICIPAL (ISSQN) - OPERAÇÃO NÃO SUJEITA AO ISSQN"
_NO_INCIDENCE = "4"  # tribISSQN
_OWN_WITHHELD = "1"  # tpRetPisCofins: PIS and COFINS withheld, and told apart from vRetCSLL
_LAST_OF_PIS_COFINS = "2026-12"  # NT 008, note 6


def taxes(note: Tag) -> tuple[Block, ...]:
    """The four blocks below the service. `note` is infNFSe."""
    return (_issqn(note), _federal(note), _reform(note), _totals(note))


def _issqn(note: Tag) -> Block:
    dps, own = note.tag("DPS/infDPS"), note.tag("valores")
    tax = dps.tag("valores/trib/tribMun")
    title = "TRIBUTAÇÃO MUNICIPAL (ISSQN)"
    if tax("tribISSQN") == _NO_INCIDENCE:
        return Block(title, line=NOT_SUBJECT)
    where = composite(note("xLocIncid"), uf_of(note("cLocIncid")), tax("cPaisResult"))
    first = Row(
        (
            Field("Tipo de Tributação do ISSQN", or_dash(named(texts.ISSQN, tax("tribISSQN"))), 0),
            Field("Município / Sigla UF / País da Incidência do ISSQN", where, 1, 2),
        ),
        0.65,
    )
    rows = (first, *_issqn_special(dps, tax), *_issqn_benefit(dps, own, tax), _issqn_due(own, tax))
    return Block(title, rows, has_title_line=True)


def _issqn_special(dps: Tag, tax: Tag) -> tuple[Row, ...]:
    regime = dps("prest/regTrib/regEspTrib")
    return (
        Row(
            (
                # 0 is "none": the row says something only with another one.
                Field(
                    "Regime Especial de Tributação",
                    or_dash(named(texts.SPECIAL_REGIMES, regime) if regime != "0" else ""),
                    0,
                ),
                Field(
                    "Tipo de Imunidade",
                    or_dash(named(texts.IMMUNITIES, tax("tpImunidade"))),
                    1,
                ),
                Field(
                    "Suspensão da Exigibilidade do ISSQN",
                    or_dash(named(texts.SUSPENSIONS, tax("exigSusp/tpSusp"))),
                    2,
                ),
                Field("Número Processo Suspensão", or_dash(tax("exigSusp/nProcesso")), 3),
            ),
            0.65,
            is_optional=True,
        ),
    )


def _issqn_benefit(dps: Tag, own: Tag, tax: Tag) -> tuple[Row, ...]:
    discounts = dps.tag("valores/vDescCondIncond")
    return (
        Row(
            (
                Field("Benefício Municipal", or_dash(named(texts.BENEFITS, own("tpBM"))), 0),
                Field("Cálculo do BM", reais(own("vCalcBM")), 1),
                Field("Total Deduções/Reduções", reais(own("vCalcDR")), 2),
                Field("Desconto Incondicionado", reais(discounts("vDescIncond")), 3),
            ),
            0.64,
            is_optional=True,
        ),
    )


def _issqn_due(own: Tag, tax: Tag) -> Row:
    return Row(
        (
            Field("BC ISSQN", reais(own("vBC")), 0),
            Field("Alíquota Aplicada", or_dash(percent(own("pAliqAplic"))), 1),
            Field(
                "Retenção do ISSQN",
                or_dash(named(texts.ISSQN_WITHHELD, tax("tpRetISSQN"))),
                2,
            ),
            Field("ISSQN Apurado", reais(own("vISSQN")), 3),
        ),
        0.65,
    )


def _federal(note: Tag) -> Block:
    dps = note.tag("DPS/infDPS")
    federal = dps.tag("valores/trib/tribFed")
    own = federal.tag("piscofins")
    is_withheld = own("tpRetPisCofins") == _OWN_WITHHELD
    with_own = (own("vPis"), own("vCofins")) if is_withheld else ()
    rows = [
        Row(
            (
                Field("IRRF", reais(federal("vRetIRRF")), 1),
                Field("Contribuição Previdenciária - Retida", reais(federal("vRetCP")), 2),
                Field(
                    "Contribuições Sociais - Retidas",
                    sum_of(federal("vRetCSLL"), *with_own),
                    3,
                ),
            ),
            0.65,
        )
    ]
    if dps("dCompet")[:7] <= _LAST_OF_PIS_COFINS:
        rows.append(_own_contributions(own, is_withheld=is_withheld))
    return Block("TRIBUTAÇÃO FEDERAL (EXCETO CBS)", tuple(rows))


def _own_contributions(own: Tag, *, is_withheld: bool) -> Row:
    def due(tag: str) -> str:
        return "R$ 0,00" if is_withheld and own(tag) else reais(own(tag))

    told = or_dash(named(texts.CONTRIBUTIONS_WITHHELD, own("tpRetPisCofins")))
    return Row(
        (
            Field("PIS - Débito Apuração Própria", due("vPis"), 0),
            Field("COFINS - Débito Apuração Própria", due("vCofins"), 1),
            Field("Descrição Contrib. Sociais - Retidas", told, 2, 2),
        ),
        0.65,
    )


def _reform(note: Tag) -> Block:
    dps, found = note.tag("DPS/infDPS"), note.tag("IBSCBS")
    declared = dps.tag("IBSCBS")
    values, total = found.tag("valores"), found.tag("totCIBS")
    kind = declared.tag("valores/trib/gIBSCBS")
    where = found("cLocalidadeIncid")
    rows = (
        Row(
            (
                Field("CST / cClassTrib", composite(kind("CST"), kind("cClassTrib")), 1),
                Field(
                    "Indicador de Operação / Código IBGE / Município Incidência / Sigla UF",
                    composite(declared("cIndOp"), where, found("xLocalidadeIncid"), uf_of(where)),
                    2,
                    2,
                ),
            ),
            0.64,
        ),
        _reform_base(note, values),
        _reform_states(values, total),
        Row(
            (
                Field("Valor Total Apurado - IBS", reais(total("gIBS/vIBSTot")), 0),
                Field("Alíquota - CBS", or_dash(percent(values("fed/pCBS"))), 1),
                Field("Alíquota Efetiva - CBS", or_dash(percent(values("fed/pAliqEfetCBS"))), 2),
                Field("Valor Total Apurado - CBS", reais(total("gCBS/vCBS")), 3),
            ),
            0.64,
        ),
    )
    return Block("TRIBUTAÇÃO IBS / CBS", rows)


def _reform_base(note: Tag, values: Tag) -> Row:
    dps, own = note.tag("DPS/infDPS"), note.tag("valores")
    contributions = dps.tag("valores/trib/tribFed/piscofins")
    excluded = sum_of(
        dps("valores/vDescCondIncond/vDescIncond"),
        values("vCalcReeRepRes"),
        own("vISSQN"),
        contributions("vPis"),
        contributions("vCofins"),
    )
    reductions = (
        percent(values(path)) for path in ("uf/pRedAliqUF", "mun/pRedAliqMun", "fed/pRedAliqCBS")
    )
    rates = (percent(values(path)) for path in ("uf/pIBSUF", "mun/pIBSMun"))
    return Row(
        (
            Field("Exclusões e Reduções da BC", excluded if values else texts.DASH, 0),
            Field("BC Após Exclusões e Reduções", reais(values("vBC")), 1),
            Field("Red. Alíquota IBS / CBS", composite(*reductions), 2),
            Field("Alíquota - IBS UF / IBS Mun", composite(*rates), 3),
        ),
        0.65,
    )


def _reform_states(values: Tag, total: Tag) -> Row:
    return Row(
        (
            Field("Alíq. Efetiva Municipal - IBS", or_dash(percent(values("mun/pAliqEfetMun"))), 0),
            Field("Valor Apurado Municipal - IBS", reais(total("gIBS/gIBSMunTot/vIBSMun")), 1),
            Field("Alíq. Efetiva Estadual - IBS", or_dash(percent(values("uf/pAliqEfetUF"))), 2),
            Field("Valor Apurado Estadual - IBS", reais(total("gIBS/gIBSUFTot/vIBSUF")), 3),
        ),
        0.65,
    )


def _totals(note: Tag) -> Block:
    dps, own, total = note.tag("DPS/infDPS"), note.tag("valores"), note.tag("IBSCBS/totCIBS")
    discounts = dps.tag("valores/vDescCondIncond")
    rows = (
        Row(
            (
                Field("Valor da Operação / Serviço", reais(dps("valores/vServPrest/vServ")), 1),
                Field("Desconto Incondicionado", reais(discounts("vDescIncond")), 2),
                Field("Desconto Condicionado", reais(discounts("vDescCond")), 3),
            ),
            0.69,
        ),
        Row(
            (
                Field("Total das Retenções (ISSQN / Federais)", reais(own("vTotalRet")), 0),
                Field("Valor Líquido da NFS-e", reais(own("vLiq")), 1),
                Field("Total do IBS/CBS", sum_of(total("gIBS/vIBSTot"), total("gCBS/vCBS")), 2),
                Field("Valor Líquido da NFS-e + IBS/CBS", reais(total("vTotNF")), 3, is_grey=True),
            ),
            0.68,
        ),
    )
    return Block("VALOR TOTAL DA NFS-e", rows)
