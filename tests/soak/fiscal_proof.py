"""What must be true when a fiscal soak is over: the sandbox's books against ours."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from fiscal.models import (
    Archive,
    Attempt,
    EventState,
    FiscalDocument,
    FiscalEvent,
    HookNotice,
    Inutilizacao,
    Series,
    State,
    VoidState,
)
from fiscal.services import archive
from fiscal.services.gaps import gaps_of

Tell = Callable[..., Any]
FINAL = (State.AUTORIZADO, State.CANCELADO, State.INUTILIZADO)
AUTHORIZED = (State.AUTORIZADO, State.CANCELADO)
PAGE = 1000


class Wrong(Exception):
    """What should not be; the text says where."""


def prove(tell: Tell, documents: int) -> None:
    """Raise Wrong for the first thing that is not as it must be."""
    rows = list(FiscalDocument.objects.order_by("pk"))
    _every_sale_is_decided(rows, documents)
    _same_documents(tell, rows)
    _same_events(tell)
    _same_voidings(tell)
    _every_number_has_one_use(rows)
    _nothing_is_open(rows)
    _told_once(rows)
    _limits_were_kept(tell)


def _every_sale_is_decided(rows: list[FiscalDocument], documents: int) -> None:
    answering = Counter(row.ref for row in rows if row.superseded_by_id is None)
    if set(answering) != {f"s{n}" for n in range(documents)} or max(answering.values()) > 1:
        raise Wrong(f"{len(answering)} refs respondem por {documents}")
    if odd := Counter(row.state for row in rows if row.state not in FINAL):
        raise Wrong(f"sem situação final: {dict(odd)}")


def _same_documents(tell: Tell, rows: list[FiscalDocument]) -> None:
    """Key by key: protocol, standing, and the digest of the very bytes."""
    there = {
        row["chave"]: (row["protocolo"], row["situacao"], _digest(b64decode(row["xml"])))
        for row in tell("GET", "documentos?xml=1")
    }
    here = {
        row.chave: (row.protocolo, row.state, _digest(_authorized(row)))
        for row in rows
        if row.state in AUTHORIZED
    }
    _equal("documentos", there, here)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _authorized(document: FiscalDocument) -> bytes:
    """The signed bytes inside of the one authorized file, which must carry the protocol too."""
    signed = archive.signed_xml(document)
    kept = Archive.objects.filter(document=document, kind=Archive.Kind.AUTHORIZED)
    if len(kept) != 1:
        raise Wrong(f"{document.chave}: {len(kept)} XML autorizados")
    content = archive.read(kept[0])
    if signed not in content or f"<nProt>{document.protocolo}</nProt>".encode() not in content:
        raise Wrong(f"{document.chave}: o XML autorizado não é o assinado com o seu protocolo")
    return signed


def _same_events(tell: Tell) -> None:
    there = {
        (row["chave"], row["tipo"], row["sequencia"]): row["protocolo"]
        for row in tell("GET", "eventos")
    }
    registered = FiscalEvent.objects.filter(state=EventState.REGISTRADO)
    here = {
        (row.document.chave, row.tp_evento, row.n_seq): row.protocolo
        for row in registered.select_related("document")
    }
    _equal("eventos", there, here)


def _same_voidings(tell: Tell) -> None:
    """By range: 563 names no protocol, so one that was found done may be without."""
    rows = Inutilizacao.objects.select_related("company")
    if odd := [row for row in rows if row.state != VoidState.HOMOLOGADA]:
        raise Wrong(f"{len(odd)} inutilizações não homologadas")
    here = {
        (row.company.cnpj, str(row.modelo), str(row.serie), row.first, row.last) for row in rows
    }
    there = {
        (row["documento"], row["modelo"], row["serie"], row["inicial"], row["final"])
        for row in tell("GET", "inutilizacoes")
    }
    _equal("inutilizações", dict.fromkeys(there), dict.fromkeys(here))


def _equal(what: str, there: dict[Any, Any], here: dict[Any, Any]) -> None:
    only_there, only_here = sorted(set(there) - set(here)), sorted(set(here) - set(there))
    differ = [(key, there[key], here[key]) for key in set(there) & set(here)]
    differ = [each for each in differ if each[1] != each[2]]
    if only_there or only_here or differ:
        raise Wrong(
            f"{what}: só lá {len(only_there)} {only_there[:3]}, só aqui {len(only_here)} "
            f"{only_here[:3]}, diferentes {len(differ)} {differ[:3]}"
        )


def _every_number_has_one_use(rows: list[FiscalDocument]) -> None:
    """Authorized, cancelled or voided, each number of a series exactly once, without a gap."""
    for series in Series.objects.select_related("company"):
        key = (series.company_id, series.modelo, series.serie)
        mine = [row for row in rows if (row.company_id, row.modelo, row.serie) == key]
        used = [row.numero for row in mine if row.state in AUTHORIZED]
        uses = Counter([*used, *_voided(series)])
        if uses != Counter(range(1, series.next_number)):
            raise Wrong(f"{series}: {Counter(range(1, series.next_number)) - uses} {uses}"[:300])
        if gaps_of(series):
            raise Wrong(f"lacunas em {series}: {gaps_of(series)[:5]}")


def _voided(series: Series) -> Iterator[int]:
    rows = Inutilizacao.objects.filter(
        company=series.company, ambiente=series.ambiente, modelo=series.modelo,
        serie=series.serie, state=VoidState.HOMOLOGADA,
    )  # fmt: skip
    for row in rows:
        yield from range(row.first, row.last + 1)


def _nothing_is_open(rows: list[FiscalDocument]) -> None:
    unknown = (Attempt.Outcome.OPEN, Attempt.Outcome.LOST)
    left = Attempt.objects.filter(kind=Attempt.Kind.AUTHORIZE, outcome__in=unknown).count()
    still = Attempt.objects.filter(outcome=Attempt.Outcome.OPEN).count()
    if left or still:
        raise Wrong(f"{left} tentativas sem desfecho, {still} abertas")


def _told_once(rows: list[FiscalDocument]) -> None:
    """An NF-e that nothing but its authorization was said of has one notice."""
    told = Counter(
        HookNotice.objects.filter(hook__event="nfe").values_list("document_id", flat=True)
    )
    refused = Counter(
        Attempt.objects.filter(outcome=Attempt.Outcome.ANSWERED, document__modelo=55)
        .exclude(c_stat__in=("100", "150", "103", "204"))
        .values_list("document_id", flat=True)
    )
    for row in rows:
        is_plain = row.modelo == 55 and row.state == State.AUTORIZADO and not refused[row.pk]
        if is_plain and not hasattr(row, "supersedes") and told[row.pk] != 1:
            raise Wrong(f"{row.ref}: {told[row.pk]} avisos de uma autorização")


def journal(tell: Tell) -> Iterator[dict[str, Any]]:
    """Every request that the sandbox received."""
    after = 0
    while page := tell("GET", f"pedidos?desde={after}"):
        yield from page
        after = page[-1]["id"]


def _limits_were_kept(tell: Tell) -> None:
    """§8.6: no 656 but those that a fault told."""
    ours = [
        row["caminho"] for row in journal(tell)
        if "656" in row["c_stat"].split() and "consumo_indevido" not in row["falha"]
    ]  # fmt: skip
    if ours:
        raise Wrong(f"{len(ours)} vezes 656: {Counter(ours).most_common(3)}")


def totals() -> str:
    """How many documents are in which state."""
    states = Counter(FiscalDocument.objects.values_list("state", flat=True))
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
