"""Reading the events of a document: what stands, what was cancelled, what they say."""

from __future__ import annotations

from lxml import etree

from fiscal.documents.nfe.events import CARTA_CORRECAO, EPEC
from fiscal.models import EventState, FiscalDocument, FiscalEvent
from fiscal.selectors.documents import shown_xml
from fiscal.services import archive
from fiscal.xml import NFE, child_text, parse


def corrected_text(document: FiscalDocument) -> str:
    """xCorrecao of the carta de correção in force; "" without one (EVT-4)."""
    found = (
        document.events.filter(tp_evento=CARTA_CORRECAO, state=EventState.REGISTRADO)
        .order_by("-n_seq")
        .first()
    )
    if found is None:
        return ""
    root = parse(archive.unpacked(found.xml))
    detail = next(root.iter(f"{{{NFE}}}detEvento"), None)
    return child_text(detail, "xCorrecao") if detail is not None else ""


def event_of_protocol(
    document: FiscalDocument, tp_evento: str, protocolo: str
) -> FiscalEvent | None:
    rows = document.events.filter(tp_evento=tp_evento, state=EventState.REGISTRADO)
    found: FiscalEvent | None = rows.filter(protocolo=protocolo).exclude(protocolo="").first()
    return found


def epec_of(document: FiscalDocument) -> FiscalEvent | None:
    """The EPEC of the document that is on its way or registered; a refused one is none."""
    found: FiscalEvent | None = (
        document.events.filter(tp_evento=EPEC).exclude(state=EventState.REJEITADO).first()
    )
    return found


def is_cancelled(event: FiscalEvent) -> bool:
    """By a registered event."""
    return event.cancellations.filter(state=EventState.REGISTRADO).exists()


def last_standing(document: FiscalDocument, tp_eventos: tuple[str, ...]) -> FiscalEvent | None:
    """The last registered event of the kinds that none has cancelled."""
    rows = document.events.filter(tp_evento__in=tp_eventos, state=EventState.REGISTRADO)
    cancelled = FiscalEvent.objects.filter(
        document=document, target__isnull=False, state=EventState.REGISTRADO
    )
    found: FiscalEvent | None = (
        rows.exclude(pk__in=cancelled.values("target")).order_by("-registered_at", "-id").first()
    )
    return found


def items_asked(document: FiscalDocument, tp_evento: str) -> set[str]:
    """Numbers of the items in registered requests of that kind that stand."""
    rows = document.events.filter(tp_evento=tp_evento, state=EventState.REGISTRADO)
    return {
        item["@numItem"]
        for event in rows
        if not is_cancelled(event)
        for item in event.details.get("itemPedido", ())
    }


def item_quantities(document: FiscalDocument) -> dict[str, str]:
    """Item number → qCom, as the document's XML has them."""
    found = shown_xml(document)
    if found is None:
        return {}
    root = parse(archive.read(found))
    items: dict[str, str] = {}
    for det in root.iter(f"{{{NFE}}}det"):
        items[det.get("nItem", "")] = _quantity(det)
    return items


def _quantity(det: etree._Element) -> str:
    quantity = child_text(det, "prod", "qCom")
    return quantity.rstrip("0").rstrip(".") if "." in quantity else quantity
