"""`./dev run`: the site, its queue and the stand-ins of others under a supervisor."""

from __future__ import annotations

import argparse
import contextlib
import errno
import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

from devtools.environment import data_folder, environment
from devtools.machine import PDF_PACKAGES, ensure_system
from devtools.supervisor import Child, Supervisor
from devtools.terminal import give_up, say
from devtools.venv import PYTHON, RUNTIME, ensure_venv

WATCHDOG_EVERY = 30.0
# The queue looks at its schedules 31 s after its start and every 30 s: before this much time an old
# heartbeat says nothing about the cluster that runs now.
WATCHDOG_AFTER = 180.0
# More processes than cores, so that a client that came to a process with many others does not wait
# for all of them. On two cores `./dev bench` shows no clear difference to two processes.
WEB = ("--workers", "4", "--threads", "4")
AUTHORITY_PATIENCE = 15.0  # seconds; making its keys takes less than one


def run(arguments: list[str]) -> int:
    """Prepare the database, then serve site, queue and test authority until a signal."""
    options = run_options(arguments)
    data = data_folder(options.data)
    ensure_port(options.host, options.port)
    ensure_system(PDF_PACKAGES)
    ensure_venv(RUNTIME)
    gate, opening = os.pipe()
    site = Site(options.host, options.port)
    # Links in e-mails, bodies and files lead here, unless the environment knows a better address.
    os.environ.setdefault("PUBLIC_URL", site.url)
    authority = sandbox(data)
    providers = provider_sandbox(data)
    web_env = {**environment(data), "DEV_GATE": str(gate)}
    web = Child("Servidor web", gunicorn(options.host, options.port), web_env, keep=(gate,))
    queue = Child("Fila de tarefas", [str(PYTHON), "manage.py", "qcluster"], environment(data))
    others = [child for child in (authority, providers) if child]
    supervisor = Supervisor([web, queue, *others])
    web.start()
    if providers:
        providers.start()
    if authority:
        authority.start()
        wait_for_authority(supervisor, authority, data)
    if providers:
        wait_for_providers(supervisor, providers)
    if not prepared(supervisor, options, data):
        return say_stopped()
    os.close(opening)
    supervisor.run(Watch(site, queue, supervisor, greeting(site, data, authority)))
    return say_stopped()


def greeting(site: Site, data: Path, authority: Child | None) -> str:
    """What is said once the site answers."""
    lines = [f"Pronto:  {site.url}"]
    if authority:
        lines.append(f"Sandbox: {os.environ['FISCAL_ENDPOINTS_BASE']} (autoridade de teste)")
    if os.environ.get("PROVIDERS_SANDBOX"):
        lines.append(
            f"         {os.environ['PROVIDERS_SANDBOX']} (cartão, Pix, banco, e-mail, CEP)"
        )
    lines += [f"Dados:   {data}", "Parar:   Ctrl-C"]
    return "".join(["\n", *(f"  {line}\n" for line in lines)])


def sandbox(data: Path) -> Child | None:
    """The test authority as a child, with the product of this environment pointed at it.

    None in produção and where other endpoints are configured: those are then the ones to reach.
    """
    if os.environ.get("AMBIENTE", "") not in ("", "homologacao"):
        return None
    if os.environ.get("FISCAL_ENDPOINTS_BASE") or os.environ.get("FISCAL_CA_FILE"):
        return None
    port, control = free_port(9443), free_port(9444)
    os.environ["FISCAL_ENDPOINTS_BASE"] = f"https://127.0.0.1:{port}"
    os.environ["FISCAL_CA_FILE"] = str(data / "sandbox" / "ca" / "ca.pem")
    command = [str(PYTHON), "-m", "fiscal.sandbox", "--port", str(port)]
    command += ["--control-port", str(control), "--data", str(data / "sandbox")]
    return Child("Autoridade de teste", command, environment(data))


def provider_sandbox(data: Path) -> Child | None:
    """Stand-ins of the providers of payments and e-mail, for the demonstration's accounts.

    None in produção and where somebody else's stand-in is configured.
    """
    if os.environ.get("AMBIENTE", "") not in ("", "homologacao"):
        return None
    if os.environ.get("PROVIDERS_SANDBOX"):
        return None
    port = free_port(9445)
    os.environ["PROVIDERS_SANDBOX"] = f"http://127.0.0.1:{port}"
    # The stand-in is on this machine, without TLS; accounts that have no Mailjet tell their e-mails
    # on the terminal.
    for name in ("WEBHOOK_ALLOW_HTTP", "WEBHOOK_ALLOW_PRIVATE", "EMAIL_CONSOLE"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("CEP_URL", f"http://127.0.0.1:{port}/cep/{{cep}}/json/")
    command = [str(PYTHON), "-m", "billing.sandbox", "--port", str(port)]
    command += ["--data", str(data / "sandbox")]
    return Child("Provedores de teste", command, environment(data))


def wait_for_providers(supervisor: Supervisor, providers: Child) -> None:
    """Until they listen: the demonstration keeps cards there."""
    port = int(os.environ["PROVIDERS_SANDBOX"].rpartition(":")[2])
    deadline = time.monotonic() + AUTHORITY_PATIENCE
    while not supervisor.signals and time.monotonic() < deadline:
        if providers.process is None or providers.process.poll() is not None:
            return  # the supervisor tells about it
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.02)


