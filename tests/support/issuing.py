"""Bodies of documents, and an authority whose answers are said beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fiscal.authorities.base import TP_AMB, Answer, Credentials, Lost, NotSent, Protocol, Route
from lib import clock

HOMOLOGACAO_NAME = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
_DIGEST = re.compile(rb"<DigestValue>([^<]+)</DigestValue>")
_KEY = re.compile(rb'Id="NFe([0-9A-Z]{44})"')


def item(n: int = 1, **fields: Any) -> dict[str, Any]:
    """One item of a regular-regime sale, with its IBS/CBS classification."""
    return {
        "numero_item": n,
        "codigo_produto": f"P{n}",
        "descricao": "Caderno universitario",
        "codigo_ncm": "48202000",
        "cfop": "5102",
        "unidade_comercial": "UN",
        "quantidade_comercial": "2",
        "valor_unitario_comercial": "10.00",
        "valor_bruto": "20.00",
        "unidade_tributavel": "UN",
        "quantidade_tributavel": "2",
        "valor_unitario_tributavel": "10.00",
        "inclui_no_total": "1",
        "icms_origem": "0",
        "icms_situacao_tributaria": "00",
        "icms_modalidade_base_calculo": "3",
        "icms_base_calculo": "20.00",
        "icms_aliquota": "18.00",
        "icms_valor": "3.60",
        "pis_situacao_tributaria": "07",
        "cofins_situacao_tributaria": "07",
        "ibs_cbs_situacao_tributaria": "000",
        "ibs_cbs_classificacao_tributaria": "000001",
        **fields,
    }


def nfe_body(**fields: Any) -> dict[str, Any]:
    """A sale inside SP to a company."""
    return {
        "natureza_operacao": "Venda de mercadoria",
        "data_emissao": clock.now().isoformat(timespec="seconds"),
        "tipo_documento": "1",
        "local_destino": "1",
        "finalidade_emissao": "1",
        "consumidor_final": "1",
        "presenca_comprador": "1",
        "nome_destinatario": HOMOLOGACAO_NAME,
        "cnpj_destinatario": "11444777000161",
        "indicador_inscricao_estadual_destinatario": "9",
        "logradouro_destinatario": "Rua das Flores",
        "numero_destinatario": "10",
        "bairro_destinatario": "Centro",
        "municipio_destinatario": "São Paulo",
        "uf_destinatario": "SP",
        "cep_destinatario": "01001000",
        "modalidade_frete": "9",
        "items": [item()],
        "formas_pagamento": [{"forma_pagamento": "01", "valor_pagamento": "20.00"}],
        **fields,
    }


def nfce_body(**fields: Any) -> dict[str, Any]:
    """A sale over the counter."""
    return {
        "natureza_operacao": "VENDA AO CONSUMIDOR",
        "data_emissao": clock.now().isoformat(timespec="seconds"),
        "presenca_comprador": "1",
        "modalidade_frete": "9",
        "local_destino": "1",
        "items": [item()],
        "formas_pagamento": [{"forma_pagamento": "01", "valor_pagamento": "20.00"}],
        **fields,
    }


# --- an authority that says what the test wants ------------------------------------------------

Say = Callable[["Scripted", "Call"], Answer]


@dataclass(frozen=True)
class Call:
    """One call as the authority saw it."""

    service: str
    subject: str  # key, receipt, or the signed bytes' Id
    content: bytes
    route: Route


@dataclass
class Scripted:
    """Authorizes everything, unless `next` says otherwise for a service, call by call."""

    held: dict[str, tuple[str, str]] = field(default_factory=dict)  # key → (digest, protocol)
    voided: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    _script: dict[str, list[Say]] = field(default_factory=dict)

    def next(self, service: str, *says: Say) -> None:
        """What the service does for the coming calls, one after the other."""
        self._script.setdefault(service, []).extend(says)

    def names(self) -> list[str]:
        return [call.service for call in self.calls]

    def sent(self) -> list[bytes]:
        return [call.content for call in self.calls if call.service == "authorize"]

    def at(self, where: Route, credentials: Credentials) -> _Door:
        return _Door(self, where, credentials)

    def serve(self, call: Call) -> Answer:
        self.calls.append(call)
        waiting = self._script.get(call.service)
        say = waiting.pop(0) if waiting else _USUAL[call.service]
        return say(self, call)

    def take(self, call: Call) -> Answer:
        """Authorize what was sent, or say that it is there already."""
        found, digest = _KEY.search(call.content), _DIGEST.search(call.content)
        assert found
        assert digest
        chave = found[1].decode()
        if chave in self.held:
            return told("204", "Duplicidade de NF-e")
        self.held[chave] = (digest[1].decode(), f"1352600000{len(self.held):05d}")
        return told("104", "Lote processado", (self.protocol(chave, call.route),))

    def protocol(self, held: str, route: Route, **other: Any) -> Protocol:
        digest, number = self.held[held]
        return protocol(held, digest, number, route.ambiente, **other)


@dataclass(frozen=True)
class _Door:
    """Stands where a Sefaz does."""

    authority: Scripted
    route: Route
    credentials: Credentials

    def authorize(self, xml: bytes, *, id_lote: str, sync: bool = True) -> Answer:
        assert sync
        assert id_lote.isdigit()
        return self.authority.serve(Call("authorize", "", xml, self.route))

    def consult(self, chave: str) -> Answer:
        return self.authority.serve(Call("consult", chave, b"", self.route))

    def receipt(self, nrec: str) -> Answer:
        return self.authority.serve(Call("receipt", nrec, b"", self.route))

    def status(self) -> Answer:
        return self.authority.serve(Call("status", "", b"", self.route))


def told(c_stat: str, x_motivo: str = "", protocols: tuple[Protocol, ...] = (), **more: Any) -> Any:
    """A readable answer."""
    return Answer(
        c_stat, x_motivo or f"motivo {c_stat}", raw=b"<ret/>", elapsed_ms=3, protocols=protocols,
        **more,
    )  # fmt: skip


def protocol(held: str, digest: str, number: str, ambiente: str, **other: Any) -> Protocol:
    values: dict[str, Any] = {
        "chave": held, "c_stat": "100", "x_motivo": "Autorizado o uso da NF-e",
        "protocolo": number, "digest_value": digest, "dh_recbto": clock.now(),
        "tp_amb": TP_AMB[ambiente],
        "xml": b'<protNFe xmlns="http://www.portalfiscal.inf.br/nfe" versao="4.00"></protNFe>',
        **other,
    }  # fmt: skip
    return Protocol(**values)


def says(c_stat: str, x_motivo: str = "", **more: Any) -> Say:
    """Answer that code of the batch, doing nothing."""
    return lambda authority, call: told(c_stat, x_motivo, **more)


def refuses(c_stat: str, x_motivo: str = "") -> Say:
    """Refuse the document itself: protNFe with that code and without nProt."""

    def say(authority: Scripted, call: Call) -> Answer:
        found = _KEY.search(call.content)
        assert found
        one = protocol(
            found[1].decode(), "", "", call.route.ambiente, c_stat=c_stat,
            x_motivo=x_motivo or f"Rejeicao {c_stat}",
        )  # fmt: skip
        return told("104", "Lote processado", (one,))

    return say


def differs(**other: Any) -> Say:
    """Authorize, and answer a protocol that is not quite about what was sent."""

    def say(authority: Scripted, call: Call) -> Answer:
        authority.take(call)
        chave = list(authority.held)[-1]
        return told("104", "Lote processado", (authority.protocol(chave, call.route, **other),))

    return say


def loses(after: bool) -> Say:
    """No answer: after processing, or before."""

    def say(authority: Scripted, call: Call) -> Answer:
        if after:
            _USUAL[call.service](authority, call)
        raise Lost("conexão interrompida", elapsed_ms=5)

    return say


def unreachable(authority: Scripted, call: Call) -> Answer:
    raise NotSent("conexão recusada", elapsed_ms=1)


def takes_time(authority: Scripted, call: Call) -> Answer:
    """103: the document is authorized, and told of by its receipt."""
    authority.take(call)
    return told("103", "Lote recebido", receipt="351000000000001", t_med=1)


def _consult(authority: Scripted, call: Call) -> Answer:
    if call.subject in authority.held:
        found = authority.protocol(call.subject, call.route)
        return told("100", "Autorizado o uso da NF-e", (found,))
    return told("217", "NF-e nao consta na base de dados da SEFAZ")


def _receipt(authority: Scripted, call: Call) -> Answer:
    chave = list(authority.held)[-1]
    return told("104", "Lote processado", (authority.protocol(chave, call.route),))


_USUAL: dict[str, Say] = {
    "authorize": Scripted.take,
    "consult": _consult,
    "receipt": _receipt,
    "status": says("107", "Servico em Operacao"),
}


def later(moment: datetime, **by: float) -> datetime:
    from datetime import timedelta

    return moment + timedelta(**by)
