"""The control API: scripts, clock, settings and the sandbox's own list of what it holds.

Plain HTTP on a loopback port of its own. JSON in and out; an error is 400 with `mensagem`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fiscal.sandbox import note_control, shelves
from fiscal.sandbox.world import World

ROOT = "/_controle"
MAX_BODY = 1_000_000
SVC_STATES = ("fechado", "aberto", "encerrando")
SETTINGS = {
    "exigir_ibscbs": "rejeição 1115 por falta do grupo IBSCBS (verdadeiro ou falso)",
    "dias_de_atraso": "dias até a rejeição 228; 0 tira o limite",
    "ufs_sem_offline": "códigos de UF que recusam NFC-e off-line (712)",
    "mensagens": "textos de cMsg/xMsg que acompanham a autorização",
    "svc_atraso": "segundos até o documento da SVC aparecer na autorizadora de origem",
    "atraso_recibo": "segundos até o lote assíncrono estar processado",
    "prazo_cancelamento": "{UF: {modelo: [horas no prazo, horas aceitas]}}",
    "contribuintes": "{CNPJ: {nome, ie, nfe, nfce, im, municipio, simples}}",
    "municipios": "{IBGE: {convenio: 1, 0 ou nulo, emissor, aliquota, prazo_horas}}, de NFS-e",
    "cidades": "{IBGE: issnet-2.04, webiss-2.02 ou webiss-1.00}: como a prefeitura fala",
    "atraso_lote": "segundos até o lote de RPS estar processado",
    "cstat_substituicao": "cStat da NFS-e que substitui outra: 100 ou 101",
    "csc": "{CNPJ: {id: código}}; código vazio é revogado",
    "revogados": "números de série, hexadecimais, de certificados revogados",
}


@dataclass
class Steering:
    """The control server while it runs."""

    url: str
    server: ThreadingHTTPServer

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def start(world: World, script_changed: Callable[[], None], port: int) -> Steering:
    """Listen on 127.0.0.1 only; `script_changed` is called after every change of the script."""

    class Bound(Handler):
        pass

    Bound.world = world
    Bound.script_changed = staticmethod(script_changed)
    server = ThreadingHTTPServer(("127.0.0.1", port), Bound)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return Steering(f"http://127.0.0.1:{server.server_address[1]}{ROOT}", server)


class Handler(BaseHTTPRequestHandler):
    """Routes a method and a name to a function of this module."""

    protocol_version = "HTTP/1.1"
    world: World
    script_changed: Callable[[], None]

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the journal is the list of requests."""

    def do_GET(self) -> None:
        self._route(READ, None)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            self._send(400, {"mensagem": "corpo grande demais"})
            return
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError as error:
            self._send(400, {"mensagem": f"JSON inválido: {error}"})
            return
        self._route(WRITE, body)

    def do_DELETE(self) -> None:
        self._route(DELETE, None)

    def _route(self, table: dict[str, Callable[..., Any]], body: Any) -> None:
        target = urlsplit(self.path)
        name = target.path.removeprefix(ROOT).strip("/")
        if not target.path.startswith(ROOT) or name not in table:
            self._send(404, {"mensagem": f"caminhos: {', '.join(sorted(table))}"})
            return
        given = dict(parse_qsl(target.query)) if body is None else body
        try:
            answer = table[name](self.world, given)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._send(400, {"mensagem": str(error)})
            return
        if table is not READ:
            type(self).script_changed()
        self._send(201 if table is WRITE else 200, answer)

    def _send(self, status: int, answer: Any) -> None:
        body = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _add_faults(world: World, body: Any) -> Any:
    rules = body if isinstance(body, list) else [body]
    return {"ids": world.faults.add(rules)}


def _clear_faults(world: World, given: dict[str, str]) -> Any:
    if "tipo" in given:
        world.faults.remove(given["tipo"])
    else:
        world.faults.clear()
    return {"falhas": world.faults.show()}


def _move_clock(world: World, body: Any) -> Any:
    world.clock.move(body)
    return world.clock.show()


def _set(world: World, body: Any) -> Any:
    unknown = set(body) - set(SETTINGS)
    if unknown:
        raise ValueError(f"ajuste desconhecido: {', '.join(sorted(unknown))}")
    for name, value in body.items():
        world.store.set(name, value)
    return _settings(world, {})


def _settings(world: World, _: Any) -> Any:
    return {name: world.store.setting(name) for name in SETTINGS}


def _set_svc(world: World, body: Any) -> Any:
    state = body["estado"]
    if state not in SVC_STATES:
        raise ValueError(f"estado: {', '.join(SVC_STATES)}")
    world.store.set("svc", {**world.store.setting("svc", {}), body["uf"]: state})
    return world.store.setting("svc")


def _merge(name: str) -> Callable[[World, Any], Any]:
    """POST adds or replaces entries of a setting that is a table."""

    def merged(world: World, body: Any) -> Any:
        world.store.set(name, {**world.store.setting(name, {}), **dict(body)})
        return world.store.setting(name)

    return merged


def _revoke(world: World, body: Any) -> Any:
    serial = str(body["serie"]).upper()
    world.store.set("revogados", sorted({*world.store.setting("revogados", []), serial}))
    return world.store.setting("revogados")


def _reset(world: World, _: Any) -> Any:
    world.naps.wake()
    world.faults.clear()
    world.store.reset()
    return {"ok": True}


READ: dict[str, Callable[..., Any]] = {
    "": lambda world, _: {"ok": True, **world.clock.show()},
    "falhas": lambda world, _: world.faults.show(),
    "documentos": shelves.documents,
    "eventos": shelves.events,
    "inutilizacoes": shelves.voidings,
    "pedidos": shelves.requests,
    "notas": note_control.notes,
    "relogio": lambda world, _: world.clock.show(),
    "ajustes": _settings,
    "svc": lambda world, _: world.store.setting("svc", {}),
}
WRITE: dict[str, Callable[..., Any]] = {
    "falhas": _add_faults,
    "relogio": _move_clock,
    "ajustes": _set,
    "svc": _set_svc,
    "analise": note_control.decide,
    "municipios": _merge("municipios"),
    "contribuintes": _merge("contribuintes"),
    "csc": _merge("csc"),
    "revogados": _revoke,
}
DELETE: dict[str, Callable[..., Any]] = {"": _reset, "falhas": _clear_faults}
