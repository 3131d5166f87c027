"""Personal data on pages that anybody with the address can open (ux §1.5)."""

from __future__ import annotations

import re

from lib.br import cnpj_mask, cpf_mask, document_kind

_NUMBER = re.compile(r"\d(?:[./ -]?\d){10,}")  # CPF or CNPJ, however they are written


def masked_document(document: str) -> str:
    """`***.982.247-**` of a CPF, `12.ABC.***/****-35` of a CNPJ, "" of anything else."""
    kind = document_kind(document)
    if kind == "cpf":
        text = cpf_mask(document)
        return f"***.{text[4:11]}-**"
    if kind == "cnpj":
        text = cnpj_mask(document)
        return f"{text[:6]}.***/****-{text[-2:]}"
    return ""


def masked_name(name: str, document: str) -> str:
    """A company's name as it is; of a person the first name and initials: `Maria S. O.`.

    Sole traders have their owner's CPF in the name of the company: it is not shown.
    """
    name = _NUMBER.sub("***", name)
    if document_kind(document) == "cnpj" or " " not in name.strip():
        return name
    first, *rest = name.split()
    return " ".join([first, *(f"{word[0]}." for word in rest if word[0].isupper())])
