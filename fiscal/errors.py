"""Refusals of the fiscal API, under their published codes (fiscal-api §1.7, §1.8)."""

from __future__ import annotations

from lib.errors import Conflict, Forbidden, InvalidInput, NotFound


class DocumentNotFound(NotFound):
    codigo = "nao_encontrado"
    mensagem = "Nota fiscal não encontrada."


class InvalidRequest(InvalidInput):
    """400 requisicao_invalida: a parameter is missing or malformed; the message names it."""

    codigo = "requisicao_invalida"
    mensagem = "Parâmetro não informado."


class SchemaInvalid(InvalidInput):
    """422 erro_validacao_schema: `erros` names request fields, never tags."""

    codigo = "erro_validacao_schema"
    mensagem = "Erro na validação do Schema XML"
    http_status = 422


class NotEnabled(InvalidInput):
    codigo = "empresa_nao_habilitada"
    mensagem = "Empresa não habilitada para emissão deste documento."


class CertificateExpired(InvalidInput):
    codigo = "certificado_vencido"
    mensagem = "O certificado do emitente está vencido"


class IssuerForbidden(Forbidden):
    codigo = "permissao_negada"
    mensagem = "CNPJ do emitente não autorizado."


class AlreadyAuthorized(Conflict):
    codigo = "nfe_autorizada"
    mensagem = "Nota fiscal já autorizada."


class InProcessing(Conflict):
    codigo = "em_processamento"
    mensagem = "Nota fiscal em processamento."


class NotAuthorized(Conflict):
    codigo = "nfe_nao_autorizada"
    mensagem = "Nota fiscal não autorizada."


class AlreadyCancelled(InvalidInput):
    codigo = "nfe_cancelada"
    mensagem = "Nota fiscal já cancelada."
