"""Template errors in the words of the person who wrote the template."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from decimal import DecimalException

from jinja2.exceptions import SecurityError, UndefinedError

_TAGS = {
    "end of print statement": "}}",
    "end of statement block": "%}",
    "begin of print statement": "{{",
    "begin of statement block": "{%",
    "end of template": "o fim do modelo",
    "end of comment": "#}",
}
# Jinja's messages; the group is the text to look for in the line.
_SYNTAX = (
    (
        r"Encountered unknown tag '(\w+)'.*needs to be closed is '(\w+)'.*",
        "{0} está fora do lugar: feche antes o bloco {1}.",
    ),
    (r"Encountered unknown tag '(end\w+)'.*", "{0} não fecha nenhum bloco."),
    (r"Encountered unknown tag '(\w+)'.*", "O bloco {0} não existe."),
    (
        r"Unexpected end of template.*innermost block that needs to be closed is '(\w+)'.*",
        "O bloco {0} não foi fechado: falta end{0}.",
    ),
    (r"Unexpected end of template.*", "O modelo acabou antes da hora."),
    (r"expected token '(.+)', got '(.+)'", "Esperava {0} e encontrou {1}."),
    (r"unexpected char '(.+)' at \d+", "O caractere {0} não cabe aqui."),
    (r"unexpected '(.+)'", "Não esperava {0} aqui."),
    (r"unexpected end of template.*", "O modelo acabou antes da hora."),
    (r"Missing end of comment tag", "O comentário não foi fechado: falta #}}."),
    (r"Missing end of raw directive", "O bloco raw não foi fechado: falta endraw."),
    (r"No filter named '(\w+)'.*", "O filtro {0} não existe."),
    (r"No test named '(\w+)'.*", "O teste {0} não existe."),
    (r"can't assign to '?(\w+)'?.*", "Não é possível atribuir um valor a {0}."),
    (r"block '(\w+)' defined twice", "O bloco {0} foi definido duas vezes."),
    (r"Expected an expression, got '(.+)'", "Falta uma expressão antes de {0}."),
    (r"tag name expected", "Falta o nome do bloco depois de {{%."),
    (r"Invalid character in identifier", "Há um caractere inválido no nome."),
)
_MISSING = re.compile(r"'(?P<name>[^']+)' is undefined|has no attribute '(?P<attribute>[^']+)'")


def translate_syntax(message: str) -> tuple[str, str]:
    """Jinja's message in pt-BR, and the text at fault when the message names it."""
    for pattern, text in _SYNTAX:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found:
            words = [_TAGS.get(word, word) for word in found.groups()]
            token = words[0] if "Encountered" in pattern else words[-1] if words else ""
            return text.format(*words), token
    return f"Erro de sintaxe no modelo: {message}", ""


def column(source: str, line: int, token: str = "") -> int:
    """Where in the line the fault is, from 1: at `token`, else at the first tag of the line.

    Jinja tells only the line.
    """
    lines = source.splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    tag = re.search(r"\{[{%#]", text)
    start = tag.start() if tag else 0
    at = text.find(token, start) if token else -1
    return (at if at >= 0 else start) + 1


def forbidden(name: str) -> str:
    """The refusal of an internal attribute."""
    return f"O acesso a {name} não é permitido."


def no_filter(name: str, known: Iterable[str]) -> str:
    """An unknown filter, with the one that was probably meant."""
    near = difflib.get_close_matches(name, list(known), 1, 0.6)
    hint = f" Você quis dizer {near[0]}?" if near else ""
    return f"O filtro {name} não existe.{hint}"


def explain(error: Exception) -> str:
    """Why a template stopped while it was being filled in."""
    if isinstance(error, SecurityError):
        return forbidden(str(error))
    if isinstance(error, UndefinedError):
        found = _MISSING.search(str(error))
        name = (found["name"] or found["attribute"]) if found else ""
        return f"A variável {name} não existe e não pode entrar numa conta ou comparação."
    if isinstance(error, ZeroDivisionError):
        return "Divisão por zero."
    if isinstance(error, DecimalException):
        return "A conta não tem resultado."
    if isinstance(error, OverflowError):
        return "O número ou a repetição é grande demais; range() vai até 100.000."
    if isinstance(error, RecursionError):
        return "O modelo chama a si mesmo sem parar."
    return f"A operação não é possível com estes valores ({error})."[:300]
