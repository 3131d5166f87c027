"""For development: what would have been sent, told on the terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from billing.gateways.mail.base import Letter, NotNow, Taken


class Console:
    """Takes everything and sends nothing."""

    can_ask = False

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, letter: Letter) -> Taken:
        files = ", ".join(f"{file.name} ({len(file.content)} bytes)" for file in letter.files)
        lines = [
            "-" * 79,
            f"De: {letter.sender}",
            f"Para: {letter.recipient}",
            f"Assunto: {letter.subject}",
            *([f"Anexos: {files}"] if files else []),
            "",
            letter.text,
            "-" * 79,
        ]
        print("\n".join(lines), file=self._stream or sys.stdout, flush=True)
        return Taken(letter.reference, "mostrado no terminal")

    def find(self, reference: str) -> Taken | None:
        raise NotNow("o terminal não guarda o que mostrou")
