"""Texts of the request by their type in the schema: documents, keys, codes, free text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fiscal import access_key, xml
from fiscal.access_key import UF_CODES
from fiscal.documents.nfe.catalogue import Field
from fiscal.documents.nfe.values import Reader, Refused, TooLong, plain, shortened
from lib import br

# XML-6: free texts that are cut on a word, with a note, instead of refused.
CUT_TAGS = frozenset(("natOp", "xNome", "xLgr", "xProd", "infAdProd", "infCpl"))
_LINE_TAGS = frozenset(("infCpl", "infAdFisco", "infAdProd"))
_MASK = re.compile(r"[.\-/()\s+]")
_UFS_BY_CODE = {code: uf for uf, code in UF_CODES.items()}
_MASKED_TAGS = frozenset(
    ("CEP", "fone", "NCM", "CEST", "CFOP", "cEAN", "cEANTrib", "CNAE", "cMun", "ISUF", "nDI")
)
# Types that the XSD narrows by more than a length.
_PATTERNS: Mapping[str, str] = {
    "TSerie": "0|[1-9][0-9]{0,2}",
    "TNF": "[1-9][0-9]{0,8}",
    "TIe": "[0-9]{2,14}|ISENTO",
    "TIeDest": "[0-9]{2,14}|ISENTO",
    "TIeST": "[0-9]{2,14}",
    "TIeDestNaoIsento": "[0-9]{2,14}",
    "TCompetApur": "20[0-9]{2}-(0[1-9]|1[0-2])",
}


def reader(field: Field) -> Reader:
    """The reader of a text, by its type in the schema, else by its tag."""
    tag = field.xml[0].rpartition("/")[2] if field.xml else ""
    if field.xsd in ("TCnpj", "TCnpjOpc"):
        return _cnpj
    if field.xsd == "TCpf":
        return _cpf
    if field.xsd in ("TChNFe", "TChDFeRTC"):
        return _key
    if field.xsd in ("TUf", "TUfEmi", "TCodUfIBGE"):
        return _uf(abroad=field.xsd == "TUf")
    if field.xsd in ("TIe", "TIeST", "TIeDest", "TIeDestNaoIsento"):
        return _inscricao(field.xsd)
    if tag == "placa":
        return _masked_text(field)
    if field.kind == "digits" or tag in ("CEP", "fone"):
        return _digits(field, is_masked=tag in _MASKED_TAGS)
    return _text(field, tag)


def _text(field: Field, tag: str) -> Reader:
    low, high, exact = field.min_length, field.max_length, field.lengths
    clean = xml.joined_lines if tag in _LINE_TAGS else xml.text
    is_cut = tag in CUT_TAGS
    fits = re.compile(field.pattern).fullmatch if field.pattern else None
    pattern = _PATTERNS.get(field.xsd)
    fits = re.compile(pattern).fullmatch if pattern else fits

    def read(value: Any) -> str:
        text = clean(value if type(value) is str else plain(value))
        length = len(text)
        if high and length > high and is_cut:
            raise TooLong(shortened(text, high), high)
        if length < low or (high and length > high) or (exact and length not in exact):
            raise Refused(_length_message(field))
        if not text or (fits is not None and not fits(text)):
            raise Refused("Formato inválido.")
        return text

    return read


def _digits(field: Field, *, is_masked: bool) -> Reader:
    low, high, exact = field.min_length, field.max_length, field.lengths
    pattern = _PATTERNS.get(field.xsd) or field.pattern or (f"[0-9]{{{low},{high or ''}}}")
    fits = re.compile(pattern).fullmatch
    is_number = field.xsd in ("TSerie", "TNF") or field.name == "numero_item"
    checks_length = bool(exact) and not field.pattern

    def read(value: Any) -> str:
        text = value.strip() if type(value) is str else _padded(plain(value), exact)
        if is_masked and not text.isalpha():
            text = _MASK.sub("", text)
        if is_number and text.isascii() and text.isdecimal():
            text = text.lstrip("0") or "0"
        text = text.upper()
        if text == "SEMGTIN":
            text = "SEM GTIN"
        if not fits(text) or (checks_length and len(text) not in exact):
            raise Refused(_digits_message(field))
        return text

    return read


def _padded(text: str, exact: tuple[int, ...]) -> str:
    """A JSON number has lost its leading zeros: give them back up to the next length admitted."""
    wanted = [length for length in exact if length >= len(text)]
    return text.zfill(min(wanted)) if wanted and text.isdecimal() else text


def _length_message(field: Field) -> str:
    if field.lengths:
        return f"Informe {_either(field.lengths)} caracteres."
    if field.max_length and field.min_length > 1:
        return f"Informe de {field.min_length} a {field.max_length} caracteres."
    return f"Informe até {field.max_length} caracteres, ao menos um visível."


def _digits_message(field: Field) -> str:
    if field.lengths:
        return f"Informe {_either(tuple(n for n in field.lengths if n))} dígitos."
    if field.max_length:
        return f"Informe de {field.min_length} a {field.max_length} dígitos."
    return "Formato inválido."


def _either(lengths: tuple[int, ...]) -> str:
    return " ou ".join(str(length) for length in lengths)


def _masked_text(field: Field) -> Reader:
    fits = re.compile(field.pattern).fullmatch

    def read(value: Any) -> str:
        text = _MASK.sub("", plain(value)).upper()
        if not fits(text):
            raise Refused("Placa inválida: use AAA9999 ou AAA9A99.")
        return text

    return read


def _cnpj(value: Any) -> str:
    text = br.normalise_document(_padded(plain(value), (14,)) if type(value) is not str else value)
    if not br.is_cnpj(text):
        raise Refused("CNPJ inválido.")
    return text


def _cpf(value: Any) -> str:
    text = br.normalise_document(_padded(plain(value), (11,)) if type(value) is not str else value)
    if not br.is_cpf(text):
        raise Refused("CPF inválido.")
    return text


def _key(value: Any) -> str:
    text = re.sub(r"\s", "", plain(value)).upper().removeprefix("NFE").removeprefix("CTE")
    # With a zeroed cNF the key is a secret one (refNFeSig), whose digit nobody can check.
    is_secret = text[35:43] == "00000000" and re.fullmatch(access_key.PATTERN, text) is not None
    if not is_secret and not access_key.is_valid(text):
        raise Refused("Chave de acesso inválida: informe os 44 caracteres.")
    return text


def _uf(*, abroad: bool) -> Reader:
    def read(value: Any) -> str:
        text = plain(value).strip().upper()
        text = _UFS_BY_CODE.get(text, text)
        if text not in UF_CODES and not (abroad and text == "EX"):
            raise Refused("UF inválida: informe a sigla, como SP.")
        return text

    return read


def _inscricao(xsd: str) -> Reader:
    fits = re.compile(_PATTERNS[xsd]).fullmatch
    hint = " ou ISENTO" if "ISENTO" in _PATTERNS[xsd] else "; deixe em branco para isentos"

    def read(value: Any) -> str:
        text = _MASK.sub("", plain(value)).upper()
        if not fits(text):
            raise Refused(f"Inscrição estadual inválida: informe de 2 a 14 dígitos{hint}.")
        return text

    return read
