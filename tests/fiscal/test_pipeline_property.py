"""Whatever is sent: refused by the names of its fields, or made into a valid document that adds up.

Bodies of ordinary sales in which some fields, any of the catalogue, get values that belong there or
that nobody means. Nothing but SchemaInvalid may come out, and what is made is read again from its
bytes: schema, signature, key, and every total against the items.
"""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from support.a1 import signer
from support.nfe_documents import CSC, ISSUER, NOW, body, identity, item

from fiscal import access_key, xml
from fiscal.documents.nfe.catalogue import Field, catalogue
from fiscal.documents.nfe.groups import places
from fiscal.documents.nfe.make import check, make
from fiscal.errors import SchemaInvalid
from fiscal.signing import verify

HOSTILE: list[Any] = [
    "", None, True, 0, 1, -1, 99, 1.5, 1e30, float("nan"), 10**60, Decimal("1E-5"), Decimal("-0"),
    Decimal("sNaN"), "0", "-1", "1,50", "1.234,56", "1e5", "+1", " 1 ", "0.00", "99999999999999.99",
    "9" * 100, "\x00", "a\x00b", "\ud800", "\ufffe", "<&>\"'", "]]>", "\u2028x", "\u200b", "💥",
    "\u0663", "\uff11\uff12", "1_0", "\n1", "a" * 70, [], {}, [[]], [{}], [1], [None], {"a": 1},
    b"x", (1,), "x", "2026-11-21", "2000-01-01T00:00:00Z", "2026-02-30", "EX", "35", "1111",
    "3550308",
    "12ABC34501DE35", "52998224725", "ISENTO", "7891000100103",
    "35261111222333000181550010000001231123456710",
]  # fmt: skip
AMOUNTS = ("0", "0.00", "0.01", "1", "2.50", "7.5", "100")
TEXTS = ("SP", "3550308", "11444777000161", "52998224725", "2026-11-20", "1", "11", "111", "Ação")
NO_TAG = re.compile(r"\b[a-z]{1,4}[A-Z]\w+|[<{\\]|http")
NO_ENGLISH = re.compile(r"\b(element|attribute|expected|invalid|value|missing|must|not|the|is)\b")
UNRATED = ("00", "40", "41", "102", "300", "400")  # beside what an item of `body` has already
USUAL = re.compile("(icms|fcp|ipi|pis|cofins|ii)_.*|valor_(frete|seguro|desconto|outras|ipi).*")
SIMPLES = replace(ISSUER, regime_tributario=1)

# ICMSTot → where the items have it.
SUMS = {
    **{tag: f"imposto/ICMS/*/{tag}" for tag in ("vBC", "vICMS", "vICMSDeson", "vBCST", "vFCP")},
    **{tag: f"imposto/ICMS/*/{tag}" for tag in ("vFCPST", "vFCPSTRet", "vICMSMono")},
    **{tag: f"imposto/ICMS/*/{tag}" for tag in ("vICMSMonoReten", "vICMSMonoRet")},
    **{tag: f"prod/{tag}" for tag in ("vFrete", "vSeg", "vDesc", "vOutro")},
    **{tag: f"imposto/ICMSUFDest/{tag}" for tag in ("vICMSUFDest", "vFCPUFDest")},
    "vST": "imposto/ICMS/*/vICMSST",
    "vIPI": "imposto/IPI/IPITrib/vIPI",
    "vII": "imposto/II/vII",
    "vIPIDevol": "impostoDevol/IPI/vIPIDevol",
    "vPIS": "imposto/PIS/*/vPIS",
    "vCOFINS": "imposto/COFINS/*/vCOFINS",
    "vTotTrib": "imposto/vTotTrib",
}
PLUS = ("vProd", "vST", "vFCPST", "vICMSMonoReten", "vFrete", "vSeg", "vOutro", "vII", "vIPI")


def _likely(field: Field) -> st.SearchStrategy[Any]:
    if field.enum:
        return st.sampled_from(field.enum)
    if field.kind == "boolean":
        return st.booleans()
    return st.sampled_from(AMOUNTS if field.kind == "decimal" else TEXTS)


def _value(modelo: int, field: Field) -> st.SearchStrategy[Any]:
    if field.kind != "array":
        return st.one_of(_likely(field), _likely(field), st.sampled_from(HOSTILE))
    inner = list(catalogue(modelo).level(*field.parents, field.name).values())
    entry = _changes(modelo, inner, 4)
    return st.one_of(st.lists(entry, max_size=2), st.sampled_from(HOSTILE))


@st.composite
def _changes(draw: st.DrawFn, modelo: int, fields: list[Field], most: int) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(fields), max_size=most, unique_by=lambda f: f.name))
    return {field.name: draw(_value(modelo, field)) for field in chosen}


