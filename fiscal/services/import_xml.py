"""Taking over an NF-e that was authorized elsewhere, by its XML (fiscal-api §2.12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.services.audit import Actor, record
from fiscal import access_key
from fiscal.access_key import KeyParts
from fiscal.errors import (
    AlreadyAuthorized,
    InProcessing,
    InvalidRequest,
    IssuerForbidden,
    NotEnabled,
)
from fiscal.models import WAITING, Archive, Company, FiscalDocument, State
from fiscal.services import archive, numbering
from fiscal.services.import_reading import MODELO, Imported, read_import, refuse_foreign
from fiscal.services.issue import refuse_ref
from lib.errors import FieldError

_TAKEN = 'Parâmetro "ref" inválido: já há uma nota com esta referência.'


@dataclass(frozen=True)
class Result:
    document: FiscalDocument
    is_new: bool


def import_nfe(
    company: Company, *, ambiente: str, raw: bytes, ref: str, actor: Actor, now: datetime
) -> Result:
    """Keep an authorized NF-e of `company` as a document, without certificate or authority.

    `raw` is nfeProc, or NFe and protNFe one after the other; `ref` is the key when empty. The same
    key again answers the document that is there. Raises NotEnabled, XmlInvalid for anything that
    is no genuine authorized NF-e of this environment, IssuerForbidden for another issuer's,
    InvalidRequest or AlreadyAuthorized when `ref` or number is another document's, InProcessing
    while the same document is being sent from here; nothing is kept then.
    """
    if not company.emits(MODELO):
        raise NotEnabled()
    found = read_import(raw)
    if found.issuer != company.document:
        fault = FieldError("cnpj_emitente", "A nota é de outro emitente.")
        raise IssuerForbidden(erros=[fault])
    refuse_foreign(found, ambiente=ambiente)
    ref = ref or access_key.nfe_id(found.chave)
    refuse_ref(ref, modelo=MODELO)
    try:
        return _keep(found, company, ambiente, ref, actor, now)
    except IntegrityError:
        return _keep_after_another(found, company, ambiente, ref, actor, now)


def _keep_after_another(
    found: Imported, company: Company, ambiente: str, ref: str, actor: Actor, now: datetime
) -> Result:
    """Another request took the key, the ref or the number meanwhile: what it wrote is seen now."""
    try:
        return _keep(found, company, ambiente, ref, actor, now)
    except IntegrityError as error:  # and so did a third
        raise InProcessing() from error


# --- keeping -----------------------------------------------------------------------------------


def _known(company: Company, ambiente: str, chave: str) -> FiscalDocument | None:
    """The document of that key, when it stands as what the XML says. Raises InProcessing."""
    row: FiscalDocument | None = (
        FiscalDocument.objects.filter(company=company, ambiente=ambiente, chave=chave)
        .select_related("company")
        .first()
    )
    if row is not None and row.state in (*WAITING, State.CONFLITO):
        raise InProcessing()
    if row is not None and row.state in (State.REJEITADO, State.INUTILIZADO):
        raise _refused("chave_nfe", "A nota consta aqui como não autorizada; consulte-a.")
    return row


@transaction.atomic
def _keep(
    found: Imported, company: Company, ambiente: str, ref: str, actor: Actor, now: datetime
) -> Result:
    known = _known(company, ambiente, found.chave)
    if known is not None:
        return Result(known, is_new=False)
    _refuse_taken(found, company, ambiente, ref)
    document = _document(found, company, ambiente, ref, now)
    archive.keep(
        document, Archive.Kind.IMPORTED, archive.nfe_name(found.chave), found.content, at=now
    )
    _catch_up(company, ambiente, found.key)
    record(company.account, actor=actor, action="nota.importada", target=document)
    return Result(document, is_new=True)


def _catch_up(company: Company, ambiente: str, key: KeyParts) -> None:
    """The series goes on behind the imported number (NUM-8). Its lock comes last, as at issue."""
    series = numbering.locked_series(company, ambiente=ambiente, modelo=MODELO, serie=key.serie)
    if series.next_number <= key.numero:
        series.next_number = key.numero + 1
        series.save(update_fields=["next_number"])


def _refuse_taken(found: Imported, company: Company, ambiente: str, ref: str) -> None:
    # The note itself may just have been imported by another request: that is no refusal.
    others = FiscalDocument.objects.exclude(chave=found.chave)
    rows = others.filter(company=company, ambiente=ambiente, modelo=MODELO)
    same = rows.filter(ref=ref, superseded_by=None).first()
    if same is not None:
        if same.state in WAITING:
            raise InProcessing()
        is_free = same.state == State.REJEITADO
        fault = FieldError("ref", "Já há uma nota com esta referência.")
        raise _refused("ref", _TAKEN) if is_free else AlreadyAuthorized(erros=[fault])
    if rows.filter(serie=found.key.serie, numero=found.key.numero).exists():
        raise _refused("numero", "Já há outra nota com este número e série.")


def _refused(campo: str, mensagem: str) -> InvalidRequest:
    return InvalidRequest(mensagem, erros=[FieldError(campo, mensagem)])


def _document(
    found: Imported, company: Company, ambiente: str, ref: str, now: datetime
) -> FiscalDocument:
    key, protocol = found.key, found.protocol
    named = (found.value("dest", tag) for tag in ("CNPJ", "CPF", "idEstrangeiro"))
    recipient = next(filter(None, named), "")
    return FiscalDocument.objects.create(
        account_id=company.account_id,
        company=company,
        ambiente=ambiente,
        modelo=MODELO,
        ref=ref,
        state=State.AUTORIZADO,
        serie=key.serie,
        numero=key.numero,
        chave=found.chave,
        cnf=key.cnf,
        tp_emis=key.tp_emis,
        dh_emi=found.moment,
        digest_value=found.verified.digest_value,
        protocolo=protocol.protocolo,
        authorized_at=protocol.dh_recbto,
        c_stat=protocol.c_stat,
        x_motivo=protocol.x_motivo,
        recipient_document=recipient[:20],
        recipient_name=found.value("dest", "xNome")[:60],
        recipient_email=found.value("dest", "email")[:60],
        total=found.total,
        is_imported=True,
        created_at=now,
    )
