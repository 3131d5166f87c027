"""The NFS-e that the national system makes of a DPS: composed, sealed, with a key of its own."""

from __future__ import annotations

import re
import secrets
from decimal import Decimal
from html import escape

from fiscal.sandbox import br, note_places, note_signature
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services.national_values import Dps, Reform, Values
from fiscal.sandbox.services.national_wire import APPLICATION, NAMESPACE, number

_DECLARATION = re.compile(rb"\A<\?xml[^>]*\?>\s*")
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


def key_digit(first49: str) -> str:
    """Check digit of the key of 50: as that of NF-e, over 49 characters."""
    return br.key_digit(first49)


def new_key(call: NoteCall, dps: Dps, nnfse: int) -> str:
    """cMun, ambGer 2, inscription, nNFSe, AAMM, nine at random, check digit."""
    document = dps.document("prest")
    kind = "2" if len(document) == 14 else "1"
    moment = call.local()
    first = (
        f"{dps.text('cLocEmi')}2{kind}{document:0>14}{nnfse:013d}{moment[2:4]}{moment[5:7]}"
        f"{secrets.randbelow(10**9):09d}"
    )
    return first + key_digit(first)


def compose(
    call: NoteCall,
    dps: Dps,
    raw: bytes,
    *,
    key: str,
    nnfse: int,
    values: Values,
    reform: Reform | None,
) -> bytes:
    """The signed NFS-e around the DPS as it was received."""
    inner = _head(call, dps, nnfse) + _issuer(call, dps) + _values(values)
    inner += _reform(dps, values, reform) if reform else ""
    inner += _DECLARATION.sub(b"", raw).decode()
    text = (
        f'<NFSe xmlns="{NAMESPACE}" versao="1.01"><infNFSe Id="NFS{key}">{inner}</infNFSe></NFSe>'
    )
    sealed = note_signature.sealed(text, inside="infNFSe", authority=call.world.authority)
    return (DECLARATION + sealed).encode()


def _head(call: NoteCall, dps: Dps, nnfse: int) -> str:
    place, incidence = dps.text("serv/locPrest/cLocPrestacao"), dps.incidence
    where = note_places.name(place) if place else dps.text("serv/locPrest/cPaisPrestacao")
    code = dps.text("serv/cServ/cTribNac")
    return (
        number("xLocEmi", escape(note_places.name(dps.text("cLocEmi"))))
        + number("xLocPrestacao", escape(where))
        + number("nNFSe", nnfse)
        + number("cLocIncid", incidence or None)
        + number("xLocIncid", escape(note_places.name(incidence)) if incidence else None)
        + number("xTribNac", f"Serviço {code[:2]}.{code[2:4]}.{code[4:]} da lista nacional")
        + number("verAplic", APPLICATION)
        + "<ambGer>2</ambGer><tpEmis>1</tpEmis><procEmi>1</procEmi>"
        + number("cStat", _state(call, dps))
        + number("dhProc", call.local())
        + number("nDFSe", call.world.store.next_number(f"ndfse {call.ambiente}"))
    )


def _state(call: NoteCall, dps: Dps) -> int:
    if dps.text("prest/regTrib/opSimpNac") == "2":
        return 107
    if dps.has("subst"):
        return int(call.setting("cstat_substituicao", 100))
    return 102 if dps.has("valores/trib/tribMun/exigSusp") else 100


def _issuer(call: NoteCall, dps: Dps) -> str:
    """From the registers: name and address of the issuer are not in the DPS (E0121, E0128)."""
    document, city = dps.document("prest"), dps.text("cLocEmi")
    known = call.setting("contribuintes", {}).get(document, {})
    return (
        "<emit>"
        + number("CNPJ" if len(document) == 14 else "CPF", document)
        + number("IM", dps.text("prest/IM") or None)
        + number("xNome", escape(str(known.get("nome", f"CONTRIBUINTE {document}"))))
        + "<enderNac><xLgr>Rua do Cadastro</xLgr><nro>100</nro><xBairro>Centro</xBairro>"
        + number("cMun", city)
        + number("UF", note_places.uf(city))
        + "<CEP>01001000</CEP></enderNac></emit>"
    )


def _amount(name: str, value: Decimal | None) -> str:
    return number(name, None if value is None else f"{value:.2f}")


def _values(values: Values) -> str:
    return (
        "<valores>"
        + _amount("vCalcDR", values.deductions)
        + _amount("vCalcBM", values.benefit)
        + _amount("vBC", values.base)
        + _amount("pAliqAplic", values.rate)
        + _amount("vISSQN", values.iss)
        + _amount("vTotalRet", values.withheld)
        + _amount("vLiq", values.net)
        + "</valores>"
    )


def _reform(dps: Dps, values: Values, reform: Reform) -> str:
    city = dps.text("toma/end/endNac/cMun") or dps.text("cLocEmi")
    state = _amount("vIBSTot", reform.state)
    state += f"<gIBSUFTot>{_amount('vIBSUF', reform.state)}</gIBSUFTot>"
    state += f"<gIBSMunTot>{_amount('vIBSMun', Decimal(0))}</gIBSMunTot>"
    return (
        f"<IBSCBS>{number('cLocalidadeIncid', city)}"
        f"{number('xLocalidadeIncid', escape(note_places.name(city)))}"
        f"<valores>{_amount('vBC', reform.base)}"
        "<uf><pIBSUF>0.10</pIBSUF><pAliqEfetUF>0.10</pAliqEfetUF></uf>"
        "<mun><pIBSMun>0.00</pIBSMun><pAliqEfetMun>0.00</pAliqEfetMun></mun>"
        "<fed><pCBS>0.90</pCBS><pAliqEfetCBS>0.90</pAliqEfetCBS></fed></valores>"
        f"<totCIBS>{_amount('vTotNF', values.net)}<gIBS>{state}</gIBS>"
        f"<gCBS>{_amount('vCBS', reform.union)}</gCBS></totCIBS></IBSCBS>"
    )
