"""nfse_templates (billing-api §2.14): read-only; staff write them."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.docs import documented, listed
from billing.api.v1.fields import AnyOut, BoolOut, DecimalOut, IntegerOut, IsoMomentOut, TextOut
from billing.api.v1.of_organization import OfOrganizationView
from billing.api.v1.shapes import Out
from billing.models import NfseTemplate


class NfseTemplateOut(Out):
    id = IntegerOut()
    company_id = IntegerOut(of="organization_id")
    name = TextOut()
    codigo_servico_municipal = TextOut()
    item_lista_servico = TextOut()
    cnae = TextOut()
    servico_prestado_municipio_cliente = BoolOut()
    iss_retido_fonte = BoolOut()
    aliquota_iss = DecimalOut()
    aliquota_ir = DecimalOut()
    aliquota_pis = DecimalOut()
    aliquota_cofins = DecimalOut()
    aliquota_csll = DecimalOut()
    aliquota_inss = DecimalOut()
    aliquota_iss_retido = DecimalOut()
    retencoes_destacadas_nota = AnyOut()
    percentual_carga_tributaria = DecimalOut()
    fonte_carga_tributaria = TextOut()
    limite_retencao_ir = DecimalOut()
    limite_retencao_pcc = DecimalOut()
    limite_retencao_inss = DecimalOut()
    limite_retencao_iss = DecimalOut()
    created_at = IsoMomentOut()
    updated_at = IsoMomentOut()
    external_service_id = TextOut()
    external_service_description = TextOut()


class NfseTemplatesView(OfOrganizationView):
    model, shape = NfseTemplate, NfseTemplateOut
    envelope, plural = "nfse_template", "nfse_templates"

    @documented(
        "Lista os modelos de NFS-e da organização",
        answer=listed("nfse_templates", NfseTemplateOut),
    )
    def get(self, request: Request, organization_id: int) -> Response:
        return self.list_all(organization_id, "name")


routes = [path("organizations/<organization_id>/nfse_templates", NfseTemplatesView.as_view())]
