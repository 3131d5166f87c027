"""A city without web service: its notes go as a file, and nothing here is ever sent (§6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fiscal.authorities.base import Credentials, NotOffered
from fiscal.authorities.provider import Features, Outcome
from fiscal.documents.service import Declared, NoteRef, Prepared, RpsIdentity
from fiscal.signing import Signer
from lib.errors import FieldError

SLUG = "arquivo"
_NOT_HERE = "O município não recebe notas por web service: gere o arquivo em /v2/lotes_rps."


class FileOnly:
    """Takes no note by itself; engine and lists know its notes by this name."""

    slug = SLUG
    features = Features(
        sends=False, cancels=False, replaces=False, has_test=False, resends_safely=False
    )

    def __init__(self, municipality: str, ambiente: str) -> None:
        self.municipality, self.ambiente = municipality, ambiente

    @property
    def route(self) -> str:
        return f"M{self.municipality}"

    def check(self, declared: Declared) -> Sequence[FieldError]:
        return [FieldError("prestador.codigo_municipio", _NOT_HERE)]

    def build(self, declared: Declared, identity: RpsIdentity, *, signer: Signer) -> Prepared:
        raise NotOffered(_NOT_HERE)

    def send(self, prepared: Prepared, *, credentials: Credentials) -> Outcome:
        raise NotOffered(_NOT_HERE)

    def find(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        raise NotOffered(_NOT_HERE)

    def build_cancellation(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        raise NotOffered(_NOT_HERE)

    def send_cancellation(
        self, prepared: Prepared, note: NoteRef, *, credentials: Credentials
    ) -> Outcome:
        raise NotOffered(_NOT_HERE)

    def find_cancellation(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        raise NotOffered(_NOT_HERE)
