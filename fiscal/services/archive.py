"""Bytes as they were signed, sent or received: compressed, written once (KEEP-1, KEEP-2)."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime

from fiscal.models import Archive, Company, FiscalDocument
from lib.compiled import CompiledInsert

Kind = Archive.Kind
# Level 1: the documents of a day are compressed while somebody waits for the answer.
_LEVEL = 1
_INSERT = CompiledInsert(Archive)
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'


def packed(content: bytes) -> bytes:
    return zlib.compress(content, _LEVEL)


def unpacked(content: bytes | memoryview) -> bytes:
    return zlib.decompress(content)


def keep(
    document: FiscalDocument,
    kind: str,
    name: str,
    content: bytes,
    *,
    at: datetime,
    is_first: bool = False,
) -> Archive:
    """Keep a file of `document`; the same bytes under the same name are kept once.

    `is_first`: the caller knows that there is no such file yet, and nothing is looked up.

    The month of the file is the month of the document's key, so that all files of a document lie
    together; without a key, that of `at`.
    """
    month = f"20{document.chave[2:6]}" if document.chave else f"{at:%Y%m}"
    digest = hashlib.sha256(content).hexdigest()
    return (not is_first and _same(document, kind, name, digest)) or _create(
        document.account_id, document.company_id, document.ambiente,
        month, kind, name, content, digest, at, document,
    )  # fmt: skip


def _same(document: FiscalDocument, kind: str, name: str, digest: str) -> Archive | None:
    rows = Archive.objects.filter(document=document, kind=kind, name=name, sha256=digest)
    found: Archive | None = rows.first()
    return found


def keep_for_company(
    company: Company, *, ambiente: str, month: str, kind: str, name: str, content: bytes,
    at: datetime,
) -> Archive:  # fmt: skip
    """Keep a file that belongs to no document (the voiding of a range).

    `month` is AAAAMM on the issuer's clock, as in the keys of its documents.
    """
    digest = hashlib.sha256(content).hexdigest()
    return _create(
        company.account_id, company.pk, ambiente, month, kind, name, content, digest, at, None
    )


def _create(
    account_id: int,
    company_id: int,
    ambiente: str,
    month: str,
    kind: str,
    name: str,
    content: bytes,
    digest: str,
    at: datetime,
    document: FiscalDocument | None,
) -> Archive:
    row = Archive(
        account_id=account_id,
        company_id=company_id,
        document=document,
        kind=kind,
        name=name,
        ambiente=ambiente,
        month=month,
        content=packed(content),
        size=len(content),
        sha256=digest,
        created_at=at,
    )
    _INSERT.insert(row)
    return row


def read(archive: Archive) -> bytes:
    return unpacked(archive.content)


def read_file(archive: Archive) -> bytes:
    """As it is handed out: with the XML declaration that files have (XML-1)."""
    content = read(archive)
    return content if content.startswith(b"<?xml") else _DECLARATION + content


def find(document: FiscalDocument, kind: str, *, name: str = "") -> Archive | None:
    """The last file of that kind (and name)."""
    rows = Archive.objects.filter(document=document, kind=kind).order_by("-id")
    found: Archive | None = (rows.filter(name=name) if name else rows).first()
    return found


def signed_xml(document: FiscalDocument) -> bytes:
    """The signed XML that `document` stands by. Raises LookupError when there is none."""
    found = signed_with(document, chave=document.chave or "", digest_value=document.digest_value)
    if found is None:
        raise LookupError(f"document {document.pk} has no signed XML")
    return found


def signed_with(document: FiscalDocument, *, chave: str, digest_value: str) -> bytes | None:
    """The bytes that were signed for `document` under that key with that DigestValue, if ever.

    A document may have been signed more than once: corrected, dated again, in contingency.
    """
    rows = Archive.objects.filter(document=document, kind=Kind.SIGNED, name=nfe_name(chave))
    wanted = f"<DigestValue>{digest_value}</DigestValue>".encode()
    return next((xml for xml in map(read, rows.order_by("-id")) if wanted in xml), None)


def nfe_name(chave: str) -> str:
    """Published name of the document's XML (fiscal-api §1.10)."""
    return f"{chave}-nfe.xml"
