"""What cities of the ABRASF model answer, of any version and without its schema (ABR-5…ABR-7).

Providers add elements and codes longer than the schema has, so nothing is validated: what counts
is what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from zoneinfo import ZoneInfo

from fiscal.authorities.municipal import messages
from fiscal.authorities.provider import IssuedNote, ProviderMessage
from fiscal.authorities.wire import Element
from fiscal.documents.service import RpsIdentity

_TABLE = "abrasf_erros"
_LISTS = ("ListaMensagemRetorno", "ListaMensagemRetornoLote")
_ALERTS = "ListaMensagemAlertaRetorno"
_ROOTS = (*_LISTS, "CompNfse", "ListaNfse")
_LINKS = ("LinkVisualizacaoNfse", "UrlNfse", "LinkNota", "OutrasInformacoes")
_CONFIRMED = ("Confirmacao", "ConfirmacaoCancelamento")
_CANCELLED_AT = ("DataHora", "DataHoraCancelamento")
T = TypeVar("T")
_BRASILIA = ZoneInfo("America/Sao_Paulo")


def is_answer(local: str) -> bool:
    """Whether an element of that name is a message of the model."""
    return local.endswith("Resposta") or local in _ROOTS


def faults(root: Element) -> tuple[ProviderMessage, ...]:
    """The errors of an answer; alerts are none."""
    found = [root] if root.local in _LISTS else [each for name in _LISTS for each in root.all(name)]
    return tuple(_message(each) for of in found for each in of.children)


def alerts(root: Element) -> tuple[ProviderMessage, ...]:
    return tuple(_message(each) for of in root.all(_ALERTS) for each in of.children)


def _message(element: Element) -> ProviderMessage:
    return messages.told(
        _TABLE, element.value("Codigo"), element.value("Mensagem"), element.value("Correcao")
    )


def note_of(root: Element, identity: RpsIdentity | None) -> Element | None:
    """The CompNfse of that RPS; with one alone, that one, whatever RPS it names."""
    found = [root] if root.local == "CompNfse" else root.all("CompNfse")
    if identity is None or len(found) <= 1:
        return found[0] if found else None
    return next((each for each in found if _is_of(each, identity)), None)


def _is_of(comp: Element, identity: RpsIdentity) -> bool:
    named = _identity(comp, identity)
    return named is not None and (named.series, named.number) == (identity.series, identity.number)


def issued(comp: Element, *, identity: RpsIdentity) -> IssuedNote:
    """The note in a CompNfse. Raises ValueError where it has no number."""
    inf = _first(comp, "InfNfse")
    if inf is None or not inf.value("Numero"):
        raise ValueError("CompNfse sem número da NFS-e")
    amounts = _first(inf, "ValoresNfse") or _first(inf, "Valores") or inf
    service = _first(inf, "Valores") or inf
    return IssuedNote(
        number=inf.value("Numero").lstrip("0") or "0",
        verification_code=inf.value("CodigoVerificacao"),
        issued_at=moment(inf.value("DataEmissao")),
        url=_link(inf),
        identity=_identity(comp, identity),
        xml=comp.bytes(default=None),
        service_amount=amount(service.value("ValorServicos")),
        base=amount(amounts.value("BaseCalculo")),
        iss=amount(amounts.value("ValorIss")),
        net=amount(amounts.value("ValorLiquidoNfse")),
        taker_document=_taker(inf),
        replaces=inf.value("NfseSubstituida"),
    )


def cancellation(root: Element) -> Element | None:
    """The proof of a cancellation: the smallest element that holds its confirmation.

    An answer that says Sucesso false confirms nothing.
    """
    for name in _CONFIRMED:
        for found in [root, *root.all(name)]:
            if found.local == name and _text(found, "Sucesso").lower() != "false":
                return found.parent or found
    return None


def cancelled_at(proof: Element) -> datetime | None:
    return next((moment(text) for name in _CANCELLED_AT if (text := _text(proof, name))), None)


def replaced_by(comp: Element) -> str:
    """Number of the note that took its place, "" for none."""
    replacement = _first(comp, "NfseSubstituicao")
    return _text(replacement, "NfseSubstituidora") if replacement else ""


def value(root: Element, local: str) -> str:
    """The text of the first element of that name."""
    return _text(root, local)


def next_page(root: Element, page: int) -> int:
    """The page after `page`, 0 after the last one; 2.04 names it Pagina as well."""
    told = _text(root, "ProximaPagina") or _text(root, "Pagina")
    number = int(told) if told.isascii() and told.isdecimal() else 0
    return number if number > page else 0


def _identity(comp: Element, asked: RpsIdentity) -> RpsIdentity | None:
    named = _first(comp, "IdentificacaoRps")
    number = named.value("Numero") if named else ""
    if named is None or not number.isascii() or not number.isdecimal():
        return None
    kind = named.value("Tipo")
    return RpsIdentity(
        asked.ambiente,
        named.value("Serie"),
        int(number),
        int(kind) if kind in ("1", "2", "3") else asked.kind,
        asked.batch,
    )


def _taker(inf: Element) -> str:
    for name in ("IdentificacaoTomador", "TomadorServico", "Tomador"):
        found = _first(inf, name)
        if found:
            return _text(found, "Cnpj") or _text(found, "Cpf")
    return ""


def _link(inf: Element) -> str:
    found = (_text(inf, name) for name in _LINKS)
    return next((text for text in found if text.startswith(("https://", "http://"))), "")[:500]


def _first(element: Element, local: str) -> Element | None:
    return next((each for each in element.walk() if each.local == local), None)


def _text(element: Element, local: str) -> str:
    found = _first(element, local)
    return found.text if found else ""


def moment(text: str) -> datetime | None:
    """An aware moment; cities leave the offset out and mean the time of Brasília."""
    found = _or_none(datetime.fromisoformat, text)
    return found.replace(tzinfo=_BRASILIA) if found and not found.tzinfo else found


def amount(text: str) -> Decimal | None:
    """An amount as cities write it: 1000.5, and in a few places 1.000,50."""
    if "," in text:
        text = text.replace(".", "").replace(",", ".")
    found = _or_none(Decimal, text)
    return found if found is not None and found.is_finite() else None


def _or_none(read_as: Callable[[str], T], text: str) -> T | None:
    try:
        return read_as(text) if text else None
    except (ValueError, InvalidOperation):
        return None