@st.composite
def bodies(draw: st.DrawFn, modelo: int) -> dict[str, Any]:
    """One to three items, changed in the body, in the items, or in both.

    Half of them get plain amounts only, of any tax, under any CST: most of these are accepted.
    """
    source = catalogue(modelo)
    of_item = source.level("items")
    where = draw(st.sampled_from(("amounts", "amounts", "amounts", "header", "items", "both")))
    n_items = draw(st.integers(1, 3))
    made = body(*(item(n) for n in range(1, n_items + 1)), modelo=modelo)
    made["formas_pagamento"][0]["valor_pagamento"] = 20 * n_items
    if where == "amounts":
        names = [f.name for f in of_item.values() if f.kind == "decimal" and USUAL.match(f.name)]
        amounts = st.dictionaries(st.sampled_from(names), st.sampled_from(AMOUNTS), max_size=3)
        for entry in made["items"]:
            entry |= draw(amounts)
            entry["icms_situacao_tributaria"] = draw(st.sampled_from(UNRATED))
            entry["pis_situacao_tributaria"] = draw(st.sampled_from(("07", "99", "01")))
    if where in ("items", "both"):
        for entry in made["items"]:
            entry |= draw(_changes(modelo, list(of_item.values()), 5))
    if where in ("header", "both"):
        made |= draw(_changes(modelo, list(source.level().values()), 4))
    return made


@st.composite
def sales(draw: st.DrawFn) -> tuple[int, dict[str, Any]]:
    modelo = draw(st.sampled_from((55, 65)))
    return modelo, draw(bodies(modelo))


@given(sale=sales(), is_simples=st.booleans())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_body_is_refused_by_its_fields_or_becomes_a_document_that_adds_up(
    sale: tuple[int, dict[str, Any]], is_simples: bool
) -> None:
    modelo, sent = sale
    before = copy.deepcopy(sent)
    issuer = SIMPLES if is_simples else ISSUER

    try:
        data = check(sent, modelo=modelo, ambiente="homologacao", issuer=issuer, now=NOW)
    except SchemaInvalid as refusal:
        _is_for_the_sender(modelo, refusal)
    else:
        who = identity(modelo, ambiente="homologacao")
        made = make(data, who, signer=signer(), csc=CSC, qr_version=2)
        assert xml.faults(made.xml, "nfe") == []
        assert verify(made.xml).signed_id == f"NFe{made.chave}"
        assert access_key.is_valid(made.chave)
        _adds_up(modelo, sent, etree.fromstring(made.xml))
    assert repr(sent) == repr(before)


def _is_for_the_sender(modelo: int, refusal: SchemaInvalid) -> None:
    """Each fault names a field of the request, or an entry of a list, in Portuguese."""
    assert refusal.erros
    source = catalogue(modelo)
    known = {*source.by_path, *source.forbidden}
    for error in refusal.erros:
        name = re.sub(r"\[\d+\]", "[]", error.campo)
        assert name in known or name.removesuffix("[]") in known, error
        told = error.mensagem.replace(error.campo.rpartition(".")[2], "")
        assert not NO_TAG.search(told), error
        assert not NO_ENGLISH.search(told), error


def _adds_up(modelo: int, sent: dict[str, Any], root: etree._Element) -> None:
    """Every total that was not sent is the sum of the items, and vNF the sum of the totals."""
    for element in root.iter():
        element.tag = xml.local_name(element)
    [total] = root.iter("ICMSTot")
    details = list(root.iter("det"))
    goods = [detail for detail in details if detail.find("imposto/ISSQN") is None]
    names = places(modelo).fields
    is_sent = any(names[f"total/ICMSTot/{tag.tag}"].name in sent for tag in total)
    for tag, path in SUMS.items():
        field = names.get(f"total/ICMSTot/{tag}")
        if field is not None and field.name not in sent:
            rows = goods if tag in ("vPIS", "vCOFINS") else details
            assert _amount(total, tag) == sum(_amount(row, path) for row in rows), tag
    if not is_sent and not any(row.findtext("prod/CFOP", "").startswith("3") for row in details):
        assert _amount(total, "vNF") == _document_value(total, root)


def _document_value(total: etree._Element, root: etree._Element) -> Decimal:
    """vNF by the formula of the layout (TAX-4), from the document alone."""
    value = sum((_amount(total, tag) for tag in (*PLUS, "vIPIDevol")), Decimal(0))
    value += _amount(root, "infNFe/total/ISSQNtot/vServ") - _amount(total, "vDesc")
    for detail in root.iter("det"):
        for group in detail.iterfind("imposto/ICMS/*"):
            if group.findtext("indDeduzDeson") == "1":
                value -= _amount(group, "vICMSDeson")
        for tax in ("PIS", "COFINS"):
            if detail.findtext(f"imposto/{tax}ST/indSoma{tax}ST") == "1":
                value += _amount(detail, f"imposto/{tax}ST/v{tax}")
    return value


def _amount(element: etree._Element, path: str) -> Decimal:
    return Decimal(element.findtext(path) or "0")
