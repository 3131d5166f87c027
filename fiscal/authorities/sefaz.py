"""One authority of NF-e and NFC-e: requests of fiscal-engine §8.1 in, answers out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fiscal.authorities import answers, envelope, tables, transport
from fiscal.authorities.base import (
    TP_AMB,
    Answer,
    Credentials,
    Lost,
    Misconfigured,
    NotOffered,
    NotSent,
    Route,
)
from fiscal.authorities.transport import Limits
from fiscal.authorities.wire import NFE, Unreadable

log = logging.getLogger(__name__)

# TLS-5: asking waits less than what changes something.
ASKING = Limits(read=30)
CHANGING = Limits(read=60)
_ASKS = {"status_servico", "consulta_protocolo", "ret_autorizacao", "consulta_cadastro"}
_SYNC, _ASYNC = "1", "0"


@dataclass(frozen=True)
class Sefaz:
    """The services of an authority for one UF, over the connections of one certificate.

    Every call raises NotSent, Lost, Misconfigured, or NotOffered when the authority has no such
    service; any readable answer, refusals included, is an Answer.
    """

    route: Route
    addresses: Mapping[str, str]
    credentials: Credentials
    ca_file: str = ""
    asking: Limits = field(default=ASKING)
    changing: Limits = field(default=CHANGING)

    def status(self) -> Answer:
        """107, 108, 109; at an SVC also 113 and 114."""
        return self._ask("status_servico", self._amb() + self._c_uf() + _tag("xServ", "STATUS"))

    def authorize(
        self, xml: bytes | Sequence[bytes], *, id_lote: str, sync: bool = True, zipped: bool = False
    ) -> Answer:
        """Send signed NFe (XML-13: at most 50); only one alone may ask for a synchronous answer."""
        documents = xml if isinstance(xml, bytes) else b"".join(xml)
        ind_sinc = _tag("indSinc", _SYNC if sync else _ASYNC)
        name = "autorizacao_zip" if zipped else "autorizacao"
        return self._ask(name, _tag("idLote", id_lote) + ind_sinc + documents)

    def receipt(self, nrec: str) -> Answer:
        """Where an asynchronous batch stands: 105, 104 with protocols, 106."""
        return self._ask("ret_autorizacao", self._amb() + _tag("nRec", nrec))

    def consult(self, chave: str) -> Answer:
        """What the authority holds under a key: protocol and registered events, or 217."""
        content = self._amb() + _tag("xServ", "CONSULTAR") + _tag("chNFe", chave)
        return self._ask("consulta_protocolo", content)

    def void(self, xml: bytes) -> Answer:
        """Send a signed inutNFe; the result is in `void`."""
        return self._call("inutilizacao", xml)

    def event(self, xml: bytes | Sequence[bytes], *, id_lote: str) -> Answer:
        """Send signed eventos (XML-13: at most 20); the results are in `events`."""
        documents = xml if isinstance(xml, bytes) else b"".join(xml)
        return self._ask("recepcao_evento", _tag("idLote", id_lote) + documents)

    def epec(self, xml: bytes, *, id_lote: str) -> Answer:
        """Send the EPEC of an NFC-e to the service that only SP has."""
        return self._ask("recepcao_epec", _tag("idLote", id_lote) + xml)

    def distribution(
        self, document: str, *, ult_nsu: str = "", nsu: str = "", chave: str = ""
    ) -> Answer:
        """Documents about a CNPJ or CPF: after `ult_nsu`, or that `nsu`, or of that key (DIS-1)."""
        interested = _tag("CPF" if len(document) == 11 else "CNPJ", document)
        if chave:
            asked = f"<consChNFe>{_text('chNFe', chave)}</consChNFe>"
        elif nsu:
            asked = f"<consNSU>{_text('NSU', nsu.zfill(15))}</consNSU>"
        else:
            asked = f"<distNSU>{_text('ultNSU', ult_nsu.zfill(15))}</distNSU>"
        author = _tag("cUFAutor", str(tables.state(self.route.uf).c_uf))
        content = self._amb() + author + interested + asked.encode()
        return self._ask("distribuicao_dfe", content)

    def register(self, *, ie: str = "", cnpj: str = "", cpf: str = "") -> Answer:
        """The register of contributors of the UF, by one of the three."""
        by = {"IE": ie, "CNPJ": cnpj, "CPF": cpf}
        asked = "".join(_text(tag, value) for tag, value in by.items() if value)
        uf = _text("UF", self.route.uf)
        content = f"<infCons>{_text('xServ', 'CONS-CAD')}{uf}{asked}</infCons>"
        return self._ask("consulta_cadastro", content.encode())

    def _amb(self) -> bytes:
        return _tag("tpAmb", TP_AMB[self.route.ambiente])

    def _c_uf(self) -> bytes:
        return _tag("cUF", str(tables.state(self.route.uf).c_uf))

    def _ask(self, name: str, content: bytes) -> Answer:
        of = tables.service(name)
        opening = f'<{of.pedido} xmlns="{NFE}" versao="{of.versao}">'.encode()
        return self._call(name, opening + content + f"</{of.pedido}>".encode())

    def _call(self, name: str, payload: bytes) -> Answer:
        url = self.addresses.get(tables.service(name).address)
        if url is None:
            raise NotOffered(f"{self.route.authority} não oferece o serviço {name}.")
        sealed = envelope.seal(payload, name=name, uf=self.route.uf)
        try:
            answer = self._exchanged(url, sealed, self.asking if name in _ASKS else self.changing)
        except (NotSent, Lost, Misconfigured) as error:
            self._log("sefaz.failed", name, kind=type(error).__name__, elapsed=error.elapsed_ms)
            raise
        self._log(
            "sefaz.answered", name, cstat=answer.c_stat, elapsed=answer.elapsed_ms,
            sent=len(sealed.body), received=len(answer.raw),
        )  # fmt: skip
        return answer

    def _exchanged(self, url: str, sealed: envelope.Envelope, limits: Limits) -> Answer:
        reply = transport.post(
            url,
            sealed.body,
            content_type=sealed.content_type,
            credentials=self.credentials,
            limits=limits,
            ca_file=self.ca_file,
        )
        try:
            return answers.answer(
                reply.body,
                expected=sealed.expected,
                charset=reply.charset,
                elapsed_ms=reply.elapsed_ms,
            )
        except Unreadable as error:
            reason = f"{self.route.authority} não deu resposta legível: {error}"
            raise Lost(reason, raw=reply.body, elapsed_ms=reply.elapsed_ms) from error

    def _log(self, event: str, name: str, **facts: object) -> None:
        route = self.route
        about = {"service": name, "authority": route.authority, "uf": route.uf}
        log.info(event, extra={**about, "ambiente": route.ambiente, **facts})


def _text(tag: str, value: str) -> str:
    # Values here are codes of ours or of the authority: nothing to escape, and nothing let through.
    if not value.replace("-", "").isalnum():
        raise ValueError(f"{tag}: {value!r}")
    return f"<{tag}>{value}</{tag}>"


def _tag(tag: str, value: str) -> bytes:
    return _text(tag, value).encode()
