"""From the body of a company (fiscal-api §14) to what is to be kept, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiscal.errors import RecordFault
from fiscal.models import Company
from fiscal.services import company_readers as read
from fiscal.services.company_fields import (
    AMBIENTES,
    ATTRIBUTES,
    CLOSED,
    COLUMN,
    IMMUTABLE,
    MODELOS,
    NUMBER,
    SERIES,
    SERVICE_NUMBER,
    SERVICES,
    SPELLINGS,
)
from fiscal.services.nfse.numbering import series_fault
from fiscal.services.numbering import allowed_series, range_text
from fiscal.tables.places import municipality_code

# What the table marks mandatory for each document; certificate and CSC are asked for at issue.
_ADDRESS = ("logradouro", "numero", "bairro", "cep", "municipio", "uf")
_ALWAYS = ("nome",)
_OF_ANY = ("nome_fantasia", "regime_tributario", "email", *_ADDRESS)
_OF_GOODS = ("inscricao_estadual", "telefone")
_OF_SERVICES = ("inscricao_municipal",)
_NAME_IN_GOODS = 60  # xNome of the layout; the record itself takes longer names
# Not kept as sent: read once, then used.
_FILES = ("arquivo_certificado_base64", "senha_certificado", "arquivo_logo_base64", "delete_logo")


@dataclass
class Sent:
    """What a body asks for, by where it goes."""

    columns: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)  # (kind, ambiente) → next
    pfx: bytes = field(default=b"", repr=False)
    password: str | None = field(default=None, repr=False)
    logo: bytes = field(default=b"", repr=False)
    removes_logo: bool = False
    faults: list[RecordFault] = field(default_factory=list)

    def fault(self, campo: str, mensagem: str) -> None:
        self.faults.append(fault(campo, mensagem))


def fault(campo: str, mensagem: str) -> RecordFault:
    """A fault of one field, which its text names too."""
    return RecordFault(campo, f"{campo} {mensagem}")


def read_body(body: dict[str, Any]) -> Sent:
    """Everything in `body`, with all its faults; what is unknown or read only is passed over."""
    sent = Sent()
    for given, value in body.items():
        name = SPELLINGS.get(given, given)
        if name in ATTRIBUTES:
            _read_attribute(sent, name, value)
        elif name in _NUMBERED or name in _NUMBERED_SERVICES:
            _read_number(sent, name, value)
    _read_files(sent, {name: body.get(name) for name in _FILES})
    return sent


def _read_attribute(sent: Sent, name: str, value: Any) -> None:
    attribute = ATTRIBUTES[name]
    try:
        found = attribute.read(value)
    except ValueError as error:
        sent.fault(name, str(error))
        return
    places = {COLUMN: sent.columns, CLOSED: sent.secrets}
    places.get(attribute.place, sent.options)[name] = found


# serie_nfe_producao, proximo_numero_cte_os_homologacao… of the documents with a model.
_NUMBERED = {
    f"{prefix}_{kind}_{ambiente}": (prefix, kind, ambiente)
    for prefix in ("serie", "proximo_numero")
    for kind in MODELOS
    for ambiente in AMBIENTES
}
# Series of RPS and DPS are texts, and attributes of their own.
_SERIES_OF_SERVICES = {
    f"serie_{kind}_{ambiente}": kind for kind in SERVICES for ambiente in AMBIENTES
}
_NUMBERED_SERVICES = {
    f"proximo_numero_{kind}_{ambiente}": ("proximo_numero", kind, ambiente)
    for kind in SERVICES
    for ambiente in AMBIENTES
}


def _read_number(sent: Sent, name: str, value: Any) -> None:
    prefix, kind, ambiente = (_NUMBERED | _NUMBERED_SERVICES)[name]
    number = SERVICE_NUMBER if kind in SERVICES else NUMBER
    try:
        found = (SERIES if prefix == "serie" else number)(value)
    except ValueError as error:
        sent.fault(name, str(error))
        return
    if prefix == "serie":
        sent.options[name] = found
    elif found is not None:
        sent.numbers[kind, ambiente] = found


def _read_files(sent: Sent, given: dict[str, Any]) -> None:
    readers = {
        "pfx": ("arquivo_certificado_base64", read.base64_bytes),
        "logo": ("arquivo_logo_base64", read.logo),
        "removes_logo": ("delete_logo", read.flag),
    }
    for name, (campo, reader) in readers.items():
        try:
            setattr(sent, name, reader(given[campo]))
        except ValueError as error:
            sent.fault(campo, str(error))
    try:
        password = given["senha_certificado"]
        sent.password = None if password is None else read.secret(200)(password)
    except ValueError as error:
        sent.fault("senha_certificado", str(error))
    if sent.pfx and given["senha_certificado"] is None:
        sent.fault("senha_certificado", "não informado")


def apply(company: Company, sent: Sent) -> None:
    """Set what was sent on the company, in memory; secrets, numbers and files are left aside."""
    for name, value in sent.columns.items():
        if name in ("cnpj", "cpf") and company.pk is not None:
            _keep_document(company, name, value, sent)
        elif name != "regime_tributario" or value is not None:
            setattr(company, name, value)
    for name in IMMUTABLE:
        before = company.options.get(name)
        if before and name in sent.options and sent.options[name] != before:
            sent.fault(name, "não pode ser alterado")
    company.options = {**company.options, **sent.options}
    if {"municipio", "uf"} & sent.columns.keys():
        company.codigo_municipio = municipality_code(company.municipio, company.uf)


def _keep_document(company: Company, name: str, value: str, sent: Sent) -> None:
    """Documents, tokens and certificates hang on it; a record sent back as it was is no change."""
    if value and value != getattr(company, name):
        sent.fault(name, "não pode ser alterado")


def rule_faults(company: Company, sent: Sent) -> list[RecordFault]:
    """What is wrong with the company as it would be: absent, or not possible together."""
    found = [fault(name, "não informado") for name in _missing(company, sent)]
    if bool(company.cnpj) == bool(company.cpf) and not _is_faulty(sent, "cnpj", "cpf"):
        found.append(fault("cnpj", "não informado: informe cnpj ou cpf, um só deles"))
    if company.habilita_nfse and company.habilita_nfsen_producao:
        found.append(fault("habilita_nfsen_producao", "não pode ser usado com habilita_nfse"))
    goods = company.habilita_nfe or company.habilita_nfce
    if goods and len(company.nome) > _NAME_IN_GOODS:
        found.append(fault("nome", f"deve ter até {_NAME_IN_GOODS} caracteres na NFe e na NFCe"))
    place = company.municipio and company.uf and not company.codigo_municipio
    if place and not _is_faulty(sent, "municipio", "uf"):
        found.append(fault("municipio", f"não existe em {company.uf}: informe o nome por extenso"))
    return [*found, *_series_faults(company, sent)]


def _missing(company: Company, sent: Sent) -> list[str]:
    """Mandatory attributes without a value; one that was sent wrong is told as such already."""
    goods = company.habilita_nfe or company.habilita_nfce
    services = company.habilita_nfse or company.habilita_nfsen_producao
    wanted = [
        *_ALWAYS,
        *(_OF_ANY if goods or services else ()),
        *(_OF_GOODS if goods else ()),
        *(_OF_SERVICES if company.habilita_nfse else ()),
    ]
    return [name for name in wanted if _is_absent(company, name, sent)]


def _is_absent(company: Company, name: str, sent: Sent) -> bool:
    if name == "regime_tributario" and company.pk is None:
        return sent.columns.get(name) is None and not _is_faulty(sent, name)
    return not getattr(company, name) and not _is_faulty(sent, name)


def _is_faulty(sent: Sent, *names: str) -> bool:
    return any(one.campo in names for one in sent.faults)


def _series_faults(company: Company, sent: Sent) -> list[RecordFault]:
    """NUM-7 and NAC-2, for the documents whose number is ours to give."""
    if not company.document:
        return []
    of_services = [
        fault(name, series_fault(kind, str(sent.options[name])))
        for name, kind in _SERIES_OF_SERVICES.items()
        if sent.options.get(name) and series_fault(kind, str(sent.options[name]))
    ]
    return of_services + [
        fault(name, f"não permitida: {range_text(company)}")
        for name, value in sent.options.items()
        if name in _NUMBERED and value is not None and value not in allowed_series(company)
    ]
