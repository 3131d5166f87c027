"""Companies: creating, changing and removing them, and what documents take from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account, ApiToken
from accounts.services.audit import Actor, record
from accounts.services.tokens import create_token, revoke_token
from fiscal.certificates import BadCertificate, Opened, WrongPassword
from fiscal.documents.types import Csc, Issuer
from fiscal.errors import InProcessing, InvalidRequest, RecordFault, RecordInvalid
from fiscal.models import WAITING, Company, OrderState, ServiceOrder
from fiscal.selectors import service_notes
from fiscal.services import certificates, company_queue
from fiscal.services.company_fields import (
    AMBIENTES,
    ATTRIBUTES,
    CSC_COLUMNS,
    MODELOS,
    OWN_CERTIFICATE,
    SERVICES,
)
from fiscal.services.company_values import Sent, apply, fault, read_body, rule_faults
from fiscal.services.nfse import numbering as service_numbering
from fiscal.services.numbering import default_serie, set_next_number
from lib.crypto import decrypt, encrypt

PURPOSE = "fiscal.company"
HIDDEN = "[removido]"  # what the trail keeps instead of a secret


# --- what documents take ---------------------------------------------------------------------


def issuer_of(company: Company) -> Issuer:
    """What the record gives to a document that leaves it out."""
    return Issuer(**{name: getattr(company, name) for name in Issuer.__dataclass_fields__})


def csc_of(company: Company, ambiente: str) -> Csc | None:
    """The NFC-e security code of an environment; None when it is not set up."""
    code: str = getattr(company, f"csc_nfce_{ambiente}")
    number: str = getattr(company, f"id_token_nfce_{ambiente}")
    if not code or not number:
        return None
    # QR-1: the id enters the code without leading zeros.
    return Csc(id=number.lstrip("0") or "0", code=opened(code))


def option(company: Company, name: str) -> Any:
    """An attribute that only the record has (orientacao_danfe, recibo_danfe…), or its default."""
    value = company.options.get(name)
    return ATTRIBUTES[name].initial if value is None else value


def closed(text: str) -> str:
    """A secret of a company as its row keeps it."""
    return encrypt(text, purpose=PURPOSE)


def opened(text: str) -> str:
    """A secret of a company, read back. Raises Unreadable."""
    return decrypt(text, purpose=PURPOSE)


# --- use cases -------------------------------------------------------------------------------


@contextmanager
def rehearsal(is_rehearsed: bool) -> Iterator[None]:
    """Undo at the end whatever the block did, when it was only a rehearsal (`dry_run=1`)."""
    with transaction.atomic():
        yield
        if is_rehearsed:
            transaction.set_rollback(True)


@transaction.atomic
def create_company(
    account: Account, *, body: dict[str, Any], actor: Actor, at: datetime
) -> Company:
    """Create a company from the attributes of §14.2, with one token per environment.

    Without a certificate of its own it takes the one that its CNPJ base has. Raises RecordInvalid
    with every fault of the body.
    """
    company = Company(account=account)
    sent = read_body(body)
    certificate = _check(company, sent, at=at)
    _keep_secrets(company, sent)
    try:
        with transaction.atomic():
            company.save()
    except IntegrityError as error:
        name = "cnpj" if company.cnpj else "cpf"
        raise RecordInvalid(erros=[fault(name, "já é de outra empresa desta conta")]) from error
    _settle(company, sent, certificate, actor=actor, at=at)
    if certificate is None:
        certificates.inherit(company, at=at, actor=actor)
    _give_tokens(company, actor=actor)
    known = _told(sent)
    record(account, actor=actor, action="empresa.criada", target=company, after=known)
    return company


@transaction.atomic
def change_company(
    company_id: int, *, account: Account, body: dict[str, Any], actor: Actor, at: datetime
) -> Company:
    """Change what `body` names; what it leaves out stays. Raises RecordInvalid, NotFound."""
    company = _locked(company_id, account=account)
    sent = read_body(body)
    before = {name: getattr(company, name) for name in sent.columns}
    before |= {name: company.options.get(name) for name in sent.options}
    certificate = _check(company, sent, at=at)
    _keep_secrets(company, sent)
    company.save()
    _settle(company, sent, certificate, actor=actor, at=at)
    after = {key: value for key, value in _told(sent).items() if before.get(key) != value}
    if after:
        earlier = {key: before[key] for key in after if key in before}
        record(
            account,
            actor=actor,
            action="empresa.alterada",
            target=company,
            before=earlier,
            after=after,
        )
    if after or certificate is not None:
        company_queue.resume(company, at=at)
    return company


@transaction.atomic
def remove_company(company_id: int, *, account: Account, actor: Actor, at: datetime) -> Company:
    """Take a company away for good: its tokens, certificates and secrets are gone.

    Its documents stay for the time the law asks for, without an API that reaches them. Raises
    InProcessing while a document waits for its authority, which needs the certificate.
    """
    company = _locked(company_id, account=account)
    if _has_waiting(company):
        raise InProcessing("Há documentos desta empresa em processamento.")
    tokens = ApiToken.objects.of(account).filter(
        scope=ApiToken.Scope.FISCAL, company_cnpj=company.document, revoked_at=None
    )
    for token in tokens:
        revoke_token(token.pk, account=account, actor=actor)
    certificates.remove_all(company)
    for name in (*CSC_COLUMNS, "token_producao", "token_homologacao"):
        setattr(company, name, "")
    company.closed, company.removed_at = {}, at
    company.save()
    known = {"nome": company.nome, "documento": company.document}
    record(account, actor=actor, action="empresa.excluida", target=company, before=known)
    return company


def _has_waiting(company: Company) -> bool:
    """Does something of the company still have to be sent or asked about?"""
    decided = (OrderState.REGISTRADO, OrderState.REJEITADO)
    return (
        company.documents.filter(state__in=WAITING).exists()
        or company.service_notes.filter(state__in=service_notes.WAITING).exists()
        or ServiceOrder.objects.filter(note__company=company).exclude(state__in=decided).exists()
    )


# --- pieces ----------------------------------------------------------------------------------


def _locked(company_id: int, *, account: Account) -> Company:
    # Not against those who only refer to the row: documents, and certificates of its base.
    found: Company = Company.objects.select_for_update(no_key=True).get_of(
        account, pk=company_id, removed_at=None
    )
    return found


def _check(company: Company, sent: Sent, *, at: datetime) -> Opened | None:
    """Set what was sent on the row and open the certificate. Raises RecordInvalid."""
    before = dict(company.options)
    apply(company, sent)
    faults = [*sent.faults, *rule_faults(company, sent)]
    certificate = None
    try:
        certificate = _certificate(company, sent, at=at)
    except BadCertificate as error:
        is_password = isinstance(error, WrongPassword)
        campo = "senha_certificado" if is_password else "arquivo_certificado_base64"
        faults.append(RecordFault(campo, error.mensagem))
    else:
        faults += _lacking_certificate(company, before, certificate)
    if faults:
        raise RecordInvalid(erros=list(faults))
    return certificate


def _lacking_certificate(
    company: Company, before: dict[str, Any], certificate: Opened | None
) -> list[RecordFault]:
    """What is turned on now and asks for a certificate of this very CNPJ."""
    turned_on = [
        name for name in OWN_CERTIFICATE if company.options.get(name) and not before.get(name)
    ]
    has_one = certificate is not None and certificate.document == company.document
    if not turned_on or has_one:
        return []
    kept = company.certificates.filter(document=company.document) if company.pk else None
    if kept is not None and kept.exists():
        return []
    return [fault(name, "precisa de um certificado deste CNPJ") for name in turned_on]


def _certificate(company: Company, sent: Sent, *, at: datetime) -> Opened | None:
    if not sent.pfx or sent.password is None or not company.document:
        return None
    return certificates.read_upload(company, sent.pfx, sent.password, at=at)


def _keep_secrets(company: Company, sent: Sent) -> None:
    """Closed; blank forgets one."""
    for name, text in sent.secrets.items():
        if name in CSC_COLUMNS:
            setattr(company, name, closed(text) if text else "")
        elif text:
            company.closed = {**company.closed, name: closed(text)}
        else:
            company.closed = {key: kept for key, kept in company.closed.items() if key != name}
    if sent.removes_logo:
        company.logo = None
    elif sent.logo:
        company.logo = sent.logo


def _settle(
    company: Company, sent: Sent, certificate: Opened | None, *, actor: Actor, at: datetime
) -> None:
    """What is kept in rows of their own: numbers and the certificate."""
    faults = []
    for (kind, ambiente), number in sorted(sent.numbers.items()):
        try:
            _number(company, kind, ambiente, number)
        except InvalidRequest as error:
            faults.append(fault(f"proximo_numero_{kind}_{ambiente}", error.mensagem))
    if faults:
        raise RecordInvalid(erros=list(faults))
    if certificate is not None:
        certificates.keep(company, certificate, actor=actor, at=at)


def _number(company: Company, kind: str, ambiente: str, number: int) -> None:
    """Where the company's own series goes on. Raises InvalidRequest for a number used already."""
    if kind in SERVICES:
        service_numbering.set_next_number(company, kind=kind, ambiente=ambiente, number=number)
        return
    modelo = MODELOS[kind]
    serie = default_serie(company, ambiente=ambiente, modelo=modelo)
    set_next_number(company, ambiente=ambiente, modelo=modelo, serie=serie, number=number)


def _give_tokens(company: Company, *, actor: Actor) -> None:
    for ambiente in AMBIENTES:
        _, raw = create_token(
            company.account,
            name=f"{company.nome[:80]} ({ambiente})",
            scope=ApiToken.Scope.FISCAL,
            company_cnpj=company.document,
            ambiente=ambiente,
            actor=actor,
        )
        setattr(company, f"token_{ambiente}", closed(raw))
    company.save(update_fields=["token_producao", "token_homologacao"])


def _told(sent: Sent) -> dict[str, Any]:
    """What the trail tells of a body; secrets and files by name alone."""
    numbers = {f"proximo_numero_{kind}_{where}": n for (kind, where), n in sent.numbers.items()}
    hidden = [*sent.secrets, *(["arquivo_logo_base64"] if sent.logo else [])]
    hidden += ["delete_logo"] if sent.removes_logo else []
    return {**sent.columns, **sent.options, **numbers, **dict.fromkeys(hidden, HIDDEN)}