def wait_for_authority(supervisor: Supervisor, authority: Child, data: Path) -> None:
    """Until its certificates are made: the demonstration asks the same folder for its own."""
    deadline = time.monotonic() + AUTHORITY_PATIENCE
    made = data / "sandbox" / "ca" / "revoked.crl"  # the last file to be written
    while not made.exists() and not supervisor.signals and time.monotonic() < deadline:
        if authority.process is None or authority.process.poll() is not None:
            return  # the supervisor tells about it
        time.sleep(0.02)


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else any free port of the loopback."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
            return int(probe.getsockname()[1])
    raise give_up("Nenhuma porta livre em 127.0.0.1.")


def prepared(supervisor: Supervisor, options: argparse.Namespace, data: Path) -> bool:
    """Migrate, register the schedules and load the demonstration; False when asked to stop."""
    command = [str(PYTHON), "manage.py", "prepare", *(["--no-demo"] if options.no_demo else [])]
    code = supervisor.finish(Child("Preparo", command, environment(data)))
    if code == 0:
        return True
    supervisor.stop(supervisor.children)
    if code is None:
        return False
    raise give_up("O banco de dados não pôde ser preparado; veja a mensagem acima.")


def say_stopped() -> int:
    """The last words, and the exit code of a stop that was asked for."""
    say("Tudo parado.")
    return 0


def gunicorn(host: str, port: int) -> list[str]:
    """The site; a request cut off at a stop has ten seconds to end."""
    # As a module: the console script names the folder in which the environment was made.
    command = [
        str(PYTHON),
        "-m",
        "gunicorn",
        "config.wsgi:application",
        "-c",
        "python:devtools.gate",
    ]
    command += ["--bind", f"{bracketed(host)}:{port}", *WEB]
    # Preloaded: imported once, while the database is prepared, and shared by the processes.
    command += ["--preload", "--graceful-timeout", "10", "--no-control-socket"]
    return [*command, "--log-level", "warning"]


def run_options(arguments: list[str]) -> argparse.Namespace:
    """The options of `run`."""
    parser = argparse.ArgumentParser(prog="./dev run", description="Serve o sistema até Ctrl-C.")
    parser.add_argument("--host", default="127.0.0.1", help="endereço (padrão: %(default)s)")
    parser.add_argument("--port", default=8000, type=_port, help="porta (padrão: %(default)s)")
    parser.add_argument("--data", metavar="DIR", help="pasta dos dados (padrão: var/)")
    parser.add_argument("--no-demo", action="store_true", help="sem os dados de demonstração")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} não é uma porta de 1 a 65535")
    return int(text)


def ensure_port(host: str, port: int) -> None:
    """End with a clear message when nobody could listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror as error:
        raise give_up(f"Endereço desconhecido: {host}. Corrija --host.") from error
    except PermissionError as error:
        raise give_up(f"Sem permissão para usar a porta {port}. Escolha com --port.") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise give_up(f"Não é possível usar {host}:{port}: {error.strerror}.") from error
        raise give_up(
            f"A porta {port} de {host} já está em uso. Escolha outra, por exemplo: "
            f"./dev run --port {port + 1}"
        ) from error


class Site:
    """The served address as we ask it; any answer over HTTP means that the server is up."""

    def __init__(self, host: str, port: int) -> None:
        every_interface = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  asked, not bound
        self.url = f"http://{bracketed(every_interface.get(host, host))}:{port}/"
        # Never through a proxy of the environment: this is our own machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def worker_status(self) -> str | None:
        """`ok` or `stalled` as the health page says, `` for another answer, None for no answer."""
        try:
            with self.opener.open(f"{self.url}health/worker", timeout=2) as answer:
                body = answer.read(10_000)
        except urllib.error.HTTPError as error:
            body = error.read(10_000)
        except (OSError, http.client.HTTPException):
            return None
        try:
            return str(json.loads(body)["status"])
        except (ValueError, KeyError, TypeError):
            return ""


class Watch:
    """Between the supervisor's ticks: says when the site answers, restarts a queue that stalled."""

    def __init__(self, site: Site, queue: Child, supervisor: Supervisor, greeting: str) -> None:
        self.site = site
        self.queue = queue
        self.supervisor = supervisor
        self.greeting = greeting
        self.next_look = 0.0
        self.stalled = 0

    def __call__(self) -> None:
        """Look when it is time to."""
        if self.greeting:
            if self.site.worker_status() is not None:
                with contextlib.suppress(OSError):  # a closed terminal stops us by its own signal
                    print(self.greeting, flush=True)
                self.greeting = ""
        elif time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + WATCHDOG_EVERY
            self._look()

    def _look(self) -> None:
        if self.queue.uptime() < WATCHDOG_AFTER or self.site.worker_status() != "stalled":
            self.stalled = 0
            return
        self.stalled += 1
        if self.stalled >= 2:
            say(f"{self.queue.name} não dá sinal de vida; reiniciando.")
            self.supervisor.stop([self.queue])
            self.stalled = 0


def bracketed(host: str) -> str:
    """The host as it stands in a URL or bind address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
