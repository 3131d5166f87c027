"""Expected refusals: what a person or a program is told, and the HTTP status that says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One fault: the field at fault and what would be accepted, in pt-BR."""

    campo: str
    mensagem: str


class DomainError(Exception):
    """Root of expected refusals.

    `codigo` is for programs and never changes; `mensagem` is pt-BR for people; `erros` lists all
    field faults at once.
    """

    codigo = "erro"
    mensagem = "Não foi possível concluir a operação."
    http_status = 422

    def __init__(self, mensagem: str = "", *, erros: list[FieldError] | None = None) -> None:
        self.mensagem = mensagem or self.mensagem
        self.erros = erros or []
        super().__init__(self.mensagem)


class InvalidInput(DomainError):
    codigo = "entrada_invalida"
    mensagem = "Há dados inválidos."
    http_status = 400


class Forbidden(DomainError):
    codigo = "permissao_negada"
    mensagem = "Você não tem permissão para esta ação."
    http_status = 403


class NotFound(DomainError):
    codigo = "nao_encontrado"
    mensagem = "Não encontrado."
    http_status = 404


class Conflict(DomainError):
    codigo = "situacao_invalida"
    mensagem = "A situação atual não permite esta ação."
    http_status = 422


class RateLimited(DomainError):
    codigo = "limite_excedido"
    mensagem = "Muitas requisições. Tente de novo em instantes."
    http_status = 429


class GatewayUnavailable(Exception):
    """The other side did not answer: the outcome is unknown, try later."""


class GatewayRefused(Exception):
    """The other side said no, for good."""
