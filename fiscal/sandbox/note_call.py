"""A call to an authority of service notes, and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from fiscal.sandbox.wire import Request
from fiscal.sandbox.world import Call

_NONE = Request("POST", "", {}, b"")


@dataclass
class NoteCall(Call):
    """The request as it came; `parts` and `query` are of its path below the authority."""

    request: Request = field(default=_NONE, repr=False)
    parts: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)  # error codes of the answer, for the journal

    @property
    def municipality(self) -> str:
        """IBGE code of the city asked; empty for the national authorities."""
        return self.authority[1:] if self.authority.startswith("M") else ""


@dataclass(frozen=True)
class Fault:
    """One error of an authority of notes; `detail` is what it adds to the official words."""

    code: str
    text: str = ""
    detail: str = ""


class NoteRefused(Exception):
    """The answer is these errors; `status` is the HTTP status where the protocol has one."""

    def __init__(self, *faults: Fault, status: int = 400) -> None:
        super().__init__(faults)
        self.faults = faults
        self.status = status


def scripted(call: NoteCall) -> None:
    """Raise what the fault `erro` of the script says."""
    fault = call.fault("erro")
    if fault is not None:
        code = str(fault.parameters.get("codigo", "E999"))
        text = str(fault.parameters.get("mensagem", "Erro roteirizado."))
        raise NoteRefused(Fault(code, text))
