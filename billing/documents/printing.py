"""From a source to its PDF, or to a refusal in pt-BR."""

from __future__ import annotations

import logging

from billing.documents.context import Source, read_assets
from billing.models import DocumentTemplateVersion
from lib.errors import DomainError
from lib.pdf import Kind, RenderedPdf, RenderFailed, RenderJob, render

log = logging.getLogger(__name__)


class PdfFailed(DomainError):
    """There is no PDF; the invoice is unaffected (PDF-8). `line` of the template is for staff."""

    codigo = "pdf_failed"

    def __init__(self, cause: str, *, kind: str, line: int | None = None) -> None:
        super().__init__(f"Não foi possível gerar o PDF: {_inside(cause)}.")
        self.kind = kind
        self.line = line


def _inside(cause: str) -> str:
    """A sentence as the end of another: "O modelo parou." → "o modelo parou"."""
    text = cause.strip().rstrip(".")
    starts_a_word = text[1:2] == " " or text[1:2].islower()
    return text[:1].lower() + text[1:] if starts_a_word else text


def print_source(source: Source) -> RenderedPdf:
    """Render a source. Takes a tenth of a second to a minute: never inside a transaction.

    Raises PdfFailed; the log keeps the template's line.
    """
    try:
        rendered = render(_job(source))
    except RenderFailed as failure:
        raise _failed(source, failure.cause, failure.kind, failure.line) from failure
    except OSError as error:  # the renderer could not even be started
        cause = "o gerador de PDF não está disponível"
        raise _failed(source, cause, Kind.WORKER_DIED, None) from error
    log.info(
        "pdf.rendered",
        extra={
            "invoice_id": source.invoice_id,
            "pages": rendered.pages,
            "ms": round(rendered.seconds * 1000),
            "warnings": len(rendered.warnings),
        },
    )
    return rendered


def _job(source: Source) -> RenderJob:
    if source.version is None:
        raise PdfFailed("a organização não tem modelo de fatura ativo", kind="no_template")
    html, css = DocumentTemplateVersion.objects.values_list("html", "css").get(pk=source.version.id)
    assets = read_assets(source)
    return RenderJob(
        html_template=html,
        css=css,
        context=source.context if assets.keys() == source.assets.keys() else _bare(source),
        assets=assets,
        watermark=source.watermark,
        language=source.version.language,
    )


def _bare(source: Source) -> dict[str, object]:
    """The context without the logo, of which only the hash is left: better none than a gap."""
    log.warning("pdf.logo_missing", extra={"invoice_id": source.invoice_id})
    organization = source.context["organization"] | {"logo": ""}
    return source.context | {"logo": "", "organization": organization}


def _failed(source: Source, cause: str, kind: Kind, line: int | None) -> PdfFailed:
    log.warning(
        "pdf.failed",
        extra={
            "invoice_id": source.invoice_id,
            "template_version_id": source.version.id if source.version else None,
            "kind": str(kind),
            "line": line,
            "cause": cause,
        },
    )
    return PdfFailed(cause, kind=str(kind), line=line)
