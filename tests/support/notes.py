"""Authorized documents to put events on, through /v2 and the sandbox authority."""

from __future__ import annotations

from typing import Any

import pytest
from support.issuing import nfce_body, nfe_body

from fiscal.authorities import sefaz
from fiscal.authorities.transport import Limits
from fiscal.models import FiscalDocument, FiscalEvent, Inutilizacao
from fiscal.services.delivery import advance
from fiscal.tasks import resume_event, resume_void

WHY = "Venda desfeita pelo comprador"


def work_off() -> None:
    """What the queue would do with new documents."""
    for pk in FiscalDocument.objects.filter(state="recebido").values_list("pk", flat=True):
        advance(pk)


def resume_all() -> None:
    """What the sweep would do with events and voidings that wait."""
    for model, task in ((FiscalEvent, resume_event), (Inutilizacao, resume_void)):
        for pk in model.objects.exclude(next_attempt_at=None).values_list("pk", flat=True):
            task(pk)


def issued_nfe(client: Any, ref: str = "r1", **fields: Any) -> dict[str, Any]:
    """An authorized NF-e, as the query tells it."""
    client.post("nfe", nfe_body(**fields), ref=ref)
    work_off()
    told: dict[str, Any] = client.get(f"nfe/{ref}").json()
    assert told["status"] == "autorizado", told
    return told


def issued_nfce(client: Any, ref: str = "r1", **fields: Any) -> dict[str, Any]:
    told: dict[str, Any] = client.post("nfce", nfce_body(**fields), ref=ref).json()
    assert told["status"] == "autorizado", told
    return told


def impatient(monkeypatch: pytest.MonkeyPatch, seconds: float = 1) -> None:
    """Answers that take longer than this are lost."""
    original = sefaz.Sefaz.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("changing", Limits(read=seconds))
        kwargs.setdefault("asking", Limits(read=5))
        original(self, *args, **kwargs)

    monkeypatch.setattr(sefaz.Sefaz, "__init__", init)


class Killed(BaseException):
    """The worker is gone: no handler of the product sees it."""
