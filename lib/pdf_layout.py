"""HTML → PDF with WeasyPrint, offline: what the renderer process does after the template.

Only the renderer imports this module; it costs one second and 60 MB.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element, SubElement

from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from lib.pdf_wire import Kind, Limits, Refused, RenderJob

FONTS_FOLDER = Path(__file__).resolve().parent.parent / "static" / "fonts"
FONT_FAMILY = "Inter"
PDF_VARIANT = "pdf/a-3u"

_FONT_FILE = re.compile(r"fonts/([\w.-]+\.(?:woff2|ttf|otf))")
_WEIGHTS = (400, 600, 700)
_MIME = {".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".css": "text/css"}

_WATERMARK_CSS = """
.marca-dagua-do-sistema {
  position: fixed; z-index: 2147483647; left: -20mm; right: -20mm; top: 38%;
  margin: 0; text-align: center; font: 700 1pt/1 Inter, sans-serif; letter-spacing: .06em;
  white-space: nowrap; color: rgba(179, 38, 30, .22); transform: rotate(-35deg);
}
"""

_WARM_UP_ROWS = "".join(
    f"<tr><td>Serviço {n}</td><td class='n'>{n},00</td></tr>" for n in range(12)
)
_WARM_UP = f"""<!doctype html><html lang="pt-BR"><head><title>Fatura</title><style>
@page {{ size: A4; margin: 15mm; @bottom-right {{ content: "Página " counter(page) }} }}
body {{ color: #1b1f24; font-size: 9pt }} .x {{ display: flex; border: 1px solid #ccc }}
table {{ width: 100%; border-collapse: collapse }} td.n {{ text-align: right }}
</style></head><body><h1>Fatura nº 1</h1><div class="x"><p>a</p><b>ção</b>
<span style="font-weight: 600">R$ 1.234,56</span></div><p>ő</p>
<table><thead><tr><th>a</th></tr></thead><tbody>{_WARM_UP_ROWS}</tbody></table>
<a href="https://exemplo.com.br/">pagar</a>
<svg width="20" height="20" viewBox="0 0 2 2"><path d="M0 0h1v1h-1z"/></svg></body></html>
"""


@dataclass(frozen=True)
class Printed:
    """A PDF, how many pages it has, and what was asked for and not fetched."""

    pdf: bytes
    pages: int
    warnings: tuple[str, ...]


class OfflineFetcher(URLFetcher):  # type: ignore[misc]  # weasyprint has no type information
    """Serves `data:` URLs, the job's `asset:` names and the shipped fonts; nothing else exists.

    The parent class would follow http, ftp, file and redirects. ValueError makes WeasyPrint go on
    without the resource; its own fatal error is a BaseException that nobody catches.
    """

    def __init__(self, assets: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=("data",), allow_redirects=False)
        self._assets = assets
        self.warnings: list[str] = []

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> URLFetcherResponse:
        """The resource behind `url`, or ValueError and a warning."""
        scheme = url.partition(":")[0].lower()
        if scheme == "data":
            return super().fetch(url, headers)
        if scheme != "asset":
            self.refuse(f"Recursos externos não são permitidos: {url[:200]}")
        name = unquote(url[len("asset:") :])
        body = self._assets.get(name)
        if body is None:
            body = _shipped_font(name)
        if body is None:
            self.refuse(f"O arquivo {name[:200]} não existe.")
        mime = _MIME.get(Path(name).suffix.lower(), "application/octet-stream")
        return URLFetcherResponse(url, body, {"Content-Type": mime})

    def refuse(self, warning: str) -> None:
        """Keep the warning, once, and give the resource up."""
        if warning not in self.warnings:
            self.warnings.append(warning)
        raise ValueError(warning)


def _shipped_font(name: str) -> bytes | None:
    """A font of static/fonts; the name has no folders, so it cannot leave that one."""
    found = _FONT_FILE.fullmatch(name)
    path = FONTS_FOLDER / found[1] if found else None
    return path.read_bytes() if path and path.is_file() else None


def _base_css() -> str:
    """Our fonts, by name, and the defaults every document starts from."""
    faces = "".join(
        f"@font-face{{font-family:{FONT_FAMILY};font-weight:{weight};"
        f"src:url(asset:fonts/inter-{weight}.woff2)}}"
        for weight in _WEIGHTS
    )
    return faces + f":where(html){{font-family:{FONT_FAMILY},sans-serif}}"


class _PageCounter(logging.Handler):
    """Stops the layout at the page after the last allowed one.

    WeasyPrint tells of pages only in its progress log, and a tiny text can ask for a million.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(logging.INFO)
        self._limit = limit

    def emit(self, record: logging.LogRecord) -> None:
        """Called before each page is laid out."""
        page = record.args[0] if isinstance(record.args, tuple) and record.args else 0
        if "- Page" in record.msg and isinstance(page, int) and page > self._limit:
            raise Refused(Kind.TOO_MANY_PAGES, f"O documento passa de {self._limit} páginas.")


@contextmanager
def _page_limit(limit: int) -> Iterator[None]:
    logger = logging.getLogger("weasyprint.progress")
    counter = _PageCounter(limit)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(counter)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(counter)
        logger.setLevel(level)
        logger.propagate = propagate


class _Fonts(FontConfiguration):  # type: ignore[misc]
    """A font configuration that knows what it has read by the rule, not by the file on disk."""

    def __init__(self) -> None:
        super().__init__()
        self._read: set[str] = set()

    def add_font_face(self, rule_descriptors: Mapping[str, object], url_fetcher: object) -> None:
        """Read the font of an @font-face rule unless this very rule was read before."""
        key = str(rule_descriptors)
        if key not in self._read:
            super().add_font_face(rule_descriptors, url_fetcher)
            self._read.add(key)  # only now: a full disk may have been in the way


class Printer:
    """WeasyPrint with our fonts read already. Made once; each forked child uses its copy."""

    def __init__(self) -> None:
        self.read_fonts()

    def read_fonts(self) -> None:
        """Unpack the shipped fonts into a temporary folder and read them."""
        self._fonts = _Fonts()
        self._base = CSS(
            string=_base_css(), font_config=self._fonts, url_fetcher=OfflineFetcher({})
        )

    def forget_font_folder(self) -> None:
        """Fonts of the next document go to a folder of their own."""
        self._fonts._folder = None

    def warm_up(self) -> None:
        """Print a small document, so that fonts, tables and style caches are ready."""
        self.print(_WARM_UP, RenderJob(html_template=""))

    def print(self, html: str, job: RenderJob) -> Printed:
        """The PDF of `html`. Raises Refused when it is beyond the job's limits."""
        fetcher = OfflineFetcher(job.assets)
        document = HTML(string=html, url_fetcher=fetcher)
        _prepare(document.etree_element, job, fetcher)
        with _page_limit(job.limits.pages):
            pages = document.render(
                font_config=self._fonts, stylesheets=self._stylesheets(job), **_OPTIONS
            )
        if job.fit_height:
            for page in pages.pages:
                _cut_below_content(page)
        buffer = _Bounded(job.limits)
        pages.write_pdf(buffer, **_OPTIONS)
        return Printed(buffer.getvalue(), len(pages.pages), tuple(fetcher.warnings))

    def _stylesheets(self, job: RenderJob) -> list[CSS]:
        sheets = [self._base]
        if job.watermark:
            sheets.append(CSS(string=_WATERMARK_CSS, url_fetcher=OfflineFetcher({})))
        return sheets


_OPTIONS = {"pdf_variant": PDF_VARIANT}


def _cut_below_content(page: Any) -> None:
    """End the page where its content and its bottom margin end.

    CSS has no page as high as its content, and a second layout would double the cost. The writer
    takes the height of the sheet from `page.height` and measures everything else from the top.
    """
    box = page._page_box
    root = box.children[0]
    bottom = max(
        (child.position_y + child.margin_height() for child in _body(root).children),
        default=root.position_y,
    )
    page.height = min(page.height, bottom + box.margin_bottom)


def _body(root: Any) -> Any:
    return next((child for child in root.children if child.element_tag == "body"), root)


class _Bounded(io.BytesIO):
    """A file in memory that refuses to grow past the largest PDF allowed."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limit = limits.pdf_size

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write, or raise Refused."""
        if self.tell() + len(data) > self._limit:
            size = f"{self._limit / (1024 * 1024):.0f}"
            raise Refused(Kind.PDF_TOO_LARGE, f"O PDF passa de {size} MB.")
        return super().write(data)


def _prepare(root: Element, job: RenderJob, fetcher: OfflineFetcher) -> None:
    """Language, watermark, and no attachments: they would embed files in the PDF."""
    root.attrib.setdefault("lang", job.language)
    for element in root.iter():
        if "attachment" in (element.get("rel") or "").lower().split():
            _drop_attachment(element, fetcher)
    body = root.find("body")
    if job.watermark and body is not None:
        size = min(96, 760 // len(job.watermark))  # points; fits the diagonal of an A4 page
        attributes = {"class": "marca-dagua-do-sistema", "style": f"font-size: {size}pt"}
        mark = SubElement(body, "p", attributes)
        mark.text = job.watermark


def _drop_attachment(element: Element, fetcher: OfflineFetcher) -> None:
    del element.attrib["rel"]
    fetcher.warnings.append(f"Anexos não são permitidos: {(element.get('href') or '')[:200]}")
