"""The renderer process: a zygote with Jinja and WeasyPrint loaded, which forks a child per job.

Started by lib.pdf as `python -m lib.pdf_worker …`. Each message on the control socket
carries the descriptor of one more socket: the child forked for it reads the job there and answers
there, under limits, so a template can exhaust or crash nothing but itself. The zygote only watches
the clock and writes the answer of children that died.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import logging
import mmap
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from lib import pdf_job, pdf_wire
from lib.pdf_wire import Kind, Limits, Refused, RenderJob

log = logging.getLogger(__name__)

PARENT_LOOK_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
# What Pango, GLib and FreeType do when they get no memory.
_MEMORY_SIGNALS = {signal.SIGABRT, signal.SIGTRAP, signal.SIGSEGV, signal.SIGBUS}
_LIBC = ctypes.CDLL(None)


@dataclass
class Child:
    """A job under way, as the zygote sees it."""

    pid: int
    channel: socket.socket
    limits: Limits
    stage: mmap.mmap
    ends_at: float
    is_late: bool = False


class Zygote:
    """Forks a child for each job and answers for those that die."""

    def __init__(
        self,
        control: socket.socket,
        *,
        engine: pdf_job.Engine,
        samples: Callable[[], Iterator[RenderJob]],
        parent: int,
        folder: Path,
    ) -> None:
        from lib.pdf_layout import Printer  # the slow import, once

        self.engine = engine
        self._samples = samples
        self._practice, self._has_practice = self._practise(), True
        self._control = control
        self._parent = parent
        self._children: dict[int, Child] = {}
        self._folder = folder
        tempfile.tempdir = str(self._folder)
        self.printer = Printer()
        self.printer.warm_up()

    def run(self) -> None:
        """Work until the client closes the control socket or dies."""
        self._listen_to_children()
        self._settle()
        try:
            while self._turn():
                pass
        finally:
            self._end()

    def _settle(self) -> None:
        """Make ready to fork."""
        # A thread of the warm-up (Pango 1.52 and later) does not exist in a forked child.
        self._fonts_survive_fork = len(os.listdir("/proc/self/task")) == 1
        gc.collect()
        gc.freeze()  # a collection in the child would otherwise copy every page it visits

    def _practise(self) -> Iterator[bool]:
        """Print documents like those to come, one for each step, so that no child is the first to.

        It takes 40 ms of 300 off an invoice. Done while nobody waits, not before the first job.
        """
        try:
            for job in self._samples():
                self.printer.print(pdf_job.fill(self.engine, job), job)
                self._settle()
                yield True
        except Exception:  # nobody asked for these: told, and the renderer works all the same
            log.exception("pdf.practice_failed")

    def _listen_to_children(self) -> None:
        self._wake_up, wake = os.pipe()
        os.set_blocking(self._wake_up, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)

    def _turn(self) -> bool:
        """Wait for something to happen and see to it. False when the client is gone."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake_up, select.POLLIN)
        for child in self._children.values():
            poller.register(child.channel, 0)  # only a hang-up
        ready = dict(poller.poll(self._patience() * 1000))
        if not ready:
            self._has_practice = next(self._practice, False)
        self._reap()
        self._kill(ready)
        if self._control.fileno() in ready and not self._accept():
            return False
        return os.getppid() == self._parent

    def _patience(self) -> float:
        """Seconds until something has to be looked at, or can be done meanwhile."""
        if self._has_practice:
            return 0.0
        now = time.monotonic()
        ends = [child.ends_at - now for child in self._children.values() if not child.is_late]
        return max(0.0, min([PARENT_LOOK_SECONDS, *ends]))

    def _accept(self) -> bool:
        """Fork a child for the next job. False at the end of the control socket."""
        message, descriptors, _, _ = socket.recv_fds(self._control, 4096, 1)
        if not descriptors:
            return False
        channel = socket.socket(fileno=descriptors[0])
        limits = Limits(**pdf_wire.loads(message))
        stage = mmap.mmap(-1, 1)
        try:
            pid = os.fork()
        except OSError:
            self._refuse(channel, Refused(Kind.TOO_MUCH_MEMORY, "Não há memória para o PDF."))
            return True
        if pid == 0:
            self._be_child(channel, stage)
        ends_at = time.monotonic() + limits.wall_seconds
        self._children[pid] = Child(pid, channel, limits, stage, ends_at)
        return True

    def _be_child(self, channel: socket.socket, stage: mmap.mmap) -> NoReturn:
        """Leave the zygote behind, do one job and end without any clean-up of the parent's."""
        code = 1
        try:
            zygote = os.getppid()
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != zygote:
                os._exit(code)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # customer data; and slow to write
            gc.disable()  # it ends before garbage matters, and layouts are one big live tree
            self._forget_siblings()
            pdf_job.answer(
                channel,
                engine=self.engine,
                printer=self.printer,
                stage=stage,
                prepare=self._own_folder,
            )
            code = 0
        finally:
            os._exit(code)

    def _forget_siblings(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        for child in self._children.values():
            child.channel.close()

    def _own_folder(self) -> None:
        """Fonts of this document go where no other job sees them; the zygote removes the folder."""
        folder = self._folder / str(os.getpid())
        folder.mkdir()
        tempfile.tempdir = str(folder)
        if self._fonts_survive_fork:
            self.printer.forget_font_folder()
        else:
            self.printer.read_fonts()

    def _reap(self) -> None:
        """Answer for the children that ended."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_up, 4096)
        for pid in list(self._children):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                child = self._children.pop(pid)
                shutil.rmtree(self._folder / str(pid), ignore_errors=True)
                self._close(child, status, usage.ru_maxrss * 1024)

    def _close(self, child: Child, status: int, peak: int) -> None:
        if os.waitstatus_to_exitcode(status) != 0:
            self._refuse(child.channel, self._obituary(child, status, peak))
        child.channel.close()
        child.stage.close()

    def _refuse(self, channel: socket.socket, refusal: Refused) -> None:
        channel.settimeout(1.0)
        with contextlib.suppress(OSError):  # the client may be gone
            pdf_job.send_refusal(channel, refusal)

    def _obituary(self, child: Child, status: int, peak: int) -> Refused:
        """Why the child died, as well as its signal and its peak of resident memory tell."""
        limits, layout = child.limits, child.stage[0] == pdf_job.LAYOUT
        by = -os.waitstatus_to_exitcode(status)
        if child.is_late:
            cause = f"O PDF não ficou pronto em {pdf_job.seconds(limits.wall_seconds)}."
            return Refused(Kind.TEMPLATE_TIMEOUT, cause)
        if by in (signal.SIGXCPU, signal.SIGPROF):
            return Refused(Kind.TEMPLATE_TIMEOUT, pdf_job.timeout_cause(limits, layout=layout))
        allowed = limits.layout_memory if layout else limits.template_memory
        if by in _MEMORY_SIGNALS and peak > allowed * 0.5:
            return Refused(Kind.TOO_MUCH_MEMORY, pdf_job.memory_cause(limits, layout=layout))
        return Refused(Kind.WORKER_DIED, "O processo que monta o PDF terminou sem responder.")

    def _kill(self, ready: dict[int, int]) -> None:
        """End the children past their time, and those whose client no longer listens."""
        now = time.monotonic()
        for child in self._children.values():
            gone = ready.get(child.channel.fileno(), 0) & select.POLLHUP
            if not child.is_late and (gone or now >= child.ends_at):
                child.is_late = True
                os.kill(child.pid, signal.SIGKILL)

    def _end(self) -> None:
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)


def load(name: str) -> Callable[..., Any]:
    """The function behind `package.module:function`."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def load_samples(names: str) -> Callable[[], Iterator[RenderJob]]:
    """The jobs of the functions `package.module:function,…`, each loaded when its turn comes."""

    def samples() -> Iterator[RenderJob]:
        for name in names.split(","):
            yield from load(name)()

    return samples


def main(arguments: list[str]) -> None:
    """`<descriptor of the control socket> <pid of the client> <folder of its own>` and names,
    `package.module:function`: `<engine> <samples>[,<samples>…]`.
    """
    descriptor, parent, folder, engine, samples = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client, whose end we notice
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    control = socket.socket(fileno=int(descriptor))
    zygote = Zygote(
        control,
        engine=load(engine),
        samples=load_samples(samples),
        parent=int(parent),
        folder=Path(folder),
    )
    zygote.run()


if __name__ == "__main__":
    main(sys.argv[1:])
