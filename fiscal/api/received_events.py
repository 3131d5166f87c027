"""/v2/nfes_recebidas/CHAVE/evento: what a recipient says beyond the manifestação (§8.1, §2.15)."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from fiscal.api.received_common import NfeNoteView
from fiscal.documents.nfe import events as kinds
from fiscal.models import EventState, Manifestation
from fiscal.services.event_adoption import LIVE
from fiscal.services.received import generic

NO_ANSWER = "A SEFAZ ainda não respondeu: o evento está em processamento."


class GenericView(NfeNoteView):
    """POST registers the event that `tipo_evento` names, DELETE takes its last one back."""

    def post(self, request: Any, chave: str) -> Response:
        return self._told(generic.register(self.note(chave).pk, self.body()))

    def delete(self, request: Any, chave: str) -> Response:
        return self._told(generic.cancel(self.note(chave).pk, self.body()))

    def _told(self, row: Manifestation) -> Response:
        """As the events of our own notes are told; a refusal is 200 and names the event."""
        told = {"status_sefaz": row.c_stat, "mensagem_sefaz": row.x_motivo or NO_ANSWER}
        if row.state == EventState.REGISTRADO:
            name = _name(row)
            told |= {
                "status": "autorizado",
                "numero_protocolo": row.protocolo,
                f"numero_{name}": str(row.n_seq),
            }
        elif row.state in LIVE:
            told["status"] = "processando_autorizacao"
        else:
            told |= {"status": "erro_autorizacao", "evento": str(self.body()["tipo_evento"])}
        shown: dict[str, Any] = {name: value for name, value in told.items() if value}
        return Response(shown, status=202 if row.state in LIVE else 200)


def _name(row: Manifestation) -> str:
    target = generic.target_of(row)[0] if row.tp_evento == kinds.CANCEL_EVENT else ""
    return kinds.answer_name(row.tp_evento, target=target)
