"""The journal of requests: what came, what was answered, which fault struck."""

from __future__ import annotations

from fiscal.sandbox import limits
from fiscal.sandbox.faults import Facts
from fiscal.sandbox.wire import Reply, Request
from fiscal.sandbox.world import Call

KEPT_REQUESTS = 30_000
PRUNED_EVERY = 1000


def enter(
    call: Call, request: Request, reply: Reply, facts: Facts, *, codes: list[str], elapsed: float
) -> None:
    """Enter one request before its answer leaves; `elapsed` in milliseconds."""
    call.world.store.insert(
        "pedidos",
        momento=call.now.timestamp(),
        caminho=request.target,
        autorizador=call.authority,
        servico=call.service,
        cuf=call.cuf,
        transmissor=call.sender.document if call.sender else "",
        chave=facts.chave,
        pedido=request.body,
        status=reply.status,
        resposta=reply.body,
        c_stat=" ".join(codes),
        falha=" ".join(fault.tipo for fault in call.faults),
        observacoes="\n".join(call.remarks),
        milissegundos=elapsed,
    )
    row = call.world.store.one("SELECT last_insert_rowid() AS id")
    if row is not None and row["id"] % PRUNED_EVERY == 0:
        call.world.store.prune(requests=KEPT_REQUESTS, uses_before=call.later(-2 * limits.HOUR))
