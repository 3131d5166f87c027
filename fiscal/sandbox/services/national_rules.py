"""Rules of the DPS that can be judged without the tax office's registers (Anexo I v1.01)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal

from fiscal.sandbox import br, note_places
from fiscal.sandbox.note_call import Fault, NoteCall
from fiscal.sandbox.services import national_amounts
from fiscal.sandbox.services.national_values import Dps, city, is_taxed

OWN_SERIES = range(1, 50_000)
_WORKS = {
    "070201", "070202", "070401", "070501", "070502", "070601", "070602", "070701", "070801",
    "071701", "071901", "141403", "141404",
}  # fmt: skip
_REFORM_FROM = date(2026, 1, 1)
Rule = Callable[[Dps, NoteCall], Iterator[str]]


def judge(dps: Dps, call: NoteCall) -> list[Fault]:
    """Every fault at once, as Sefin tells them, each code once."""
    found: dict[str, Fault] = {}
    for rule in RULES:
        for code in rule(dps, call):
            found.setdefault(code, Fault(code))
    return list(found.values())


def id_of(dps: Dps) -> str:
    """The Id that the fields make."""
    document = dps.document("prest")
    kind = "2" if len(document) == 14 else "1"
    return (
        f"DPS{dps.text('cLocEmi')}{kind}{document:0>14}{int(dps.text('serie')):05d}"
        f"{int(dps.text('nDPS')):015d}"
    )


def _head(dps: Dps, call: NoteCall) -> Iterator[str]:
    if dps.text("tpEmit") != "1":
        yield "E9996"
        return
    if dps.inf.get("Id") != id_of(dps):
        yield "E0004"
    if dps.text("tpAmb") != call.tp_amb:
        yield "E0006"
    issued = datetime.fromisoformat(dps.text("dhEmi"))
    if issued > call.now:
        yield "E0008"
    if int(dps.text("serie")) not in OWN_SERIES:
        yield "E0010"
    if date.fromisoformat(dps.text("dCompet")) > issued.date():
        yield "E0015"


def _city(dps: Dps, call: NoteCall) -> Iterator[str]:
    code = dps.text("cLocEmi")
    found = city(call, code)
    if found is None or not note_places.exists(code):
        yield "E0037"
    elif not found.is_active:
        yield "E0038"
    elif not found.has_emitter:
        yield "E0039"
    rendered = dps.text("serv/locPrest/cLocPrestacao")
    if rendered and rendered != "0000000" and not note_places.exists(rendered):
        yield "E0302"


def _issuer(dps: Dps, call: NoteCall) -> Iterator[str]:
    cnpj, cpf = dps.text("prest/CNPJ"), dps.text("prest/CPF")
    if not (cnpj or cpf):
        yield "E0112"
    if cnpj and not br.is_cnpj(cnpj):
        yield "E0080"
    if cpf and not br.is_cpf(cpf):
        yield "E0096"
    if dps.has("prest/xNome"):
        yield "E0121"
    if dps.has("prest/end"):
        yield "E0128"
    known = call.setting("contribuintes", {}).get(cnpj or cpf, {})
    if "municipio" in known and str(known["municipio"]) != dps.text("cLocEmi"):
        yield "E0084"
    if "simples" in known and str(known["simples"]) != dps.text("prest/regTrib/opSimpNac"):
        yield "E0160"
    if known.get("im") and not dps.has("prest/IM"):
        yield "E0116"
    if known.get("im") == "" and dps.has("prest/IM"):
        yield "E0120"


def _regime(dps: Dps, _: NoteCall) -> Iterator[str]:
    simples, own = dps.text("prest/regTrib/opSimpNac"), dps.text("prest/regTrib/regApTribSN")
    special = dps.text("prest/regTrib/regEspTrib") != "0"
    if simples in ("1", "2") and own:
        yield "E0162"
    if simples == "3" and not own:
        yield "E0166"
    if special and dps.text("valores/trib/tribMun/tribISSQN") != "1":
        yield "E0172"
    if special and simples == "2":
        yield "E0174"
    if special and simples == "3" and own == "1":
        yield "E0175"


def _parties(dps: Dps, _: NoteCall) -> Iterator[str]:
    withheld = dps.text("valores/trib/tribMun/tpRetISSQN")
    for party, name, cnpj, cpf, same, absent in (
        ("toma", "2", "E0188", "E0206", "E0202", "E0204"),
        ("interm", "3", "E0248", "E0266", "E0262", "E0264"),
    ):
        if dps.has(f"{party}/CNPJ") and not br.is_cnpj(dps.text(f"{party}/CNPJ")):
            yield cnpj
        if dps.has(f"{party}/CPF") and not br.is_cpf(dps.text(f"{party}/CPF")):
            yield cpf
        if dps.document(party) and dps.document(party) == dps.document("prest"):
            yield same
        if withheld == name and not dps.document(party):
            yield absent
    yield from _taker_address(dps, withheld)


def _taker_address(dps: Dps, withheld: str) -> Iterator[str]:
    has_address = dps.has("toma/end/endNac")
    if dps.has("toma/CNPJ") and not has_address:
        yield "E0235"
    if withheld == "2" and not has_address:
        yield "E0237"
    if has_address and not note_places.exists(dps.text("toma/end/endNac/cMun")):
        yield "E0238"


def _service(dps: Dps, _: NoteCall) -> Iterator[str]:
    code, is_export = (
        dps.text("serv/cServ/cTribNac"),
        dps.text("valores/trib/tribMun/tribISSQN") == "3",
    )
    if not ("01" <= code[:2] <= "40" or code == "990101"):
        yield "E0310"
    if dps.text("serv/cServ/cTribMun") == "000":
        yield "E0315"
    has_nbs = dps.has("serv/cServ/cNBS")
    if is_export and not has_nbs:
        yield "E0318"
    if dps.has("IBSCBS") and not has_nbs:
        yield "E0322"
    if is_export and not dps.has("serv/comExt"):
        yield "E0330"
    if code in _WORKS and not dps.has("serv/obra"):
        yield "E0370"
    if code not in _WORKS and code != "990101" and dps.has("serv/obra"):
        yield "E0372"


def _municipal(dps: Dps, _: NoteCall) -> Iterator[str]:
    path = "valores/trib/tribMun"
    kind, withheld = dps.text(f"{path}/tribISSQN"), dps.text(f"{path}/tpRetISSQN") != "1"
    if withheld and kind != "1":
        yield "E0580"
    if withheld and dps.text("prest/regTrib/opSimpNac") == "2":
        yield "E0583"
    if dps.has(f"{path}/exigSusp") and kind != "1":
        yield "E0585"
    if withheld and dps.text("prest/regTrib/regEspTrib") != "0":
        yield "E0588"
    if dps.has(f"{path}/tpImunidade") != (kind == "2"):
        yield "E0592"
    if dps.text(f"{path}/tpImunidade") == "0":
        yield "E0593"


def _rate(dps: Dps, call: NoteCall) -> Iterator[str]:
    """Where pAliq must, may and must not be."""
    path = "valores/trib/tribMun/pAliq"
    told, rate = dps.has(path), dps.amount(path)
    if told and rate > 5:
        yield "E0595"
    simples = dps.text("prest/regTrib/opSimpNac")
    if simples == "2":
        yield from ["E0600"] if told else []
    elif dps.text("valores/trib/tribMun/tribISSQN") != "1":
        yield from ["E0602"] if told else []
    elif dps.text("prest/regTrib/regEspTrib") != "0":
        yield from ["E0604"] if told else []
    elif is_taxed(dps):
        found = city(call, dps.incidence)
        yield from _rate_by_city(dps, simples, bool(found and found.is_active), told, rate)


def _rate_by_city(dps: Dps, simples: str, active: bool, told: bool, rate: Decimal) -> Iterator[str]:
    own = dps.text("prest/regTrib/regApTribSN")
    withheld = dps.text("valores/trib/tribMun/tpRetISSQN") != "1"
    if simples == "1" or own in ("2", "3"):
        forbidden, wanted = ("E0617", "E0619") if simples == "1" else ("E0635", "E0640")
        if active and told:
            yield forbidden
        if not active and not told:
            yield wanted
    elif withheld and (not told or rate < Decimal("1.8")):
        yield "E0621" if active else "E0628"
    elif not withheld and told:
        yield "E0625" if active else "E0631"


def _reform(dps: Dps, _: NoteCall) -> Iterator[str]:
    if not dps.has("IBSCBS"):
        return
    if date.fromisoformat(dps.text("dCompet")) < _REFORM_FROM:
        yield "E0850"
    if dps.text("IBSCBS/indDest") == "0" and dps.has("IBSCBS/dest"):
        yield "E0910"
    path = "IBSCBS/valores/trib/gIBSCBS"
    if dps.text(f"{path}/cClassTrib")[:3] != dps.text(f"{path}/CST"):
        yield "E0959"


RULES: tuple[Rule, ...] = (
    _head, _city, _issuer, _regime, _parties, _service, _municipal, _rate,
    national_amounts.service, national_amounts.federal, national_amounts.totals, _reform,
)  # fmt: skip
