"""Document templates: checked when they are saved, executed in a sandbox when they are printed.

The sandbox (SAFE-1) keeps a template away from Python; it does not bound time or memory. That is
why `render_html` runs inside the renderer process of lib.pdf and nowhere else, and why nothing here
evaluates an expression while compiling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, NoReturn

from jinja2 import ChainableUndefined, Template, TemplateSyntaxError, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from billing.documents import faults
from billing.documents.colors import css_variables
from billing.documents.filters import FILTERS
from billing.documents.linting import TemplateWarning, css_warnings, member_name, unknown_variables
from billing.documents.numbers import for_template
from billing.documents.variables import sample_context
from lib.pdf_job import html_cause, with_css
from lib.pdf_wire import CpuExhausted, Kind, Refused, RenderJob

MAX_SOURCE = 1024 * 1024
SHIPPED = Path(__file__).resolve().parents[2] / "templates" / "billing" / "documents"
SANDBOX_TEXT = "HOMOLOGAÇÃO – documentos sem validade fiscal"

# These answer differently each time, or reach beyond the document.
_REMOVED_FILTERS = ("random", "pprint", "xmlattr")
_REMOVED_GLOBALS = ("lipsum",)
_FORBIDDEN: dict[type[nodes.Node], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.Extends: "extends",
    nodes.EvalContextModifier: "autoescape",
}
_SUSPECTS: tuple[type[nodes.Node], ...] = (
    *_FORBIDDEN,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Test,
)
_BANNER_STYLE = (
    "position:fixed;top:0;left:0;right:0;margin:0;padding:2pt;text-align:center;"
    "font:600 8pt Inter,sans-serif;color:#6b4700;background:#fff3d1"
)


class TemplateFault(Refused):
    """What is wrong with a template, and where. `message` is pt-BR, `column` counts from 1."""

    def __init__(
        self, line: int, column: int, message: str, *, kind: Kind = Kind.TEMPLATE_SYNTAX
    ) -> None:
        super().__init__(kind, message, line)
        self.line: int = line
        self.column = column
        self.message = message

    @property
    def text(self) -> str:
        """The whole sentence, as the editor shows it."""
        return f"Linha {self.line}, coluna {self.column}: {self.message}"


class Blank(ChainableUndefined):
    """A missing variable: prints nothing, however deep it is asked (SAFE-2)."""

    __slots__ = ()


class DocumentEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox without files, without constant folding and without internal attributes."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The key of a dict before its methods, so that a field may be called `items`."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        """Refuse at once; Jinja's own answer would print as a missing variable."""
        raise SecurityError(attribute)


@pass_context
def _finalize(_context: Context, value: Any) -> Any:
    """None prints nothing. Taking the context also keeps Jinja from computing while it compiles."""
    return "" if value is None else value


@cache
def environment() -> DocumentEnvironment:
    """The one environment of all templates."""
    env = DocumentEnvironment(
        autoescape=True, optimized=False, undefined=Blank, finalize=_finalize, cache_size=0
    )
    for name in _REMOVED_FILTERS:
        del env.filters[name]
    for name in _REMOVED_GLOBALS:
        del env.globals[name]
    env.filters.update(FILTERS)
    return env


# --- checking --------------------------------------------------------------------------------


@dataclass(frozen=True)
class CompiledTemplate:
    """A template that has no syntax error."""

    html: str
    css: str
    tree: nodes.Template
    code: CodeType

    def lint(self, known: set[str]) -> list[TemplateWarning]:
        """Unknown variables and broken CSS: warnings, the template still prints (SAFE-2).

        `known` holds paths such as `client.name` and `transactions[].title`.
        """
        unknown = unknown_variables(self.tree, known=known, globals_=environment().globals)
        return [*unknown, *css_warnings(self.css)]


def compile_template(html: str, css: str) -> CompiledTemplate:
    """Check a template without running any of it. Raises TemplateFault."""
    if len(html) + len(css) > MAX_SOURCE:
        raise TemplateFault(1, 1, "O modelo passa de 1 MB.")
    tree, code = _kept.get(html) or _compiled(html)
    return CompiledTemplate(html, css, tree, code)


# Only what `samples` puts here: the shipped templates, some 20 ms each.
_kept: dict[str, tuple[nodes.Template, CodeType]] = {}


def _compiled(html: str) -> tuple[nodes.Template, CodeType]:
    try:
        tree = environment().parse(html)
        _check(tree, html)
        return tree, environment().compile(tree)
    except TemplateSyntaxError as error:
        raise _syntax_fault(error, html) from error
    except (RecursionError, MemoryError) as error:
        raise TemplateFault(1, 1, "O modelo tem partes demais umas dentro das outras.") from error
    except (ValueError, SyntaxError) as error:  # a number of 5,000 digits; Python's own limits
        raise TemplateFault(1, 1, f"Erro de sintaxe no modelo: {error}") from error


def _check(tree: nodes.Template, html: str) -> None:
    """What parses and is not allowed, first line first. Raises TemplateFault."""
    found = sorted(_objections(tree), key=lambda objection: objection[0])
    if found:
        line, what, message = found[0]
        raise TemplateFault(line, faults.column(html, line, what), message)


def _objections(tree: nodes.Template) -> Iterator[tuple[int, str, str]]:
    """Line, the text at fault, the message."""
    for node in tree.find_all(_SUSPECTS):  # one walk: each takes a millisecond of every document
        found = _objection(node)
        if found:
            yield node.lineno, *found


