"""The attributes of a company as the API names them (fiscal-api §14.2): what each one takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fiscal.services import company_readers as read
from fiscal.services.numbering import KINDS, LAST_NUMBER

AMBIENTES = ("producao", "homologacao")
MODELOS = {kind: modelo for modelo, kind in KINDS.items()}
SERVICES = ("nfse", "nfsen")
COLUMN, OPTION, CLOSED = "column", "option", "closed"


@dataclass(frozen=True)
class Attribute:
    """One attribute: where it is kept and what it takes.

    A closed one is a secret: kept closed, never shown. `initial` is what an option is without a
    value; columns have their own.
    """

    name: str
    read: read.Reader
    place: str = OPTION
    initial: Any = None


def _columns() -> list[Attribute]:
    texts = {
        "nome": read.text(2, 115),
        "nome_fantasia": read.text(1, 60),
        "cnpj": read.cnpj,
        "cpf": read.cpf,
        "inscricao_estadual": read.inscricao_estadual,
        "inscricao_municipal": read.text(1, 15),
        "regime_tributario": read.regime,
        "email": read.email,
        "telefone": read.digits(6, 14),
        "logradouro": read.text(2, 60),
        "numero": read.text(1, 60),
        "complemento": read.text(1, 60),
        "bairro": read.text(2, 60),
        "cep": read.digits(8, 8),
        "municipio": read.text(2, 60),
        "uf": read.uf,
        "id_token_nfce_producao": read.digits(1, 6),
        "id_token_nfce_homologacao": read.digits(1, 6),
    }
    flags = (
        "habilita_nfe",
        "habilita_nfce",
        "habilita_nfse",
        "habilita_nfsen_producao",
        "habilita_nfsen_homologacao",
        "habilita_contingencia_offline_nfce",
        "nfe_sincrono",
        "nfe_sincrono_homologacao",
        "enviar_email_destinatario",
        "enviar_email_homologacao",
        "discrimina_impostos",
        "certificado_especifico",
    )
    return [
        *(Attribute(name, reader, COLUMN) for name, reader in texts.items()),
        *(Attribute(name, read.flag, COLUMN) for name in flags),
    ]


def _options() -> list[Attribute]:
    flags = {
        "habilita_nfsen_recebidas_producao": False,
        "habilita_nfsen_recebidas_homologacao": False,
        "habilita_cte": False,
        "habilita_mdfe": False,
        "habilita_manifestacao": False,
        "habilita_manifestacao_cte": False,
        "habilita_filtro_mde_destinatario_empresa": False,
        "reaproveita_numero_nfce_contingencia": False,
        "mostrar_danfse_badge": True,
        "recibo_danfe": True,
        "exibe_sempre_ipi_danfe": False,
        "exibe_issqn_danfe": False,
        "exibe_impostos_adicionais_danfe": False,
        "exibe_unidade_tributaria_danfe": False,
        "exibe_sempre_volumes_danfe": False,
        "exibe_composicao_carga_mdfe": False,
        "mdfe_sincrono": False,
        "mdfe_sincrono_homologacao": False,
        "smtp_habilita_starttlls": False,
        "smtp_ssl": False,
        "smtp_tls": False,
    }
    texts: dict[str, read.Reader] = {
        "cpf_cnpj_contabilidade": read.cpf_or_cnpj,
        "nome_responsavel": read.text(2, 115),
        "cpf_responsavel": read.cpf,
        "login_responsavel": read.text(1, 100),
        "data_inicio_recebimento_nfe": read.day,
        "data_inicio_recebimento_cte": read.day,
        "data_inicio_recebimento_nfsen": read.day,
        "smtp_endereco": read.text(1, 253),
        "smtp_dominio": read.text(1, 253),
        "smtp_porta": read.number(1, 65_535),
        "smtp_login": read.text(1, 254),
        "smtp_autenticacao": read.choice(("plain", "login", "cram_md5")),
        "smtp_remetente": read.email,
        "smtp_responder_para": read.email,
        "smtp_modo_verificacao_openssl": read.choice(("peer", "none")),
    }
    return [
        *(Attribute(name, read.flag, OPTION, value) for name, value in flags.items()),
        *(Attribute(name, reader) for name, reader in texts.items()),
        Attribute("orientacao_danfe", read.orientation, OPTION, "portrait"),
        *_series_of_services(),
    ]


def _series_of_services() -> list[Attribute]:
    """RPS and DPS are numbered by their own rules, with series that may hold letters."""
    return [
        Attribute(f"serie_{kind}_{ambiente}", read.text(1, 5))
        for kind in SERVICES
        for ambiente in AMBIENTES
    ]


def _secrets() -> list[Attribute]:
    return [
        Attribute("csc_nfce_producao", read.secret(60), CLOSED),
        Attribute("csc_nfce_homologacao", read.secret(60), CLOSED),
        Attribute("senha_responsavel", read.secret(200), CLOSED),
        Attribute("smtp_senha", read.secret(200), CLOSED),
    ]


# Names that texts of the API spell in two ways.
SPELLINGS = {"smtp_habilita_starttls": "smtp_habilita_starttlls"}
# What can be set once.
IMMUTABLE = (
    "data_inicio_recebimento_nfe",
    "data_inicio_recebimento_cte",
    "data_inicio_recebimento_nfsen",
)
# What the national NFS-e asks for: a certificate of this very CNPJ, not only of its base.
OWN_CERTIFICATE = (
    "habilita_nfsen_recebidas_producao",
    "habilita_nfsen_recebidas_homologacao",
)
# Secrets with a column of their own; the others are in `closed`.
CSC_COLUMNS = ("csc_nfce_producao", "csc_nfce_homologacao")

ATTRIBUTES: dict[str, Attribute] = {
    one.name: one for one in (*_columns(), *_options(), *_secrets())
}
NUMBER = read.number(1, LAST_NUMBER)
SERVICE_NUMBER = read.number(1, 999_999_999_999_999)
SERIES = read.number(0, 999)
