"""A document as the API answers it (fiscal-api §1.10, §2.3, §2.4, §3.3 to §3.6)."""

from __future__ import annotations

import re
from typing import Any

from fiscal.documents.nfe import showing
from fiscal.models import (
    PUBLISHED,
    Archive,
    Company,
    EventState,
    FiscalDocument,
    Inutilizacao,
    State,
)
from fiscal.selectors import documents as selectors
from fiscal.selectors.events import epec_of
from fiscal.services import archive
from fiscal.services.event_adoption import published_name

_TOLD = (State.AUTORIZADO, State.CANCELADO, State.DENEGADO)
_PENDING = (State.CONTINGENCIA, State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO)
_QRCODE = re.compile(rb"<qrCode>(?:<!\[CDATA\[)?([^<\]]+)(?:\]\]>)?</qrCode>")
_URL = re.compile(rb"<urlChave>([^<]+)</urlChave>")


def is_pending_offline(document: FiscalDocument) -> bool:
    """Issued offline, in the buyer's hands, and not yet (known) at the authority."""
    return document.is_offline and document.state in _PENDING


def status_of(document: FiscalDocument) -> str:
    """§2.4; what is issued offline is `autorizado` while it is being delivered (§3.3)."""
    if is_pending_offline(document):
        return PUBLISHED[State.AUTORIZADO]
    return document.status


def shown(document: FiscalDocument, *, completa: bool = False) -> dict[str, Any]:
    """The body of POST and GET; absent values are left out."""
    body = _identity(document) | _answer(document)
    if _is_told(document):
        body |= _numbers(document) | _files(document)
    if document.is_epec:
        body |= _announcement(document)
    if document.modelo == 65:
        body |= _consumer(document)
    body |= _earlier(document)
    if completa:
        body |= complete(document)
    return {name: value for name, value in body.items() if value not in ("", None)}


def _is_told(document: FiscalDocument) -> bool:
    return document.state in _TOLD or _is_out(document)


def _is_out(document: FiscalDocument) -> bool:
    """Printed and valid without an authorization: issued offline, or announced by EPEC."""
    return is_pending_offline(document) or document.is_announced


def _announcement(document: FiscalDocument) -> dict[str, Any]:
    """CON-5: issued under an EPEC; the DANFE is valid before the authority has the NF-e."""
    event = epec_of(document)
    if event is None or event.state != EventState.REGISTRADO:
        return {}
    name = published_name(document, event)
    return {
        "contingencia_epec": True,
        "contingencia_epec_efetivada": document.state in _TOLD,
        "protocolo_epec": event.protocolo,
        "caminho_xml_epec": event_path(document, name),
    }


def _identity(document: FiscalDocument) -> dict[str, Any]:
    company = document.company
    issuer = {"cnpj_emitente": company.cnpj} if company.cnpj else {"cpf_emitente": company.cpf}
    return {**issuer, "ref": document.ref, "status": status_of(document)}


def _answer(document: FiscalDocument) -> dict[str, Any]:
    """After an event the last one speaks (§2.4)."""
    event = selectors.last_event(document) if document.state in _TOLD else None
    said = event or document
    if is_pending_offline(document):
        return {"status_sefaz": "100", "mensagem_sefaz": "Emitida em contingência"}
    return {"status_sefaz": said.c_stat, "mensagem_sefaz": said.x_motivo}


def _numbers(document: FiscalDocument) -> dict[str, Any]:
    return {
        "serie": str(document.serie),
        "numero": str(document.numero),
        "chave_nfe": f"NFe{document.chave}",
        "protocolo": document.protocolo,
    }


def _files(document: FiscalDocument) -> dict[str, Any]:
    files: dict[str, Any] = {"caminho_xml_nota_fiscal": xml_path(document)}
    if document.state == State.AUTORIZADO or _is_out(document):
        files["caminho_danfe"] = danfe_path(document)
    if document.state == State.CANCELADO:
        files["caminho_xml_cancelamento"] = event_path(document, f"{document.chave}-can.xml")
        event = selectors.last_event(document)
        if document.modelo == 65 and event is not None:
            files["numero_protocolo"] = event.protocolo
    return files | _correction(document)


