"""What the renderer of PDFs practises on, so that no DANFE is the first (lib.pdf)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fiscal.documents.nfe.danfe.printing import TEMPLATES, danfe_html
from lib.pdf_wire import RenderJob

SAMPLE: Path = TEMPLATES / "sample.xml"


def samples() -> Iterator[RenderJob]:
    """A short DANFE."""
    yield RenderJob(html_template=danfe_html(SAMPLE.read_bytes()))
