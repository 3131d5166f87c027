"""Attachments of invoices on the wire (§2.8): Base64 in, a signed link out.

The view of an invoice sets `max_body = ATTACHMENTS_BODY`. Its service calls `save_attachments`.
"""

from __future__ import annotations

from typing import Any

from billing.api.v1.fields import BoolIn, IdIn, IntegerOut, LongTextIn, TextIn, TextOut
from billing.api.v1.shapes import In, Out
from billing.selectors.attachments import file_url

# Two files of 10 MB as Base64 (4/3 of that), and the rest of the invoice.
ATTACHMENTS_BODY = 30_000_000


class AttachmentIn(In):
    id = IdIn()
    filename = TextIn(required=True, max_length=255)
    content = LongTextIn(
        required=True, max_length=ATTACHMENTS_BODY, help_text="Base64, até 10 MB por arquivo"
    )
    content_type = TextIn(required=True, max_length=200)
    _destroy = BoolIn()


class AttachmentOut(Out):
    id = IntegerOut()
    filename = TextOut()
    url = TextOut()

    @staticmethod
    def get_url(attachment: Any) -> str:
        return file_url(attachment)
