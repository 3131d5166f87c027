"""What São Paulo answers: Retorno… with Alerta and Erro (manual of the web service)."""

from __future__ import annotations

from decimal import Decimal

from fiscal.authorities.municipal import messages
from fiscal.authorities.municipal.abrasf_reading import amount, moment
from fiscal.authorities.provider import IssuedNote, ProviderMessage
from fiscal.authorities.wire import Element
from fiscal.documents.service import RpsIdentity

_TABLE = "sao_paulo_erros"
_KINDS = {"RPS": 1, "RPS-M": 2, "RPS-C": 3}


def is_answer(local: str) -> bool:
    # RetornoXML is the part of the envelope, RetornoEnvioRPS the message inside.
    return local.startswith("Retorno") and local != "RetornoXML"


def is_success(root: Element) -> bool:
    head = root.child("Cabecalho")
    return bool(head) and head.value("Sucesso").lower() in ("true", "1")  # type: ignore[union-attr]


def faults(root: Element) -> tuple[ProviderMessage, ...]:
    return _told(root, "Erro")


def alerts(root: Element) -> tuple[ProviderMessage, ...]:
    """Of these the note is issued, or cancelled, all the same."""
    return _told(root, "Alerta")


def _told(root: Element, name: str) -> tuple[ProviderMessage, ...]:
    return tuple(
        messages.told(_TABLE, each.value("Codigo"), each.value("Descricao"))
        for each in root.children
        if each.local == name
    )


def key_issued(root: Element, *, ambiente: str) -> IssuedNote | None:
    """The note that a sent RPS became: only its keys are told."""
    pair = next(iter(root.all("ChaveNFeRPS")), None)
    key = pair.child("ChaveNFe") if pair else None
    if pair is None or key is None or not key.value("NumeroNFe"):
        return None
    return IssuedNote(
        number=key.value("NumeroNFe"),
        verification_code=key.value("CodigoVerificacao"),
        issued_at=None,
        identity=_identity(pair.child("ChaveRPS"), ambiente, 1),
        xml=pair.bytes(default=""),
    )


def note_of(root: Element, identity: RpsIdentity) -> Element | None:
    """The NFe of that RPS; with one alone, that one."""
    found = [each for each in root.children if each.local == "NFe"]
    if len(found) <= 1:
        return found[0] if found else None
    return next((each for each in found if _is_of(each, identity)), None)


def _is_of(nfe: Element, identity: RpsIdentity) -> bool:
    named = _identity(nfe.child("ChaveRPS"), identity.ambiente, identity.kind)
    return named is not None and (named.series, named.number) == (identity.series, identity.number)


def issued(nfe: Element, *, ambiente: str) -> IssuedNote:
    """The note in an NFe. Raises ValueError where it has no number."""
    key = nfe.child("ChaveNFe")
    if key is None or not key.value("NumeroNFe"):
        raise ValueError("NFe sem número")
    services = amount(nfe.value("ValorServicos")) or _charged(nfe)
    deductions = amount(nfe.value("ValorDeducoes"))
    base = None if services is None else services - (deductions or Decimal(0))
    taker = nfe.child("CPFCNPJTomador")
    return IssuedNote(
        number=key.value("NumeroNFe"),
        verification_code=key.value("CodigoVerificacao"),
        issued_at=moment(nfe.value("DataEmissaoNFe")),
        identity=_identity(nfe.child("ChaveRPS"), ambiente, _KINDS.get(nfe.value("TipoRPS"), 1)),
        xml=nfe.bytes(default=""),
        service_amount=services,
        base=base,
        iss=amount(nfe.value("ValorISS")),
        taker_document=(taker.value("CNPJ") or taker.value("CPF")) if taker else "",
    )


def _charged(nfe: Element) -> Decimal | None:
    return amount(nfe.value("ValorInicialCobrado") or nfe.value("ValorFinalCobrado"))


def _identity(key: Element | None, ambiente: str, kind: int) -> RpsIdentity | None:
    number = key.value("NumeroRPS") if key else ""
    if key is None or not number.isascii() or not number.isdecimal():
        return None
    return RpsIdentity(ambiente, key.value("SerieRPS"), int(number), kind)
