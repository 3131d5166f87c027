"""Refusals of the fiscal API, under their published codes (fiscal-api §1.7, §1.8)."""

from __future__ import annotations

from dataclasses import dataclass

from lib.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound


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


class NoCertificate(NotEnabled):
    """400: nothing to sign with. The company must send a certificate first."""

    mensagem = "A empresa não tem certificado digital."


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


class RecordInvalid(InvalidInput):
    """422 erro_validacao: all faults of a record at once (§14.3)."""

    codigo = "erro_validacao"
    mensagem = "Erro de validação"
    http_status = 422


@dataclass(frozen=True)
class RecordFault(FieldError):
    """A fault with a code of its own, as the companies API tells it."""

    codigo: str = "erro_validacao"


class CompanyNotFound(NotFound):
    mensagem = "Empresa não encontrada"


class NotOwned(Conflict):
    """422: the company is another account's (§14.3)."""

    codigo = "permissao_negada"
    mensagem = "Empresa não encontrada como propriedade da revenda"


# --- NFC-e words some of them in its own way (§1.8) ---------------------------------------------


class NfceNotFound(NotFound):
    codigo = "nfce_nao_encontrada"
    mensagem = "NFCe não encontrada"


class RefMissing(InvalidInput):
    codigo = "ref_ausente"
    mensagem = 'Parâmetro "ref" não informado'


class BadFormaEmissao(InvalidInput):
    codigo = "forma_emissao_nao_informada"
    mensagem = 'Parâmetro "forma_emissao" inválido ou não informado'


class EnvironmentNotConfigured(Conflict):
    codigo = "ambiente_nao_configurado"
    mensagem = "Ambiente não configurado para emissão de NFCe"


class CompanyNotConfigured(Conflict):
    codigo = "empresa_nao_configurada"
    mensagem = "Empresa não configurada para emissão de NFCe"
