"""/files: attached files, for whoever holds a signed link that has not expired."""

from __future__ import annotations

import logging

from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from billing.selectors.attachments import attachment_of_link
from lib.errors import NotFound

log = logging.getLogger(__name__)


@require_safe
def attached_file(request: HttpRequest, signed: str) -> HttpResponseBase:
    """The file, always to be saved and never shown: what strangers sent runs in no browser."""
    try:
        attachment = attachment_of_link(signed)
        file = default_storage.open(attachment.storage_key)
    except NotFound:
        return _missing()
    except FileNotFoundError:
        log.warning("attachment.file_missing", extra={"attachment_id": attachment.pk})
        return _missing()
    return FileResponse(
        file,
        as_attachment=True,
        filename=attachment.filename,
        content_type=attachment.content_type,
        headers={
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )


def _missing() -> HttpResponse:
    """One answer for every link that does not lead to a file, so that none tells why."""
    text = "Arquivo não encontrado, ou o link expirou. Peça um novo link."
    return HttpResponse(text, status=404, content_type="text/plain; charset=utf-8")
