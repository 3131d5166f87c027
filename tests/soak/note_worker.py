"""What a process of the soak of service notes does, by the clock that hurries (soak.pace).

`work` is the worker of soak.fiscal_worker; `accept` hands notes in; `cancel` cancels some of those
that were authorized, until it is killed.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from soak import fiscal_worker, pace
from soak.fiscal_worker import Unexpected, patient
from support.service_notes import national_body, nfse_body

from fiscal.authorities.municipal import abrasf, sao_paulo
from fiscal.authorities.national import sefin
from fiscal.models import Company, NoteState, ServiceNote
from fiscal.services.nfse import cancel as cancelling
from fiscal.services.nfse import issue
from lib.errors import DomainError

NATIONAL_CITY = "4205407"
# Company by place, and the city that its notes go to; "" for the national system.
PLACES = ("", "5208707", "3104205", "3550308")
REASON = "Servico nao foi prestado ao tomador"
_REFORM = {
    "codigo_tributario_municipio": "2658",
    "codigo_nbs": "115022000",
    "codigo_indicador_operacao": "100301",
    "ibs_cbs_classificacao_tributaria": "000001",
}


def ambiente_of(place: str) -> str:
    """São Paulo has no test environment."""
    return "producao" if place == "3550308" else "homologacao"


def body_of(company: Company, place: str, n: int) -> dict[str, Any]:
    """A body of its own amount, so that no two notes look alike."""
    amount = f"{100 + n}.00"
    if not place:
        body = national_body(
            cnpj_prestador=company.cnpj,
            codigo_municipio_emissora=NATIONAL_CITY,
            codigo_municipio_prestacao=NATIONAL_CITY,
            valor_servico=amount,
        )
        # Written a minute before: at midnight that is another day.
        return {**body, "data_competencia": body["data_emissao"][:10]}
    return nfse_body(
        prestador={
            "cnpj": company.cnpj,
            "codigo_municipio": place,
            "inscricao_municipal": "31000000",
        },
        servico={**_REFORM, "valor_servicos": amount},
    )


def hand_in(n: int, *, companies: list[Company]) -> None:
    """Note `s{n}`. A refusal is right when the note is there: its client saw no answer before."""
    place = PLACES[n % len(PLACES)]
    company = companies[n % len(companies)]
    tipo = "nfse" if place else "nfsen"
    try:
        issue.issue_note(
            company,
            ambiente=ambiente_of(place),
            tipo=tipo,
            ref=f"s{n}",
            body=body_of(company, place, n),
        )
    except DomainError as error:
        if not ServiceNote.objects.filter(ref=f"s{n}").exists():
            raise
        print(f"s{n}: {error.codigo}", file=sys.stderr)


def accept(first: int, last: int) -> None:
    """Notes of all companies; who comes back goes on where it was."""
    companies = patient(lambda: list(Company.objects.order_by("pk")))
    known = patient(lambda: set(ServiceNote.objects.values_list("ref", flat=True)))
    for n in range(first, last):
        if f"s{n}" not in known:
            patient(lambda n=n: hand_in(n, companies=companies))  # type: ignore[misc]
            time.sleep(0.05)


def cancel() -> None:
    """Every sixth authorized note, once."""
    while True:
        patient(_cancel_next)
        time.sleep(0.2)


def _cancel_next() -> None:
    rows = ServiceNote.objects.filter(state=NoteState.AUTORIZADO, orders=None)
    for note in rows.select_related("company").order_by("pk")[:50]:
        if int(note.ref[1:]) // len(PLACES) % 6 == 0:
            try:
                cancelling.cancel_note(note, justificativa=REASON)
            except DomainError as error:
                print(f"{note.ref}: {error.codigo}", file=sys.stderr)
            return


JOBS: dict[str, Callable[..., None]] = {
    "work": fiscal_worker.work,
    "accept": accept,
    "cancel": cancel,
}


def impatient() -> None:
    """What sockets wait is real time."""
    for module in (sefin, abrasf, sao_paulo):
        module.CHANGING = pace.shorter(module.CHANGING)
        module.ASKING = pace.shorter(module.ASKING)


def run(job: str, *arguments: int) -> None:
    """The whole life of a process."""
    pace.hurry()
    impatient()
    engine = logging.getLogger("fiscal")
    engine.handlers, engine.propagate = [Unexpected()], False
    logging.getLogger("django.db.backends.base").setLevel(logging.CRITICAL)
    JOBS[job](*arguments)
