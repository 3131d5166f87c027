"""What happened to a service note, in its order, and what is to be done about it (ux B13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from accounts.admin_display import Tone, chip
from fiscal.admin.chips import state_chip
from fiscal.admin.document_story import (
    MOST,
    NO_ADVICE,
    RAW_SHOWN,
    Advice,
    Step,
    mail_step,
    notice_step,
)
from fiscal.admin.service_note_acts import ASKED, UNSENT, faults, is_left_to_people, said
from fiscal.authorities.provider import Kind
from fiscal.models import (
    HookNotice,
    NoteState,
    OrderState,
    ServiceAttempt,
    ServiceNote,
    ServiceOrder,
)
from fiscal.services import archive
from lib.templatetags.br import EMPTY, brl, data_hora, documento

_TONES: dict[str, tuple[Tone, str]] = {
    NoteState.AUTORIZADO: ("success", "check"),
    NoteState.CANCELAMENTO_EM_ANALISE: ("warning", "clock"),
    NoteState.REJEITADO: ("danger", "alert"),
    NoteState.CONFLITO: ("danger", "alert"),
    NoteState.INDEFINIDO: ("warning", "alert"),
    NoteState.CANCELADO: ("neutral", "stop"),
    NoteState.SUBSTITUIDO: ("neutral", "back"),
}
_ORDER_TONES: dict[str, tuple[Tone, str]] = {
    OrderState.REGISTRADO: ("success", "check"),
    OrderState.REJEITADO: ("danger", "alert"),
    OrderState.EM_ANALISE: ("warning", "clock"),
    OrderState.INDEFINIDO: ("warning", "alert"),
}


def note_chips(note: ServiceNote) -> list[str]:
    """The state, and whether the amounts that came back are others than those declared."""
    tone = _TONES.get(note.state, ("info", "clock"))
    chips: list[str] = [chip(*tone, note.get_state_display())]
    if any(one.get("codigo") == "divergencia" for one in note.notes):
        chips.append(chip("warning", "alert", "Valores divergentes"))
    return chips


# --- timeline ---------------------------------------------------------------------------------


def steps(note: ServiceNote, *, sees_setup: bool) -> list[Step]:
    """Created, sent, answered, told: the oldest first, in a fixed number of queries.

    Raw answers are only for who may see the setup.
    """
    attempts = list(note.attempts.select_related("order").order_by("-id")[:MOST])
    orders = note.orders.order_by("-id")[:MOST]
    mails = note.messages.order_by("-id")[:MOST]
    notices = HookNotice.objects.filter(service_note=note).select_related("hook")
    found = [
        *(_attempt(one, with_raw=sees_setup) for one in attempts),
        *(_order(one) for one in orders),
        *(mail_step(one) for one in mails),
        *(notice_step(one) for one in notices.order_by("-id")[:MOST]),
        *_own(note),
    ]
    begun = Step(note.created_at, "Recebida", text=f"Referência {note.ref}")
    return [begun, *sorted(found, key=lambda step: step.at)]


def _own(note: ServiceNote) -> list[Step]:
    """What only the row knows."""
    found = []
    if note.issued_at:
        text = f"NFS-e nº {note.number}"
        found.append(Step(note.issued_at, "NFS-e emitida", text=text))
    if note.cancelled_at:
        what = "Substituída" if note.state == NoteState.SUBSTITUIDO else "Cancelada"
        found.append(Step(note.cancelled_at, what))
    return found


_FATES: dict[str, str] = {
    ServiceAttempt.Outcome.OPEN: "A resposta ainda não chegou.",
    ServiceAttempt.Outcome.NOT_SENT: "A conexão não foi feita: nada foi enviado.",
    ServiceAttempt.Outcome.LOST: "A resposta se perdeu: só uma consulta diz se o pedido chegou.",
    ServiceAttempt.Outcome.NOT_PROCESSED: "A autoridade não processou o pedido.",
}


# An answer without a message is kept by its kind.
_ANSWERS: dict[str, str] = {
    Kind.AUTHORIZED: "Autorizada.",
    Kind.IN_PROCESS: "Lote recebido: o resultado é consultado depois.",
    Kind.REJECTED: "Recusada.",
    Kind.DUPLICATE: "O número já foi usado.",
    Kind.NOT_FOUND: "Não encontrada.",
    Kind.CANCELLED: "Cancelada.",
    Kind.CANCEL_PENDING: "Em análise na prefeitura.",
    Kind.REPLACED: "Substituída.",
}
_GOOD_ANSWERS = (Kind.AUTHORIZED, Kind.CANCELLED)


def _attempt(attempt: ServiceAttempt, *, with_raw: bool) -> Step:
    facts = [attempt.route]
    if attempt.elapsed_ms is not None:
        facts.append(f"{attempt.elapsed_ms} ms")
    if attempt.ended_at is None:
        facts.append("sem resposta até agora")
    fate = _FATES.get(ServiceAttempt.Outcome(attempt.outcome), "")
    message = _ANSWERS.get(attempt.message, attempt.message)
    told = " – ".join(filter(None, (attempt.code, message))) or fate
    what = "Emissão" if attempt.order is None else attempt.order.get_kind_display()
    return Step(
        attempt.started_at,
        f"{what}: enviado",
        _fate_chip(attempt),
        told,
        facts=" · ".join(facts),
        raw=_raw(attempt) if with_raw else "",
        is_error=not attempt.reply,
    )


def _fate_chip(attempt: ServiceAttempt) -> str:
    """What came of a call: good only where the answer was what was asked for."""
    label = attempt.get_outcome_display()
    if attempt.outcome != ServiceAttempt.Outcome.ANSWERED:
        return state_chip(attempt.outcome, label)
    if attempt.message in _GOOD_ANSWERS:
        return chip("success", "check", label)
    return chip("info", "dot", label)


def _raw(attempt: ServiceAttempt) -> str:
    if not attempt.reply:
        return attempt.error
    return archive.unpacked(attempt.reply).decode("utf-8", "replace")[:RAW_SHOWN]


def _order(order: ServiceOrder) -> Step:
    tone = _ORDER_TONES.get(order.state, ("info", "clock"))
    return Step(
        order.created_at,
        f"Pedido: {order.get_kind_display()}",
        chip(*tone, order.get_state_display()),
        f"“{order.reason}”",
        faults(order),
        f"Motivo {order.code}" if order.code else "",
    )


# --- amounts ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """An amount as it was declared and as it came back (NAC-10)."""

    label: str
    declared: str
    returned: str
    differs: bool


_LABELS = {
    "valor_servicos": "Valor dos serviços",
    "base_calculo": "Base de cálculo do ISS",
    "valor_iss": "Valor do ISS",
    "valor_liquido": "Valor líquido",
    "tomador": "Tomador",
}


def compared(note: ServiceNote) -> list[Compared]:
    """Declared beside returned, in the order of the note; what neither tells is left out."""
    off = {one.get("campo") for one in note.notes if one.get("codigo") == "divergencia"}
    names = [name for name in _LABELS if name in note.declared or name in note.returned]
    return [
        Compared(
            _LABELS[name],
            _shown(name, note.declared.get(name)),
            _shown(name, note.returned.get(name)),
            name in off,
        )
        for name in names
    ]


def _shown(name: str, value: Any) -> str:
    if not value:
        return EMPTY
    if name == "tomador":
        return documento(str(value))
    try:
        return brl(Decimal(str(value)))
    except InvalidOperation:
        return str(value)


def memory(note: ServiceNote) -> list[tuple[str, str, str, str]]:
    """How taxes were computed, one line each: what, by which account, result and rule."""
    return [
        (
            str(line.get("valor", "")).replace("_", " ").capitalize(),
            str(line.get("conta", "")),
            str(line.get("resultado", "")).replace(".", ","),
            str(line.get("regra", "")),
        )
        for line in note.memory
        if isinstance(line, dict)
    ]


# --- what to do -------------------------------------------------------------------------------

_FISCAL, _REGISTER, _CUSTOMER, _NOBODY = "Fiscal", "Cadastro", "Cliente", "Ninguém – aguarde"
_USED = "Este número de DPS/RPS já virou nota. Confira a série e o próximo número."
# ux B13: what people read instead of a code's own text, who does it, and what the button opens.
_KNOWN: dict[str, tuple[str, str, str]] = {
    "E0014": (_USED, _FISCAL, "series"),
    "E10": (_USED, _FISCAL, "series"),
    "E145": ("Preencha o regime especial de tributação do prestador.", _REGISTER, "empresa"),
    "E0714": (
        "O sistema nacional não aceitou o algoritmo da assinatura: veja com a operação o perfil "
        "de assinatura do padrão nacional.",
        _REGISTER,
        "",
    ),
}


def advice(note: ServiceNote, *, now: datetime) -> Advice | None:
    """What is to be done about a note; None when nothing is."""
    if note.state == NoteState.REJEITADO:
        return _refused(note)
    if is_left_to_people(note):
        return Advice(
            "A resposta se perdeu e a prefeitura não achou a nota. Ela não aceita um RPS repetido "
            "sem risco, por isso nada é reenviado sozinho.",
            "Confira no portal da prefeitura. Se a nota não existir lá, reenvie o mesmo RPS.",
            _FISCAL, "reenviar-rps",
        )  # fmt: skip
    if note.state in ASKED:
        return _unknown(note)
    if note.state in UNSENT:
        return _waiting(note)
    if note.state == NoteState.CONFLITO:
        return Advice(
            f"A autoridade tem outra nota neste número. {said(note)}",
            "Consulte de novo. Se continuar, veja se outro sistema emite nesta série.",
            _FISCAL, "resolver",
        )  # fmt: skip
    if note.state == NoteState.CANCELAMENTO_EM_ANALISE:
        return Advice(
            "O cancelamento foi pedido e alguém na prefeitura decide.",
            f"Aguarde. {_next(note.next_attempt_at)}",
            _NOBODY, "consultar-cancelamento",
        )  # fmt: skip
    return None


def _refused(note: ServiceNote) -> Advice:
    what = said(note) or "A nota foi recusada sem motivo."
    codes = [str(one.get("codigo") or "") for one in note.errors]
    known = next((_KNOWN[code] for code in codes if code in _KNOWN), None)
    if known is not None:
        todo, who, opens = known
        return Advice(what, todo, who, "" if opens else "reenviar", opens)
    if codes and all(code == "local" for code in codes):
        return Advice(
            f"Os dados não passaram na nossa conferência. {what}",
            "Corrija os dados no sistema que enviou a nota e envie com a mesma referência.",
            _FISCAL, "reenviar",
        )  # fmt: skip
    told = " ".join(str(one["correcao"]) for one in note.errors if one.get("correcao"))
    return Advice(what, told or NO_ADVICE, _FISCAL, "reenviar")


def _unknown(note: ServiceNote) -> Advice:
    what = {
        NoteState.EM_LOTE: "O lote foi recebido e ainda não deu resultado.",
        NoteState.TRANSMITINDO: "A nota está sendo enviada.",
    }.get(NoteState(note.state), "A resposta se perdeu: não sabemos se a nota foi emitida.")
    return Advice(what, f"Aguarde. {_next(note.next_attempt_at)}", _NOBODY, "consultar")


def _next(when: datetime | None) -> str:
    if when is None:
        return "Nenhuma consulta está marcada: consulte agora."
    return f"Consultamos de novo automaticamente em {data_hora(when)}."


def _waiting(note: ServiceNote) -> Advice:
    what = "A nota espera para ser enviada."
    if note.last_message:
        what = f"{what} Motivo: {note.last_message}"
    when = note.next_attempt_at
    todo = f"Aguarde. Próxima tentativa em {data_hora(when)}." if when else "Aguarde a vez na fila."
    if "certificado" in note.last_message.lower():
        return Advice(what, "Envie um certificado A1 válido.", _REGISTER, opens="empresa")
    return Advice(what, todo, _NOBODY, "enviar")
