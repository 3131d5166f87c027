"""The privacy notice: who bills writes their own, or customers read the one that is shipped (§1.5).

Lei 13.709/2018 (LGPD): controller, data, purposes and their basis (art. 7º), sharing, keeping,
rights (art. 18), encarregado (art. 41).
"""

from __future__ import annotations

from dataclasses import dataclass

from billing.models import OrganizationProfile, Party
from lib.br import document_mask


@dataclass(frozen=True)
class Section:
    """A heading, "" for none, and its paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


_SHIPPED = (
    Section(
        "Quem cuida dos seus dados",
        (
            "{controller} é a controladora dos dados pessoais tratados nesta Central de Faturas, "
            "nos termos da Lei nº 13.709/2018 (LGPD).",
        ),
    ),
    Section(
        "Quais dados tratamos",
        (
            "Cadastro: nome ou razão social, CPF ou CNPJ, endereço, telefone e e-mails de "
            "cobrança. Acesso: e-mail, senha (guardada de forma que ninguém a lê), endereço IP, "
            "navegador e horário das entradas. Cobrança: contratos, faturas, pagamentos, notas "
            "fiscais e contestações.",
            "Os dados do cartão são digitados nos campos da operadora de pagamento e não passam "
            "pelos nossos sistemas; guardamos só a bandeira, os 4 últimos dígitos e a validade.",
        ),
    ),
    Section(
        "Para quê e com que base legal",
        (
            "Para executar o contrato com você: emitir faturas, receber pagamentos e atender "
            "(art. 7º, V). Para cumprir obrigações fiscais e contábeis (art. 7º, II). Para "
            "proteger o acesso e prevenir fraudes (art. 7º, IX).",
        ),
    ),
    Section(
        "Com quem compartilhamos",
        (
            "Com o banco que registra boletos e Pix, com a operadora que processa cartões, com a "
            "administração tributária que autoriza as notas fiscais e com o serviço que entrega os "
            "nossos e-mails; cada um recebe só o necessário. Não vendemos dados.",
        ),
    ),
    Section(
        "Por quanto tempo guardamos",
        (
            "Documentos fiscais e registros de cobrança ficam pelo prazo que a legislação "
            "tributária exige, mesmo depois do fim do contrato. Os demais dados são eliminados "
            "quando deixam de ser necessários.",
        ),
    ),
    Section(
        "Cookies",
        (
            "Usamos apenas os cookies estritamente necessários: o da sua sessão e o que protege os "
            "formulários. Não há cookies de publicidade nem de medição.",
        ),
    ),
    Section(
        "Seus direitos",
        (
            "Você pode confirmar se tratamos seus dados, acessá-los, corrigi-los, pedir a "
            "portabilidade, a eliminação do que não precisarmos guardar e informações sobre o "
            "compartilhamento (art. 18). Em Dados você corrige o cadastro; em Exportar dados você "
            "baixa o que temos. Para os demais pedidos, fale com o encarregado.",
        ),
    ),
)
_NOBODY = "A empresa que emite as suas faturas"


def notice_of(organization: Party | None, profile: OrganizationProfile) -> list[Section]:
    """The notice of this organization; the shipped one names it as the controller."""
    if profile.privacy_notice.strip():
        parts = [part.strip() for part in profile.privacy_notice.split("\n\n")]
        return [Section("", tuple(part for part in parts if part))]
    controller = _controller(organization)
    return [
        Section(one.title, tuple(text.format(controller=controller) for text in one.paragraphs))
        for one in _SHIPPED
    ]


def _controller(organization: Party | None) -> str:
    if organization is None:
        return _NOBODY
    name = organization.company_name or organization.name
    document = document_mask(organization.document)
    return f"{name}, CNPJ {document}," if document else name
