"""The Ambiente de Dados Nacional: documents about a taxpayer, by NSU (NAC-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from fiscal.authorities.base import Credentials
from fiscal.authorities.national import answers, hosts
from fiscal.authorities.national.answers import Body
from fiscal.authorities.transport import Limits, Reply

ROUTE = "ADN"
PAGE = 50  # documents of a full page: there is no maxNSU, a page that is not full is the last
ASKING = Limits(read=60)
NOTE, EVENT = "NFSE", "EVENTO"  # kinds that matter; DPS, CNC and requests are kept and not read
_OK, _NO_CONTENT = 200, 204
_EMPTY_STATUS = frozenset((400, 404))
_NOTHING = frozenset(("E2220", "E2215"))  # both say: nothing beyond that NSU


@dataclass(frozen=True)
class Distributed:
    """One document of the distribution. `kind` is TipoDocumento, `event_kind` TipoEvento as told.

    For one that could not be unpacked `fault` says why, and `content` is the text as it came: its
    NSU counts all the same.
    """

    nsu: int
    key: str
    kind: str
    event_kind: str
    generated_at: datetime | None
    content: bytes = field(repr=False)
    fault: str = ""


@dataclass(frozen=True)
class Page:
    """What one call brought, in the order of its NSU."""

    documents: tuple[Distributed, ...]
    raw: bytes = field(repr=False)
    elapsed_ms: int = 0

    @property
    def is_last(self) -> bool:
        return len(self.documents) < PAGE


@dataclass(frozen=True)
class Adn:
    """The distribution of one environment, over the connections of one certificate."""

    ambiente: str
    credentials: Credentials = field(repr=False)

    def distributed(self, nsu: int, *, document: str = "") -> Page:
        """The documents beyond `nsu`, at most 50; `document` is a CNPJ of the certificate's base.

        Nothing new is an empty page. Raises NotSent, Misconfigured or Lost; asking again is safe.
        """
        query = {"lote": "true", **({"cnpjConsulta": document} if document else {})}
        rest = hosts.service(hosts.ADN, ambiente=self.ambiente, credentials=self.credentials)
        return _page(rest.get(f"DFe/{nsu}?{urlencode(query)}", limits=ASKING))

    def events(self, key: str) -> tuple[Distributed, ...]:
        """The events of a note of the taxpayer. Raises as `distributed`."""
        rest = hosts.service(hosts.ADN, ambiente=self.ambiente, credentials=self.credentials)
        return _page(rest.get(f"NFSe/{key}/Eventos", limits=ASKING)).documents


def _page(reply: Reply) -> Page:
    if reply.status == _NO_CONTENT or _says_nothing_new(reply):
        return Page((), reply.body, reply.elapsed_ms)
    if reply.status != _OK:
        found = answers.refusal(reply)
        raise answers.lost(reply, "; ".join(f"{m.code} {m.text}" for m in found))
    body = answers.body_of(reply)
    if body is None:
        raise answers.lost(reply, f"HTTP {reply.status} sem lote")
    documents = sorted(_documents(body), key=lambda each: each.nsu)
    return Page(tuple(documents), reply.body, reply.elapsed_ms)


def _says_nothing_new(reply: Reply) -> bool:
    """Empty comes as 404 with E2220, as 400 with E2215, or as its own status of processing."""
    body = answers.body_of(reply)
    if body is None:
        return False
    told = any(message.code in _NOTHING for message in answers.messages(body))
    is_none = body.text("statusProcessamento").upper() == "NENHUM_DOCUMENTO_LOCALIZADO"
    return (reply.status in _EMPTY_STATUS and told) or is_none


def _documents(body: Body) -> Iterator[Distributed]:
    for row in (*body.rows("loteDFe"), *body.rows("eventos")):
        text = row.text("arquivoXml")
        content, fault = text.encode(), ""
        try:
            content = answers.document(text)
        except ValueError as error:
            fault = str(error)
        yield Distributed(
            nsu=int(row.text("nsu") or 0),
            key=row.text("chaveAcesso"),
            kind=row.text("tipoDocumento").upper(),
            event_kind=row.text("tipoEvento"),
            generated_at=_moment(row.text("dataHoraGeracao")),
            content=content,
            fault=fault,
        )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else None
