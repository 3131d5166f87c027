"""The words of an invoice's note: the tags of billing-api §6.12 and what the law wants told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from billing.models import Invoice, InvoiceLine, Nfse
from billing.selectors.note_links import pdf_of
from billing.services.note_taxes import Case, burden
from fiscal.taxes.withholding import percent_br
from lib.br import cnpj_mask, date_br
from lib.money import brl

TAG = re.compile(r"\$([A-Z][A-Z_]+)")
_NBSP = "\u00a0"
CUT = "..."  # three dots: the sign of its own is not in the alphabet of every city
BURDEN = "Tributos aproximados: {valor} ({percentual}). Fonte: {fonte}."


def expand(text: str, values: Mapping[str, str]) -> str:
    """The tags that are known replaced; what is none of ours stays as typed."""
    return TAG.sub(lambda found: values.get(found[1], found[0]), text)


def tags_of(
    invoice: Invoice, due_dates: Sequence[date], *, nfse: Nfse | None = None
) -> dict[str, str]:
    """What the tags mean (billing-api §6.12); without `nfse` the note's own ones are empty."""
    organization = invoice.organization
    contract = invoice.contract
    plan = contract.plan if contract is not None else None
    return {
        "DESCRICAO": invoice.description or invoice.title,
        "DATA_EMISSAO": date_br(invoice.issue_date),
        "NUMERO": invoice.label,
        "VALOR_BRUTO": _plain(invoice.gross_value),
        "DATAS_VENCIMENTO": ", ".join(date_br(day) for day in due_dates),
        "CNPJ_PRESTADOR": cnpj_mask(organization.document) if organization.document else "",
        "NOME_PRESTADOR": organization.company_name or organization.name,
        "PLANO": plan.name if plan is not None else "",
        "CODIGO_VERIFICACAO": nfse.verification_code if nfse is not None else "",
        "NFSE_PDF_LINK": (pdf_of(nfse) or "") if nfse is not None else "",
    }


def description(
    invoice: Invoice,
    case: Case,
    *,
    lines: Sequence[InvoiceLine],
    due_dates: Sequence[date],
    longest: int,
) -> str:
    """The text of the service: what the invoice has for it, else its lines; then the burden.

    Of up to `longest` characters: the words give way, the burden is the law's.
    """
    text = invoice.nfe_body.strip() or "$DESCRICAO"
    words = expand(text, tags_of(invoice, due_dates)).strip() or _of_lines(lines) or invoice.title
    told = burden_text(case)
    if not told:
        return _cut(words, longest)
    return f"{_cut(words, longest - len(told) - 1)}\n{told}"[:longest]


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return text[: max(longest - len(CUT), 0)].rstrip() + CUT


def _of_lines(lines: Sequence[InvoiceLine]) -> str:
    return "\n".join(line.title or line.description for line in lines)


def burden_text(case: Case) -> str:
    """Lei 12.741/2012 in the template's words; "" without a percentage.

    The template's text may name {valor}, {percentual} and {fonte}.
    """
    template = case.template
    if not template.percentual_carga_tributaria:
        return ""
    known = {
        "{valor}": _plain(burden(case)),
        "{percentual}": percent_br(template.percentual_carga_tributaria),
        "{fonte}": template.fonte_carga_tributaria or "IBPT",
    }
    text = template.texto_carga_tributaria or BURDEN
    for name, value in known.items():
        text = text.replace(name, value)
    return text


def _plain(value: Decimal) -> str:
    """A no-break space is not in the alphabet of every city."""
    return brl(value).replace(_NBSP, " ")
