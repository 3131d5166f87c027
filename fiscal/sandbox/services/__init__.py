"""The services of an authority, by the name that stands in the path."""

from __future__ import annotations

from collections.abc import Callable

from fiscal.sandbox import answers
from fiscal.sandbox.checks import message
from fiscal.sandbox.services import (
    authorisation,
    distribution,
    events,
    query,
    receipt,
    register,
    status,
    voiding,
)
from fiscal.sandbox.world import Call, Refused

HANDLERS: dict[str, Callable[[Call], str]] = {
    "status_servico": status.answer,
    "autorizacao": authorisation.answer,
    "ret_autorizacao": receipt.answer,
    "consulta_protocolo": query.answer,
    "inutilizacao": voiding.answer,
    "recepcao_evento": events.answer,
    "recepcao_epec": events.answer,
    "consulta_cadastro": register.answer,
    "distribuicao_dfe": distribution.answer,
}


def respond(call: Call, instead: Callable[[Call], str] | None = None) -> str:
    """The answer to a call; `instead` stands in for the service once the sender is accepted."""
    try:
        message.check_sender(call)
        return (instead or HANDLERS[call.service])(call)
    except Refused as refusal:
        return answers.refusal(call, refusal.c_stat, refusal.detail)
