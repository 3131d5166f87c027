"""Bodies of service notes, and a provider whose answers are said beforehand."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from fiscal.authorities.base import Credentials, Lost, NotOffered, NotSent
from fiscal.authorities.provider import (
    Features,
    IssuedNote,
    Kind,
    Outcome,
    ProviderMessage,
)
from fiscal.documents.service import Declared, NoteRef, Prepared, RpsIdentity
from fiscal.signing import Signer
from lib import clock
from lib.errors import FieldError

CITY = "4301602"  # Bagé


def nfse_body(**fields: Any) -> dict[str, Any]:
    """A service of one hundred reais at two percent; `servico` and `tomador` may be given."""
    service = {
        "valor_servicos": "100.00",
        "iss_retido": "false",
        "item_lista_servico": "0107",
        "aliquota": "2.00",
        "discriminacao": "Suporte tecnico em informatica",
        **fields.pop("servico", {}),
    }
    taker = {
        "cnpj": "11444777000161",
        "razao_social": "Cliente Ltda",
        "email": "cliente@example.com",
        **fields.pop("tomador", {}),
    }
    issuer = {
        "cnpj": "11222333000181",
        "codigo_municipio": CITY,
        "inscricao_municipal": "12345",
        **fields.pop("prestador", {}),
    }
    return {
        "data_emissao": clock.now().isoformat(timespec="seconds"),
        "natureza_operacao": "1",
        "optante_simples_nacional": "false",
        "prestador": issuer,
        "tomador": taker,
        "servico": service,
        **fields,
    }


Say = Callable[["Scripted", "Call"], Outcome]


@dataclass(frozen=True)
class Call:
    """One call as the provider saw it."""

    service: str  # send, find, cancel, find_cancel
    key: tuple[str, str, int]  # city, series, number
    content: bytes


@dataclass
class Held:
    """A note that the provider has."""

    note: IssuedNote
    kind: Kind = Kind.AUTHORIZED


@dataclass
class Scripted:
    """Authorizes everything, unless `next` says otherwise for a service, call by call."""

    features: Features = field(default_factory=Features)
    held: dict[tuple[str, str, int], Held] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    refuses: tuple[FieldError, ...] = ()
    unknown: tuple[str, ...] = ()  # cities without service
    _script: dict[str, list[Say]] = field(default_factory=dict)

    def next(self, service: str, *says: Say) -> None:
        """What the service does for the coming calls, one after the other."""
        self._script.setdefault(service, []).extend(says)

    def names(self) -> list[str]:
        return [call.service for call in self.calls]

    def sent(self) -> list[bytes]:
        return [call.content for call in self.calls if call.service == "send"]

    def provider(self, slug: str, *, municipality: str, ambiente: str) -> Door:
        """The factory for fiscal.authorities.providers."""
        if municipality in self.unknown:
            raise NotOffered(f"O município {municipality} não tem emissão de NFS-e.")
        return Door(self, slug or "scripted", municipality, ambiente)

    def serve(self, call: Call) -> Outcome:
        self.calls.append(call)
        waiting = self._script.get(call.service)
        say = waiting.pop(0) if waiting else _USUAL[call.service]
        return say(self, call)

    def issued(self, call: Call, **other: Any) -> IssuedNote:
        _, series, number = call.key
        values: dict[str, Any] = {
            "number": str(1000 + len(self.held)),
            "verification_code": "ABC-123",
            "issued_at": clock.now().replace(microsecond=0),
            "url": "https://city.invalid/note",
            "identity": RpsIdentity("homologacao", series, number),
            "xml": b"<Nfse>" + call.content + b"</Nfse>",
            "service_amount": Decimal("100.00"),
            "iss": Decimal("2.00"),
            **other,
        }
        return IssuedNote(**values)

    def take(self, call: Call, **other: Any) -> Outcome:
        """Issue what was sent, or say that its number is used."""
        if call.key in self.held:
            return refusal(Kind.DUPLICATE, "E10", "RPS já informado.")
        self.held[call.key] = Held(self.issued(call, **other))
        return Outcome(Kind.AUTHORIZED, self.held[call.key].note, raw=b"<ok/>", elapsed_ms=3)


@dataclass(frozen=True)
class Door:
    """A Provider of one city in one environment."""

    script: Scripted
    slug: str
    municipality: str
    ambiente: str

    @property
    def features(self) -> Features:
        return self.script.features

    @property
    def route(self) -> str:
        return f"M{self.municipality}"

    def check(self, declared: Declared) -> Sequence[FieldError]:
        return self.script.refuses

    def build(self, declared: Declared, identity: RpsIdentity, *, signer: Signer) -> Prepared:
        text = (
            f"<Rps><N>{identity.series}-{identity.number}</N><B>{identity.batch}</B>"
            f"<V>{declared.data.get('servico.valor_servicos')}</V></Rps>"
        )
        digest = base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()  # noqa: S324
        xml = f"{text}<DigestValue>{digest}</DigestValue>".encode()
        return Prepared(f"RPS{identity.series}-{identity.number}", xml, digest)

    def send(self, prepared: Prepared, *, credentials: Credentials) -> Outcome:
        series, _, number = prepared.id.removeprefix("RPS").partition("-")
        return self._serve("send", (self.municipality, series, int(number)), prepared.xml)

    def find(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        return self._serve("find", self._key(note), note.protocol.encode())

    def build_cancellation(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        return Prepared(
            f"CAN{note.number}", f"<Cancel>{note.number}{code}{reason}</Cancel>".encode()
        )

    def send_cancellation(
        self, prepared: Prepared, note: NoteRef, *, credentials: Credentials
    ) -> Outcome:
        return self._serve("cancel", self._key(note), prepared.xml)

    def find_cancellation(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        return self._serve("find_cancel", self._key(note), b"")

    def _key(self, note: NoteRef) -> tuple[str, str, int]:
        return self.municipality, note.identity.series, note.identity.number

    def _serve(self, service: str, key: tuple[str, str, int], content: bytes) -> Outcome:
        return self.script.serve(Call(service, key, content))


# --- what to say -------------------------------------------------------------------------------


def refusal(kind: Kind, code: str, text: str = "", correction: str | None = None) -> Outcome:
    return Outcome(
        kind, messages=(ProviderMessage(code, text or code, correction),), raw=b"<erro/>"
    )


def refuses(code: str, text: str = "", correction: str | None = None) -> Say:
    return lambda script, call: refusal(Kind.REJECTED, code, text, correction)


def says(kind: Kind, **more: Any) -> Say:
    """Answer that, doing nothing."""
    return lambda script, call: Outcome(kind, **more)


def issues(**other: Any) -> Say:
    """Issue a note with these values of its own."""
    return lambda script, call: script.take(call, **other)


def takes_lot(script: Scripted, call: Call) -> Outcome:
    """A lot: the note is issued, and told of when it is asked about."""
    script.take(call)
    return Outcome(Kind.IN_PROCESS, protocol=f"P{call.key[2]}")


def loses(*, after: bool) -> Say:
    """No answer: after processing, or before."""

    def say(script: Scripted, call: Call) -> Outcome:
        if after:
            _USUAL[call.service](script, call)
        raise Lost("conexão interrompida", elapsed_ms=5)

    return say


def unreachable(script: Scripted, call: Call) -> Outcome:
    raise NotSent("conexão recusada", elapsed_ms=1)


def _find(script: Scripted, call: Call) -> Outcome:
    held = script.held.get(call.key)
    return Outcome(held.kind, held.note) if held else Outcome(Kind.NOT_FOUND)


def _cancel(script: Scripted, call: Call) -> Outcome:
    held = script.held[call.key]
    script.held[call.key] = replace(held, kind=Kind.CANCELLED)
    return Outcome(
        Kind.CANCELLED, event_xml=b"<cancelada/>", registered_at=clock.now().replace(microsecond=0)
    )


_USUAL: dict[str, Say] = {
    "send": Scripted.take,
    "find": _find,
    "cancel": _cancel,
    "find_cancel": _find,
}


def national_body(**fields: Any) -> dict[str, Any]:
    """A service of a thousand reais as a declaration of the national system."""
    now = clock.now().astimezone(ZoneInfo("America/Sao_Paulo"))
    return {
        "data_emissao": (now - timedelta(minutes=1)).isoformat(timespec="seconds"),
        "data_competencia": (now - timedelta(minutes=1)).date().isoformat(),
        "codigo_municipio_emissora": "3550308",
        "cnpj_prestador": "11222333000181",
        "codigo_opcao_simples_nacional": 1,
        "regime_especial_tributacao": 0,
        "cnpj_tomador": "11444777000161",
        "razao_social_tomador": "Tomador Ltda",
        "codigo_municipio_tomador": "3550308",
        "cep_tomador": "01001000",
        "logradouro_tomador": "Praca da Se",
        "numero_tomador": "10",
        "bairro_tomador": "Se",
        "codigo_municipio_prestacao": "3550308",
        "codigo_tributacao_nacional_iss": "010101",
        "descricao_servico": "Analise de sistemas",
        "valor_servico": "1000.00",
        "tributacao_iss": "1",
        "tipo_retencao_iss": 1,
        **fields,
    }
