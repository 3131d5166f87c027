"""The DANFE of a document that does not exist: no number, no row, no value (fiscal-api §2.13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fiscal.documents.nfe import make
from fiscal.documents.nfe.danfe import danfe_pdf
from fiscal.errors import IssuerForbidden, NotEnabled, PrintFailed, XmlInvalid
from fiscal.models import Company
from fiscal.services.companies import issuer_of
from fiscal.services.issue import refuse_issuer
from fiscal.services.printing import options_of
from fiscal.services.signing_step import local_time
from fiscal.xml import BadXml, child_text, cut_out, local_name, parse
from lib import clock
from lib.errors import FieldError
from lib.pdf import RenderFailed

MODELO = 55
LIMIT = 1024 * 1024  # bytes of XML: a document of 500 KB (XML-13) with its protocol


def preview_of_body(company: Company, body: Mapping[str, Any], *, ambiente: str) -> bytes:
    """The PDF of a request's body, read, completed and held against the schema as at issue.

    Raises NotEnabled, IssuerForbidden, InvalidRequest, SchemaInvalid, PrintFailed.
    """
    _refuse(company)
    refuse_issuer(company, body)
    now = local_time(company, clock.now())
    data = make.prepare(body, modelo=MODELO, ambiente=ambiente, issuer=issuer_of(company), now=now)
    signed = make.rehearse(data, modelo=MODELO, ambiente=ambiente, now=now)
    return _printed(company, signed.xml)


def preview_of_xml(company: Company, raw: bytes) -> bytes:
    """The PDF of an NFe, signed or not, or of an nfeProc, of the company.

    Raises NotEnabled, XmlInvalid, IssuerForbidden, PrintFailed.
    """
    _refuse(company)
    try:
        parse(raw, limit=LIMIT)
        # The rest of the file is not looked at: a preview knows no protocol.
        content = cut_out(raw, "NFe")
        inner = next((one for one in parse(content) if local_name(one) == "infNFe"), None)
    except BadXml as error:
        raise _invalid(str(error)) from error
    if inner is None or child_text(inner, "ide", "mod") != str(MODELO):
        raise _invalid("O XML não é de uma NF-e (modelo 55).")
    issuer = child_text(inner, "emit", "CNPJ") or child_text(inner, "emit", "CPF")
    if issuer != company.document:
        raise IssuerForbidden()
    try:
        return _printed(company, content)
    except (BadXml, ValueError, ArithmeticError, LookupError) as error:
        # No schema was asked for: a date or an amount may be anything.
        raise _invalid("O XML não tem o conteúdo de uma NF-e.") from error


def _refuse(company: Company) -> None:
    if not company.emits(MODELO):
        raise NotEnabled()


def _invalid(reason: str) -> XmlInvalid:
    return XmlInvalid(erros=[FieldError("", reason)])


def _printed(company: Company, xml: bytes) -> bytes:
    try:
        return danfe_pdf(xml, options=options_of(company.pk, preview=True))
    except (RenderFailed, OSError) as error:
        raise PrintFailed() from error
