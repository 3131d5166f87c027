"""One job of the renderer: template, then pages, each under limits of processor time and memory."""

from __future__ import annotations

import errno
import math
import mmap
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lib import pdf_wire
from lib.pdf_wire import CpuExhausted, Kind, Limits, Refused, RenderJob

if TYPE_CHECKING:
    from lib.pdf_layout import Printed, Printer

Engine = Callable[..., str]  # billing.documents.templates.render_html

READ_SECONDS = 30.0  # a client that does not finish sending its job
TEMPLATE, LAYOUT = 1, 2  # the stages, as the zygote reads them


def with_css(html: str, css: str) -> str:
    """`html` with `css` as the last style of its head.

    `</` would end the style element; in CSS `<\\/` means the same and does not.
    """
    if not css.strip():
        return html
    style = f"<style>{css.replace('</', '<' + chr(92) + '/')}</style>"
    at = html.lower().find("</head>")
    return style + html if at < 0 else html[:at] + style + html[at:]


def _used_memory() -> int:
    """Bytes of address space this process has now."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * mmap.PAGESIZE


def _used_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _limit(which: int, soft: int) -> None:
    """Set a soft limit; the hard one stays, or the next stage could not have more."""
    hard = resource.getrlimit(which)[1]
    wanted = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(which, (wanted, hard))


def _unlimited(which: int) -> None:
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (hard, hard))


@contextmanager
def bounds(*, cpu_seconds: float, memory: int) -> Iterator[None]:
    """Let the block use so much processor time and additional memory, then raise.

    CpuExhausted comes from a timer, between two byte codes. One that never ends (9**9**9) meets
    RLIMIT_CPU a second later, which kills the process.
    """

    def exhausted(_signal: int, _frame: object) -> None:
        raise CpuExhausted

    signal.signal(signal.SIGPROF, exhausted)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds, 0.5)
    _limit(resource.RLIMIT_CPU, math.ceil(_used_cpu() + cpu_seconds) + 1)
    _limit(resource.RLIMIT_AS, _used_memory() + memory)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        _unlimited(resource.RLIMIT_AS)
        _unlimited(resource.RLIMIT_CPU)


def seconds(value: float) -> str:
    """`0,3 segundo`, `5 segundos`."""
    return f"{value:g} segundo{'s' if value >= 2 else ''}".replace(".", ",")


def timeout_cause(limits: Limits, *, layout: bool) -> str:
    """What to tell when the processor time of a stage is over."""
    if layout:
        return f"A montagem das páginas passou de {seconds(limits.layout_cpu_seconds)}."
    return f"O modelo passou de {seconds(limits.template_cpu_seconds)} de processamento."


def memory_cause(limits: Limits, *, layout: bool) -> str:
    """What to tell when a stage needs more memory than it may."""
    what = "A montagem das páginas" if layout else "O modelo"
    size = limits.layout_memory if layout else limits.template_memory
    return f"{what} precisa de mais de {size // pdf_wire.MIB} MB de memória."


def fill(engine: Engine | None, job: RenderJob) -> str:
    """The HTML of a job: its template executed, or the finished HTML it brought."""
    if job.context is None or engine is None:
        return with_css(job.html_template, job.css)
    return engine(job.html_template, job.css, job.context, max_size=job.limits.html_size)


def _check_size(html: str, limit: int) -> int:
    size = len(html.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise Refused(Kind.HTML_TOO_LARGE, html_cause(limit))
    return size


def html_cause(limit: int) -> str:
    """What to tell when the HTML is beyond `limit` bytes."""
    size = f"{limit / pdf_wire.MIB:.1f}".removesuffix(".0").replace(".", ",")
    return f"O HTML passa de {size} MB."


def _translated(error: BaseException, limits: Limits, *, layout: bool) -> Refused:
    """Any failure of a stage as the answer to give for it."""
    line = getattr(error, "line", None)
    if isinstance(error, Refused):
        return error
    if isinstance(error, CpuExhausted):
        return Refused(Kind.TEMPLATE_TIMEOUT, timeout_cause(limits, layout=layout), line)
    if isinstance(error, MemoryError):
        return Refused(Kind.TOO_MUCH_MEMORY, memory_cause(limits, layout=layout), line)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refused(Kind.DISK_FULL, "Não há espaço em disco para montar o PDF.")
    if isinstance(error, RecursionError):
        return Refused(Kind.TEMPLATE_ERROR, "O HTML tem elementos demais uns dentro dos outros.")
    return Refused(Kind.TEMPLATE_ERROR, f"O HTML não pôde ser montado: {type(error).__name__}.")


def render(
    job: RenderJob, *, engine: Engine | None, printer: Printer, stage: mmap.mmap
) -> tuple[Printed, int]:
    """Both stages of one job under their limits: the PDF and the bytes of its HTML.

    `stage` is a byte shared with the zygote, which must know where a child died. Raises Refused.
    """
    limits = job.limits
    try:
        stage[0] = TEMPLATE
        with bounds(cpu_seconds=limits.template_cpu_seconds, memory=limits.template_memory):
            html = fill(engine, job)
            size = _check_size(html, limits.html_size)
        stage[0] = LAYOUT
        with bounds(cpu_seconds=limits.layout_cpu_seconds, memory=limits.layout_memory):
            return printer.print(html, job), size
    except (Exception, CpuExhausted) as error:
        raise _translated(error, limits, layout=stage[0] == LAYOUT) from error


def answer(
    channel: socket.socket,
    *,
    engine: Engine | None,
    printer: Printer,
    stage: mmap.mmap,
    prepare: Callable[[], None],
) -> None:
    """Read the job, do it, write the answer. `prepare` makes room for its files."""
    job = pdf_wire.receive_job(channel, until=time.monotonic() + READ_SECONDS)
    channel.settimeout(READ_SECONDS)
    try:
        prepare()
        printed, size = render(job, engine=engine, printer=printer, stage=stage)
    except Refused as refusal:
        send_refusal(channel, refusal)
        return
    except OSError as error:  # no room, most likely
        send_refusal(channel, _translated(error, job.limits, layout=True))
        return
    header = {"pages": printed.pages, "html_size": size, "warnings": printed.warnings}
    pdf_wire.send(channel, header, (printed.pdf,))


def send_refusal(channel: socket.socket, refusal: Refused) -> None:
    """Answer that there is no PDF, and why."""
    header = {"kind": refusal.kind, "cause": refusal.cause, "line": refusal.line}
    pdf_wire.send(channel, header)