def _correction(document: FiscalDocument) -> dict[str, Any]:
    event = selectors.last_carta_correcao(document) if document.modelo == 55 else None
    if event is None:
        return {}
    name = f"{document.chave}-cce-{event.n_seq:02d}.xml"
    return {
        "caminho_xml_carta_correcao": event_path(document, name),
        "caminho_pdf_carta_correcao": correction_path(document, event.n_seq),
        "numero_carta_correcao": event.n_seq,
    }


def _consumer(document: FiscalDocument) -> dict[str, Any]:
    if not _is_told(document):
        return {}
    found = selectors.shown_xml(document)
    xml = archive.read(found) if found else b""
    told: dict[str, Any] = {
        "qrcode_url": _first(_QRCODE, xml),
        "url_consulta_nf": _first(_URL, xml),
    }
    if document.is_offline:
        told["contingencia_offline"] = True
        told["contingencia_offline_efetivada"] = document.is_effected
    return told


def _first(pattern: re.Pattern[bytes], xml: bytes) -> str:
    found = pattern.search(xml)
    return found[1].decode().replace("&amp;", "&") if found else ""


# --- earlier attempts of the same sale ---------------------------------------------------------


def _earlier(document: FiscalDocument) -> dict[str, Any]:
    """§2.5 and §3.4: `tentativa_anterior`; §3.6: `tentativas_anteriores`."""
    rows = selectors.earlier_attempts(document)
    if not rows:
        return {}
    if document.modelo == 65 and not document.is_offline:
        return {"tentativas_anteriores": [_attempt(row) for row in rows]}
    return {"tentativa_anterior": _attempt(rows[-1])}


def _attempt(document: FiscalDocument) -> dict[str, Any]:
    told: dict[str, Any] = {
        "status": status_of(document),
        "serie": str(document.serie or ""),
        "numero": str(document.numero or ""),
        "chave_nfe": f"NFe{document.chave}" if document.chave else "",
        "protocolo": document.protocolo,
    }
    if document.state in _TOLD:
        told |= _files(document)
        told.pop("caminho_danfe", None)
    return {name: value for name, value in told.items() if value}


# --- completa=1 --------------------------------------------------------------------------------


def complete(document: FiscalDocument) -> dict[str, Any]:
    """The six objects of `completa=1`; those that do not exist are left out."""
    found = selectors.shown_xml(document)
    if found is None:
        return {}
    xml = archive.read(found)
    body: dict[str, Any] = {
        "requisicao_nota_fiscal": showing.requisicao_nota_fiscal(xml),
        "protocolo_nota_fiscal": showing.protocolo_nota_fiscal(xml),
    }
    body |= _event_objects(document, f"{document.chave}-can.xml", "cancelamento")
    event = selectors.last_carta_correcao(document)
    if event is not None:
        name = f"{document.chave}-cce-{event.n_seq:02d}.xml"
        body |= _event_objects(document, name, "carta_correcao")
    return body


def _event_objects(document: FiscalDocument, name: str, of: str) -> dict[str, Any]:
    found = archive.find(document, Archive.Kind.EVENT, name=name)
    if found is None:
        return {}
    asked, answered = showing.event_objects(archive.read(found))
    return {f"requisicao_{of}": asked, f"protocolo_{of}": answered}


# --- paths -------------------------------------------------------------------------------------


def folder(document: FiscalDocument) -> str:
    return _folder(document.company, document.ambiente, f"20{(document.chave or '')[2:6]}")


def _folder(company: Company, ambiente: str, month: str) -> str:
    root = "arquivos" if ambiente == "producao" else "arquivos_development"
    return f"/{root}/{company.document}_{company.pk}/{month}"


def void_path(row: Inutilizacao, name: str, month: str) -> str:
    return f"{_folder(row.company, row.ambiente, month)}/XMLs/{name}"


def xml_path(document: FiscalDocument) -> str:
    return f"{folder(document)}/XMLs/{archive.nfe_name(document.chave or '')}"


def event_path(document: FiscalDocument, name: str) -> str:
    found = archive.find(document, Archive.Kind.EVENT, name=name)
    return f"{folder(document)}/XMLs/{name}" if found else ""


def correction_path(document: FiscalDocument, n_seq: int) -> str:
    return f"/notas_fiscais/NFe{document.chave}/cartas_correcao/{n_seq}.pdf"


def danfe_path(document: FiscalDocument) -> str:
    if document.modelo == 65:
        return f"/notas_fiscais_consumidor/NFe{document.chave}.html"
    return f"{folder(document)}/DANFEs/{document.chave}.pdf"