def _objection(node: nodes.Node) -> tuple[str, str] | None:
    """The text at fault and the message, for a node that is not allowed."""
    env = environment()
    if isinstance(node, tuple(_FORBIDDEN)):
        word = _FORBIDDEN.get(type(node), "autoescape")
        return word.split()[0], f"{word} não é permitido em modelos."
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        name = member_name(node) or ""
        return (name, faults.forbidden(name)) if name.startswith("_") else None
    if isinstance(node, nodes.Filter) and node.name not in env.filters:
        return node.name, faults.no_filter(node.name, env.filters)
    if isinstance(node, nodes.Test) and node.name not in env.tests:
        return node.name, f"O teste {node.name} não existe."
    return None


def _syntax_fault(error: TemplateSyntaxError, html: str) -> TemplateFault:
    message, token = faults.translate_syntax(error.message or "")
    return TemplateFault(error.lineno, faults.column(html, error.lineno, token), message)


# --- printing --------------------------------------------------------------------------------


def samples() -> Iterator[RenderJob]:
    """A short invoice for each shipped template, which needs no compiling from then on.

    For the renderer to practise on: what every child would prepare again, compiled code and the
    style and glyph caches of WeasyPrint, is there when it is forked.
    """
    for path in sorted(SHIPPED.glob("*.html"), reverse=True):  # the default one, simples, first
        html, css = path.read_text("utf-8"), path.with_suffix(".css").read_text("utf-8")
        _kept[html] = _compiled(html)
        yield RenderJob(html, css, sample_context(n_lines=2, n_receivables=2))


def render_html(
    html: str, css: str, context: Mapping[str, Any], *, max_size: int | None = None
) -> str:
    """The finished HTML of a document: template filled in, style sheet and colours added.

    For the renderer process only, which bounds its time and memory. `max_size` is in bytes.
    Raises TemplateFault or Refused with the line of the template.
    """
    compiled = compile_template(html, css)
    data = _prepared(context)
    body = _with_banner(_fill(compiled, data, max_size), data)
    organization = data.get("organization")
    of = organization if isinstance(organization, dict) else {}
    return with_css(body, css_variables(of.get("color_primary"), of.get("color_accent")) + css)


def _fill(compiled: CompiledTemplate, data: dict[str, Any], max_size: int | None) -> str:
    env = environment()
    template = Template.from_code(env, compiled.code, env.make_globals(None))
    pieces = template.generate(data)
    try:
        return _joined(pieces, max_size)
    except Refused:
        raise
    except CpuExhausted as error:
        error.line = line_of(error) or _line_reached(pieces)
        raise
    except MemoryError as error:
        raise _exhausted(error) from error
    except Exception as error:
        # A template is somebody's program: whatever it raises is a fault of one of its lines.
        line = line_of(error) or 1
        raise TemplateFault(line, 1, faults.explain(error), kind=Kind.TEMPLATE_ERROR) from error


def _exhausted(error: MemoryError) -> Refused:
    return Refused(
        Kind.TOO_MUCH_MEMORY, "O modelo precisa de mais memória do que pode usar.", line_of(error)
    )


def _joined(pieces: Iterator[str], max_size: int | None) -> str:
    """The pieces of the document, refused as soon as they are too much."""
    parts, size = [], 0
    for piece in pieces:
        size += len(piece)
        if max_size is not None and size > max_size:
            raise Refused(Kind.HTML_TOO_LARGE, html_cause(max_size))
        parts.append(piece)
    return "".join(parts)


def line_of(error: BaseException) -> int | None:
    """The innermost template line that `error` passed through."""
    line = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        found = trace.tb_frame.f_globals
        if "__jinja_template__" in found:  # compiled code
            line = found["__jinja_template__"].get_corresponding_lineno(trace.tb_lineno)
        elif "__jinja_exception__" in found:  # a frame that Jinja has translated already
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _line_reached(pieces: Any) -> int | None:
    """The template line where its generator waits, when the time ended outside of it."""
    while getattr(pieces, "gi_yieldfrom", None) is not None:
        pieces = pieces.gi_yieldfrom
    frame: FrameType | None = getattr(pieces, "gi_frame", None)
    if frame is None or "__jinja_template__" not in frame.f_globals:
        return None
    line: int = frame.f_globals["__jinja_template__"].get_corresponding_lineno(frame.f_lineno)
    return line


def _prepared(context: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that compute, and drawings that are not escaped."""
    data: dict[str, Any] = for_template(dict(context))
    _mark_drawings(data)
    return data


def _mark_drawings(value: Any) -> None:
    """Fields named `…_svg` hold SVG of lib.drawing, never text of a customer."""
    if isinstance(value, list):
        for item in value:
            _mark_drawings(item)
    if isinstance(value, dict):
        for key, item in value.items():
            if key.endswith("_svg") and isinstance(item, str):
                value[key] = Markup(item)  # noqa: S704
            else:
                _mark_drawings(item)


def _with_banner(body: str, data: dict[str, Any]) -> str:
    """Sandbox documents say so on every page, whatever their template does (ux §1.5)."""
    if not data.get("sandbox") or SANDBOX_TEXT in body:
        return body
    banner = f'<p style="{_BANNER_STYLE}">{escape(SANDBOX_TEXT)}</p>'
    at = body.lower().rfind("</body>")
    return body + banner if at < 0 else body[:at] + banner + body[at:]
