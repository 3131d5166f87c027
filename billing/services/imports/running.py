"""The use case: import a file of contracts, all or nothing, or with the bad ones left out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import record
from billing.models import Party
from billing.services.contracts import cancel_contract
from billing.services.imports.comparing import compare
from billing.services.imports.context import Context, load
from billing.services.imports.reading import Group, Reading, read_file
from billing.services.imports.rejecting import count_rejected, write_rejected
from billing.services.imports.report import Counts, Fault, ImportOptions, ImportReport
from billing.services.imports.writing import write
from billing.services.materialise import materialise
from billing.services.rules import reapply_rule
from lib import br, clock
from lib.errors import Conflict, DomainError, InvalidInput
from lib.money import CENT
from lib.tabular import Limits

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]  # step in pt-BR, done, total (0: unknown)

_LINES_PER_BATCH = 1000
_RULES_PER_STEP = 1000
READING, WRITING = "Lendo", "Gravando"
FOLLOWING, BILLING = "Atualizando faturas", "Criando faturas"


class _Undo(Exception):
    """Leave the transaction without keeping anything of it."""


def import_file(
    account: Account,
    path: Path,
    *,
    options: ImportOptions = ImportOptions(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> ImportReport:
    """Import the contracts of a CSV or XLSX (docs/import.md) and create their invoices.

    With faults nothing is written, unless `partial`: then the contracts at fault are left out
    whole, their lines written to a file ready to correct. Everything is one transaction; invoices
    of new rules come after it, in batches that commit whole, so a run cut there loses nothing: the
    nightly run creates the rest. Raises BadFile for a file that cannot be read, InvalidInput for
    wrong options, Conflict when another change got in the way.
    """
    say = progress or (lambda step, done, total: None)
    organization = _organization(account, options.organization)
    limits = Limits(size=settings.IMPORT_MAX_BYTES)
    reading = read_file(path, limits=limits, progress=lambda n: say(READING, n, 0))
    try:
        context = _context(account, organization, options, reading)
        _import(context, path, say)
    finally:
        reading.spool.close()
    if context.report.was_imported and options.create_invoices:
        _create_invoices(context, say)
    return context.report


def _organization(account: Account, cnpj: str) -> Party:
    """The issuer of the contracts: the one asked for, or the account's only one."""
    found = Party.objects.of(account).filter(kind=Party.Kind.ORGANIZATION).order_by("id")
    if cnpj:
        chosen = found.filter(document=br.normalise_document(cnpj)).first()
        if chosen is None:
            raise InvalidInput(f"A conta não tem organização com o CNPJ {cnpj}.")
        return chosen
    rows = list(found[:20])
    if not rows:
        raise InvalidInput("A conta não tem organização. Cadastre a empresa que emite as faturas.")
    if len(rows) > 1:
        names = "; ".join(f"{br.cnpj_mask(row.document)} {row.name}" for row in rows)
        raise InvalidInput(f"A conta tem várias organizações; informe o CNPJ de uma: {names}.")
    return rows[0]


def _context(
    account: Account, organization: Party, options: ImportOptions, reading: Reading
) -> Context:
    profile = getattr(organization, "profile", None)
    report = ImportReport(lines=len(reading.spool), dry_run=options.dry_run)
    return Context(
        account=account,
        organization=organization,
        minimum=(profile.minimum_receivable if profile else CENT) or CENT,
        options=options,
        reading=reading,
        report=report,
        today=options.today or clock.today(account.time_zone),
        now=clock.now(),
    )


