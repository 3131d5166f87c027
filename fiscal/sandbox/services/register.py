"""CadConsultaCadastro: who is registered in a unit."""

from __future__ import annotations

from fiscal.sandbox import answers, br, soap, tables
from fiscal.sandbox.checks import message
from fiscal.sandbox.document import NS, Group
from fiscal.sandbox.world import Call, Refused


def answer(call: Call) -> str:
    """retConsCad: 111 with infCad; 258, 259. Known are told taxpayers and those that issued."""
    message.check_size(call.payload)
    root = message.parsed(call.payload, "ConsCad", "2.00")
    wanted = root.find(f"{NS}infCons")
    if wanted is None or wanted.findtext(f"{NS}xServ") != "CONS-CAD":
        raise Refused(215)
    asked = Group(wanted)
    uf = next((each for each in tables.by_code().values() if each.sigla == asked.text("UF")), None)
    if uf is None or not tables.serves(call.authority, uf.cuf, "55"):
        raise Refused(226)
    call.cuf = uf.cuf
    document = asked.text("CNPJ") or asked.text("CPF")
    echo = answers.tag("UF", uf.sigla) + "".join(
        answers.tag(name, asked.text(name)) for name in ("IE", "CNPJ", "CPF")
    )
    echo += answers.tag("dhCons", call.local()) + answers.tag("cUF", uf.cuf)
    if asked.text("CNPJ") and not br.is_cnpj(asked.text("CNPJ")):
        return answers.ret_cad(call, 258, content=echo)
    known = _known(call, document, asked.text("IE"))
    if known is None:
        return answers.ret_cad(call, 259, content=echo)
    return answers.ret_cad(call, 111, content=f"{echo}<infCad>{known}</infCad>")


def _known(call: Call, document: str, ie: str) -> str | None:
    for registered, row in call.setting("contribuintes", {}).items():
        if registered == document or (ie and row.get("ie") == ie):
            return _shown(call, registered, str(row.get("ie", "")), str(row.get("nome", "")))
    row = call.world.store.one(
        "SELECT xml FROM documentos WHERE ambiente = ? AND cuf = ? AND documento = ? "
        "ORDER BY id DESC",
        call.ambiente,
        call.cuf,
        document,
    )
    inf = None if row is None else soap.parse(row["xml"]).find(f"{NS}infNFe/{NS}emit")
    if inf is None:
        return None
    issuer = Group(inf)
    return _shown(call, document, issuer.text("IE"), issuer.text("xNome"))


def _shown(call: Call, document: str, ie: str, name: str) -> str:
    """infCad with an active registration (cSit 1)."""
    return (
        answers.tag("IE", ie)
        + answers.tag("CPF" if len(document) == 11 else "CNPJ", document)
        + answers.tag("UF", tables.by_code()[call.cuf].sigla)
        + answers.tag("cSit", 1)
        + answers.tag("indCredNFe", 1)
        + answers.tag("indCredCTe", 0)
        + answers.tag("xNome", name)
    )
