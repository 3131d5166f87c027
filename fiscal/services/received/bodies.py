"""Received documents as the API and gatilhos tell them (fiscal-api §7, §8.2, §13.3)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from fiscal.documents.nfe import showing
from fiscal.models import (
    DistributionCursor,
    HookNotice,
    ReceivedDocument,
    ReceivedNfe,
    ReceivedNfse,
)
from fiscal.services import archive
from fiscal.services.received import files
from lib.clock import SAO_PAULO

_Object = dict[str, str] | None
_SUMMARY = (
    "numero", "numero_rps", "serie_rps", "data_emissao", "data_emissao_rps", "codigo_verificacao",
    "valor_servicos", "documento_prestador", "nome_prestador", "inscricao_municipal_prestador",
    "nome_municipio", "sigla_uf", "codigo_municipio", "documento_tomador", "url", "url_xml",
)  # fmt: skip


def told_of_received(notice: HookNotice) -> dict[str, Any] | None:
    """The body of a notice about a received document; None for a notice about something else."""
    if notice.received_nfe is not None:
        return nfe_entry(notice.received_nfe)
    if notice.received_nfse is not None:
        return nfse_entry(notice.received_nfse)
    return failure(notice.distribution) if notice.distribution is not None else None


def nfe_entry(row: ReceivedNfe) -> dict[str, Any]:
    """§8.2, every name of it; `null` where nothing is known."""
    return {
        "nome_emitente": row.issuer_name or None,
        "documento_emitente": row.issuer_document or None,
        "cnpj_destinatario": row.recipient_document or None,
        "chave_nfe": row.chave,
        "valor_total": _money(row.total),
        "data_emissao": moment(row.issued_at),
        "situacao": row.situacao,
        "manifestacao_destinatario": row.manifestacao or None,
        "nfe_completa": row.is_complete,
        "tipo_nfe": None if row.tp_nf is None else str(row.tp_nf),
        "versao": row.versao,
        "digest_value": row.digest_value or None,
        "numero_carta_correcao": _text(row.correction_number),
        "carta_correcao": row.correction_text or None,
        "data_carta_correcao": moment(row.corrected_at),
        "data_cancelamento": moment(row.cancelled_at),
        "justificativa_cancelamento": row.cancellation_reason or None,
    }


def nfe_complete(row: ReceivedNfe) -> dict[str, Any]:
    """`completa=1`: the entry and the six objects; `null` for those that did not come."""
    whole = files.whole(row)
    raw = archive.unpacked(whole.content) if whole is not None else b""
    letter, end = files.correction(row), files.cancellation(row)
    asked_letter, told_letter = _event_objects(letter)
    asked_end, told_end = _event_objects(end)
    return nfe_entry(row) | {
        "requisicao_nota_fiscal": showing.requisicao_nota_fiscal(raw) if raw else None,
        "protocolo_nota_fiscal": showing.protocolo_nota_fiscal(raw) if raw else None,
        "requisicao_carta_correcao": asked_letter,
        "protocolo_carta_correcao": told_letter,
        "requisicao_cancelamento": asked_end,
        "protocolo_cancelamento": told_end,
    }


def _event_objects(kept: ReceivedDocument | None) -> tuple[_Object, _Object]:
    return showing.event_objects(archive.unpacked(kept.content)) if kept else (None, None)


def nfse_entry(row: ReceivedNfse, *, completa: bool = False) -> dict[str, Any]:
    """§7: the summary, or the extended body; identity and state are the row's."""
    own = {"chave": row.chave, "versao": row.versao, "status": row.status}
    if completa:
        return own | dict(row.body.get("completa", {}))
    summary = row.body.get("resumo", {})
    return own | {name: summary.get(name) for name in _SUMMARY}


def failure(cursor: DistributionCursor) -> dict[str, Any]:
    """The reference leaves this body open: who asked, since when nothing came, and why."""
    company = cursor.company
    owner = {"cnpj": company.cnpj} if company.cnpj else {"cpf": company.cpf}
    return {
        **owner,
        "ambiente": cursor.ambiente,
        "mensagem": cursor.last_error,
        "ultima_consulta": moment(cursor.asked_at),
        "ultima_resposta": moment(cursor.answered_at),
        "proxima_consulta": moment(cursor.next_at),
    }


def moment(at: datetime | None) -> str | None:
    """In São Paulo's time, with its offset."""
    return at.astimezone(ZoneInfo(SAO_PAULO)).isoformat(timespec="seconds") if at else None


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
