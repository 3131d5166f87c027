"""Refusals of the fiscal API, under their published codes (fiscal-api §1.7, §1.8)."""

from __future__ import annotations

from dataclasses import dataclass

from lib.errors import Conflict, DomainError, FieldError, Forbidden, InvalidInput, NotFound


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


class AlreadyProcessed(Conflict):
    """422: an event on a cancelled document, or what was done before."""

    codigo = "already_processed"
    mensagem = "Nota fiscal já cancelada."


class EventNotFound(Conflict):
    codigo = "object_not_found"
    mensagem = "Evento não encontrado para o protocolo informado."


class NothingToCancel(InvalidInput):
    """400: the document has no such event."""

    codigo = "pending_operation"
    mensagem = "Nota não possui evento a cancelar."


class GenericNotAuthorized(InvalidInput):
    """400 here, 422 for the other events (§2.15)."""

    codigo = "nfe_nao_autorizada"
    mensagem = "Nota fiscal não autorizada."


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


class NfceNotAuthorized(NotFound):
    codigo = "nfce_nao_autorizada"
    mensagem = "NFCe não autorizada"


class JustificationMissing(InvalidInput):
    codigo = "justificativa_nao_informada"
    mensagem = 'Parâmetro "justificativa" não informado'


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


# --- XML that clients send, and prints -----------------------------------------------------------


class XmlInvalid(InvalidInput):
    """422 erro_validacao_xml: the XML cannot be read, or is not what it says (§2.12, §2.13)."""

    codigo = "erro_validacao_xml"
    mensagem = "O XML não pode ser interpretado, verifique seu conteúdo e tente novamente"
    http_status = 422


class PrintFailed(DomainError):
    """503: there is no PDF now; asking again later may help."""

    codigo = "pdf_indisponivel"
    mensagem = "O PDF não pôde ser gerado. Tente de novo em instantes."
    http_status = 503


# --- received documents (§7, §8) -----------------------------------------------------------------


class ReceivedNotFound(NotFound):
    codigo = "nao_encontrado"
    mensagem = "Nota fiscal recebida não encontrada."


class ManifestationRefused(InvalidInput):
    """400: the note does not take this manifestation (any more)."""

    codigo = "manifestacao_nao_aplicavel"
    mensagem = "A manifestação não é aplicável a esta nota fiscal."


class ManifestationTaken(InvalidInput):
    """400: a manifestation of this kind is registered for the note."""

    codigo = "manifestacao_ja_vinculada"
    mensagem = "Esta manifestação já está vinculada à nota fiscal."
