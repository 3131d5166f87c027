"""HTML → PDF for the rest of the system, made in a process of its own (SAFE-3, SAFE-4).

`render(RenderJob(...))` is all there is to it. The renderer starts with the first call, about
1.5 s, and stays; each document is made in a child of it, in parallel for several threads. What a
document may do there is in lib/pdf_worker.py: no network, no files, bounded time and memory.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lib import pdf_wire
from lib.pdf_wire import BrokenMessage, Kind, Limits, RenderJob

__all__ = [
    "ENGINE_VERSION",
    "Kind",
    "Limits",
    "RenderFailed",
    "RenderJob",
    "RenderedPdf",
    "render",
    "stop",
    "warm_up",
]

log = logging.getLogger(__name__)

# Named, not imported: this package knows no invoice. The first fills a template in, the others
# give the jobs that the renderer does once for practice.
TEMPLATE_ENGINE = "billing.documents.templates:render_html"
TEMPLATE_SAMPLES = "billing.documents.templates:samples,fiscal.documents.nfe.danfe.samples:samples"
# Raised by hand when the same source would give other bytes: base styles, fonts, PDF variant.
LAYOUT_VERSION = 1
ENGINE_VERSION = f"weasyprint-{version('weasyprint')}/jinja-{version('jinja2')}/{LAYOUT_VERSION}"

START_SECONDS = 60.0  # a cold disk and a busy machine; 1.5 s here
GRACE_SECONDS = 5.0  # the renderer ends its own children first
_DIED = "O processo que monta o PDF terminou sem responder."
_ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHASHSEED")


@dataclass(frozen=True)
class RenderedPdf:
    """A PDF and what it took. `warnings` are pt-BR, e.g. resources that were not fetched."""

    pdf: bytes
    pages: int
    html_size: int
    seconds: float
    warnings: tuple[str, ...] = ()


class RenderFailed(Exception):
    """There is no PDF: `cause` in pt-BR for people, `kind` for programs, `line` of the template."""

    def __init__(self, cause: str, *, kind: Kind, line: int | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.kind = kind
        self.line = line


class Renderer:
    """One renderer process, started when it is first needed and again after it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # More at once would only slow each other down and multiply the memory.
        self._places = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder = ""

    def render(self, job: RenderJob) -> RenderedPdf:
        """See `lib.pdf.render`."""
        started = time.monotonic()
        with self._places, self._open(job.limits) as channel:
            header, blocks = _exchange(channel, job)
        if "kind" in header:
            raise RenderFailed(header["cause"], kind=Kind(header["kind"]), line=header["line"])
        return RenderedPdf(
            pdf=blocks[0],
            pages=header["pages"],
            html_size=header["html_size"],
            seconds=time.monotonic() - started,
            warnings=tuple(header["warnings"]),
        )

    def start(self) -> None:
        """Start the process unless it runs; does not wait for it to be ready."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()

    def stop(self) -> None:
        """End the process; the next rendering starts another."""
        with self._lock:
            self._stop()

    def _open(self, limits: Limits) -> socket.socket:
        """A channel to a child of the renderer, which is restarted if it turns out to be dead."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._hand_over(theirs, limits)
            except OSError:
                log.warning("pdf.renderer_restarted")
                self._restart(theirs, limits)
        return ours

    def _restart(self, channel: socket.socket, limits: Limits) -> None:
        try:
            self.stop()
            self._hand_over(channel, limits)
        except OSError as error:
            raise RenderFailed(_DIED, kind=Kind.WORKER_DIED) from error

    def _hand_over(self, channel: socket.socket, limits: Limits) -> None:
        self.start()
        with self._lock:
            if self._control is None:
                raise BrokenMessage("stopped meanwhile")
            text = pdf_wire.dumps(asdict(limits)).encode()
            socket.send_fds(self._control, [text], [channel.fileno()])

    def _start(self) -> None:
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(START_SECONDS)
        self._folder = tempfile.mkdtemp(prefix="faturamento-pdf-")
        with theirs:
            self._process = subprocess.Popen(
                _command(theirs.fileno(), self._folder),
                cwd=_ROOT,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0 if self._process.poll() is not None else 2)
            self._process.kill()
            self._process.wait()
            shutil.rmtree(self._folder, ignore_errors=True)  # a renderer killed has left it
        self._control = self._process = None

    def forget(self) -> None:
        """In a forked copy of this process: the renderer is the parent's, not ours."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.returncode = 0  # or Popen warns that it was never waited for
        self.__init__()  # type: ignore[misc]


def _command(descriptor: int, folder: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "lib.pdf_worker",
        str(descriptor),
        str(os.getpid()),
        folder,
        TEMPLATE_ENGINE,
        TEMPLATE_SAMPLES,
    ]


def _exchange(channel: socket.socket, job: RenderJob) -> tuple[dict[str, Any], list[bytes]]:
    """Send the job and wait for its answer. Raises RenderFailed when there is none."""
    until = time.monotonic() + START_SECONDS + job.limits.wall_seconds + GRACE_SECONDS
    channel.settimeout(START_SECONDS)
    try:
        # A child may answer before it read all of the job, or die: what it said still counts.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            pdf_wire.send_job(channel, job)
        return pdf_wire.receive(channel, until=until)
    except TimeoutError as error:
        log.warning("pdf.renderer_silent")
        raise RenderFailed("O PDF não ficou pronto a tempo.", kind=Kind.TEMPLATE_TIMEOUT) from error
    except OSError as error:
        log.warning("pdf.renderer_died")
        raise RenderFailed(_DIED, kind=Kind.WORKER_DIED) from error


_renderer = Renderer()
# Prefork servers and the queue fork after the import: each process gets a renderer of its own.
os.register_at_fork(after_in_child=lambda: _renderer.forget())


def render(job: RenderJob) -> RenderedPdf:
    """Make one PDF. The same job gives the same bytes, in any process (PDF-6).

    Raises RenderFailed. A resource that may not be fetched is no failure: it is left out and told
    in `warnings`. TypeError when `job.context` holds anything but plain data.
    """
    return _renderer.render(job)


def warm_up() -> None:
    """Start the renderer now, without waiting, so that the first PDF does not."""
    _renderer.start()


def stop() -> None:
    """End the renderer of this process; the next rendering starts another."""
    _renderer.stop()
