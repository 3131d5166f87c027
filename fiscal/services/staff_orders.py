"""What staff order of the engine that no client of the API may: its queues, ways and tokens."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.models import ApiToken
from accounts.services.audit import Actor, record
from accounts.services.tokens import create_token, digest, revoke_token
from fiscal.authorities import registry, tables
from fiscal.authorities.base import Misconfigured, Route
from fiscal.errors import InvalidRequest
from fiscal.models import Company, Contingency
from fiscal.services import authority_status, company_queue, contingency
from fiscal.services.certificates import credentials_of
from fiscal.services.companies import closed, opened
from lib.crypto import Unreadable
from lib.errors import Conflict

LEAST_REASON, MOST_REASON = 15, 256  # xJust of the layout


@transaction.atomic
def release_queue(company: Company, *, actor: Actor, now: datetime) -> int:
    """Let a stopped company go on at once (§8.4); answers how many documents are due now.

    What holds a document for another reason holds it again when it tries.
    """
    n = company_queue.resume(company, at=now)
    record(
        company.account, actor=actor, action="empresa.fila_liberada", target=company,
        after={"documentos": n},
    )  # fmt: skip
    return n


# --- contingency (CON-1) ----------------------------------------------------------------------


def enter_contingency(
    company: Company,
    *,
    ambiente: str,
    by_epec: bool,
    whole_uf: bool,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Contingency:
    """Send the NF-e of the company, or of its whole UF, to the SVC or by EPEC from now on.

    To the SVC only while it answers 107 for the UF: 114 is that the home authority has not opened
    it. `reason`, of 15 characters at least, becomes xJust. Must not be inside a transaction: it
    asks the SVC. Raises InvalidRequest for the reason, Conflict when there is a contingency already
    or that way is not open, CertificateExpired, NoCertificate.
    """
    if not LEAST_REASON <= len(reason) <= MOST_REASON:
        raise InvalidRequest(f"O motivo deve ter entre {LEAST_REASON} e {MOST_REASON} caracteres.")
    owner = None if whole_uf else company
    same = Contingency.objects.filter(
        uf=company.uf, modelo=contingency.NFE, ambiente=ambiente, company=owner, left_at=None
    )
    if same.exists():
        raise Conflict("Já está em contingência.")
    way = _epec if by_epec else _open_svc
    mode = way(company, ambiente=ambiente, now=now)
    with transaction.atomic():
        row = contingency.enter(
            uf=company.uf,
            modelo=contingency.NFE,
            ambiente=ambiente,
            mode=mode,
            reason=reason,
            by=actor.label[:100],
            company=owner,
            now=now,
        )
        _tell(company, row, "contingencia.aberta", actor)
    return row


def _open_svc(company: Company, *, ambiente: str, now: datetime) -> int:
    """tpEmis of the UF's SVC. Raises Conflict."""
    route = registry.svc_route(uf=company.uf, ambiente=ambiente)
    try:
        svc = registry.at(route, credentials_of(company, at=now))
        found = authority_status.refresh_status(svc, now=now)
    except Misconfigured as error:
        raise Conflict(f"A {route.authority} recusou a consulta: {error}") from error
    if found.c_stat != authority_status.UP:
        said = f"{found.c_stat} – {found.x_motivo}" if found.c_stat else "sem resposta"
        raise Conflict(
            f"A {route.authority} não está aberta para {company.uf} ({said}). Quem a abre é a "
            "SEFAZ de origem; pergunte de novo em 3 minutos."
        )
    return tables.state(company.uf).tp_emis_svc


def _epec(company: Company, *, ambiente: str, now: datetime) -> int:
    """tpEmis 4. Raises Conflict while the Ambiente Nacional is known to be silent (CON-5)."""
    an = Route(registry.AN, company.uf, contingency.NFE, ambiente)
    if not authority_status.may_call(an, now=now):
        raise Conflict("O Ambiente Nacional, que recebe EPEC, não está respondendo.")
    return int(Contingency.Mode.EPEC)


@transaction.atomic
def leave_contingency(row: Contingency, *, actor: Actor, now: datetime) -> None:
    """Back to the home authority. Raises Conflict when it is over already."""
    open_ = Contingency.objects.select_for_update().filter(pk=row.pk, left_at=None)
    if not open_.exists():
        raise Conflict("Esta contingência já foi encerrada.")
    contingency.leave(row, now=now)
    if row.company is not None:
        _tell(row.company, row, "contingencia.encerrada", actor)


def _tell(company: Company, row: Contingency, action: str, actor: Actor) -> None:
    known = {
        "uf": row.uf, "modelo": row.modelo, "ambiente": row.ambiente, "forma": row.mode,
        "toda_a_uf": row.company_id is None, "motivo": row.reason,
    }  # fmt: skip
    record(company.account, actor=actor, action=action, target=row, after=known)


# --- tokens -----------------------------------------------------------------------------------


@transaction.atomic
def renew_token(company: Company, *, ambiente: str, actor: Actor) -> str:
    """A new token of the company for that environment, in the place of the one in its record.

    Answers its text, which nobody is shown again. Raises Conflict for a removed company.
    """
    row: Company = Company.objects.select_for_update().get(pk=company.pk)
    if row.removed_at is not None:
        raise Conflict("A empresa foi excluída.")
    name = f"token_{ambiente}"
    for old in _recorded(row, getattr(row, name)):
        revoke_token(old.pk, account=row.account, actor=actor)
    _, raw = create_token(
        row.account,
        name=f"{row.nome[:80]} ({ambiente})",
        scope=ApiToken.Scope.FISCAL,
        company_cnpj=row.document,
        ambiente=ambiente,
        actor=actor,
    )
    setattr(row, name, closed(raw))
    row.save(update_fields=[name])
    after = {"ambiente": ambiente}
    record(row.account, actor=actor, action="empresa.token_trocado", target=row, after=after)
    return raw


def _recorded(company: Company, kept: str) -> list[ApiToken]:
    """The live token that the record holds; none when it cannot be read any more."""
    try:
        raw = opened(kept) if kept else ""
    except Unreadable:
        return []
    return list(
        ApiToken.objects.of(company.account).filter(digest=digest(raw), revoked_at=None)
        if raw
        else []
    )