def _import(context: Context, path: Path, say: Progress) -> None:
    """The transaction: write batch by batch, then decide whether to keep it."""
    try:
        with transaction.atomic():
            # Two imports of an account would not see each other's new codes. `no_key` lets the
            # rest of the account work meanwhile: a full lock would stop every new row of it.
            Account.objects.select_for_update(no_key=True).get(pk=context.account.pk)
            done = 0
            for batch in _batches(context.reading.groups()):
                _process(batch, context)
                done += len(batch)
                say(WRITING, done, len(context.reading.lines_of))
            _follow(context, say)
            _conclude(context, path)
    except _Undo:
        pass
    except IntegrityError as error:
        log.warning("import.conflict", extra={"account_id": context.account.pk})
        if context.report.rejected_path:
            Path(context.report.rejected_path).unlink(missing_ok=True)
        raise Conflict(
            "Outra pessoa mudou os mesmos cadastros durante a importação. Nada foi gravado; "
            "importe de novo."
        ) from error
    finally:
        context.report.faults = sorted(context.reading.faults, key=lambda fault: fault.line)
        context.report.warnings = sorted(context.reading.warnings, key=lambda fault: fault.line)


def _batches(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """Whole contracts, about a thousand lines at a time."""
    batch: list[Group] = []
    n_lines = 0
    for group in groups:
        batch.append(group)
        n_lines += group.n_lines
        if n_lines >= _LINES_PER_BATCH:
            yield batch
            batch, n_lines = [], 0
    if batch:
        yield batch


def _process(batch: list[Group], context: Context) -> None:
    found = load(batch, context)
    compare(batch, found, context)
    if context.may_write:
        rejected = context.reading.rejected
        write([group for group in batch if group.code not in rejected], found, context)


def _follow(context: Context, say: Progress) -> None:
    """What hangs on the changes and must not be left behind by a crash after the commit."""
    if not context.may_write:
        return
    account, report = context.account, context.report
    moved = set(context.rescheduled)
    changed = sorted(moved | set(context.rewritten))
    for done_before, rule_id in enumerate(changed):
        say(FOLLOWING, done_before, len(changed))
        try:
            done = reapply_rule(
                rule_id, account=account, reschedule=rule_id in moved, today=context.today
            )
        except DomainError as error:
            line = context.lines_of_rules[rule_id]
            context.reading.faults.append(Fault(line, "codigo_regra", "", error.mensagem))
            _clear(report)
            raise _Undo from error
        report.invoices_created += done.created
        report.parked |= done.parked
    for item in context.cancellations:
        cancel_contract(
            item.contract_id,
            account=account,
            on=item.on,
            reason=item.reason,
            actor=context.options.actor,
        )
        report.cancelled += 1


def _conclude(context: Context, path: Path) -> None:
    """Keep the work, or undo it: faults without `partial`, or a dry run."""
    options, report = context.options, context.report
    if context.reading.faults and not options.partial:
        _clear(report)
        raise _Undo
    _count_retroactive(context)
    report.rejected_lines = count_rejected(context.reading)
    if options.dry_run:
        raise _Undo
    if report.rejected_lines:
        report.rejected_path = str(write_rejected(context.reading, path, options.rejected_path))
    report.was_imported = True
    record(
        context.account,
        actor=options.actor,
        action="importacao.concluida",
        target=context.account,
        after={"sha256": _sha256(path), **report.totals()},
    )


def _clear(report: ImportReport) -> None:
    """Nothing was written, so nothing is counted."""
    report.customers, report.contracts, report.rules = Counts(), Counts(), Counts()
    report.services_created = report.cancelled = report.retroactive = report.invoices_created = 0


def _count_retroactive(context: Context) -> None:
    n = context.report.retroactive
    if n:
        message = f"{n} fatura(s) nova(s) terão data de emissão no passado."
        context.reading.warnings.append(Fault(0, "", "", message))


def _create_invoices(context: Context, say: Progress) -> None:
    rules, report = context.created_rules, context.report
    for start in range(0, len(rules), _RULES_PER_STEP):
        done = materialise(context.account, rule_ids=rules[start : start + _RULES_PER_STEP])
        report.invoices_created += done.created
        report.parked |= done.parked
        say(BILLING, min(start + _RULES_PER_STEP, len(rules)), len(rules))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
