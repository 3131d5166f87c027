"""Disputes and the files that come with them, for tests."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO
from typing import Any

from factories import MembershipFactory, UserFactory

from accounts.models import AuditEvent, User
from accounts.services.audit import Actor, actor_of
from billing.models import CustomerAccess, Dispute, Invoice
from billing.services.disputes.opening import Statement, open_dispute

WHY = "Cobraram duas vezes a mesma mensalidade."


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    body = kind + data
    return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def png() -> bytes:
    """One white pixel."""
    head = chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\xff")) + chunk(b"IEND")


def pdf(extra: bytes = b"") -> bytes:
    return b"%PDF-1.7\n1 0 obj<<>>endobj\n" + extra + b"trailer<<>>\nstartxref\n9\n%%EOF\n"


def jpeg(extra: bytes = b"") -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0" + extra + b"\xff\xd9"


def xlsx(**more: bytes) -> bytes:
    """The parts that make a workbook; `more` are further ones."""
    parts = {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>", **more}
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return made.getvalue()


def customer_user(invoice: Invoice, role: str = "titular") -> User:
    user: User = UserFactory()
    CustomerAccess.objects.create(
        account=invoice.account, user=user, customer=invoice.customer, role=role
    )
    return user


def actor_customer(user: User) -> Actor:
    return Actor(AuditEvent.Actor.CUSTOMER, user.pk, user.email)


def staff(invoice: Invoice, role: str = "admin") -> Actor:
    return actor_of(MembershipFactory(account=invoice.account, role=role).user)


def disputed(invoice: Invoice, user: User | None = None, **given: Any) -> Dispute:
    """A dispute of the invoice, as its customer opens it."""
    user = user or customer_user(invoice)
    values = {"reason": "duplicidade", "text": WHY, **given}
    return open_dispute(
        invoice.pk, Statement(**values), account=invoice.account, customer=invoice.customer,
        user=user, actor=actor_customer(user),
    )  # fmt: skip


def codes(dispute: Dispute) -> list[str]:
    """The trail of a dispute."""
    rows = AuditEvent.objects.filter(object_type="dispute", object_id=dispute.pk).order_by("pk")
    return list(rows.values_list("action", flat=True))
