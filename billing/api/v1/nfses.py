"""nfses (billing-api §2.13): a search over the service notes of an organization."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.docs import documented, listed
from billing.api.v1.fields import (
    INVALID,
    BoolOut,
    DateOut,
    DecimalOut,
    IntegerOut,
    MomentOut,
    Refused,
    TextOut,
    UuidOut,
)
from billing.api.v1.filters import (
    PAGING,
    Attribute,
    Day,
    Flag,
    Integer,
    Kind,
    Moment,
    Number,
    Page,
    Text,
    filtered,
    filters,
    predicates_of,
)
from billing.api.v1.of_organization import OfOrganizationView
from billing.api.v1.shapes import Out
from billing.models import Nfse, NfseServiceItem
from billing.selectors.note_links import pdf_of, xml_of


class NfseServiceItemOut(Out):
    id = IntegerOut()
    description = TextOut()
    codigo_servico_municipal = TextOut()
    item_lista_servico = TextOut()
    external_service_id = TextOut()
    cnae = TextOut()
    value = DecimalOut()
    aliquota_iss = DecimalOut()
    units = DecimalOut()
    nfse_id = IntegerOut()
    created_at = MomentOut()
    updated_at = MomentOut()
    descricao_servico_municipal = TextOut()


class NfseOut(Out):
    id = IntegerOut()
    nfse_number = TextOut()
    generated_at = MomentOut()
    value = DecimalOut()
    verification_code = TextOut()
    city_nfse_url = TextOut()
    status = TextOut()
    invoice_id = IntegerOut()
    customer_type = TextOut()
    customer_id = IntegerOut()
    created_at = MomentOut()
    updated_at = MomentOut()
    external_id = UuidOut()
    servico_prestado_municipio_cliente = BoolOut()
    iss_retido_fonte = BoolOut()
    percentual_carga_tributaria = DecimalOut()
    carga_tributaria_value = DecimalOut()
    fonte_carga_tributaria = TextOut()
    ir_value = DecimalOut()
    pis_value = DecimalOut()
    cofins_value = DecimalOut()
    csll_value = DecimalOut()
    inss_value = DecimalOut()
    retained_iss_value = DecimalOut()
    service_provided_city = TextOut()
    service_provided_city_code = TextOut()
    service_provided_state = TextOut()
    cancellation_requested_at = MomentOut()
    cancelled_at = MomentOut()
    integration_errors = TextOut()
    request_sent = BoolOut()
    organization_id = IntegerOut()
    customer_email = TextOut()
    iss_value = DecimalOut()
    customer_name = TextOut()
    customer_company_name = TextOut()
    customer_document_number = TextOut()
    customer_city = TextOut()
    customer_city_ibge_code = TextOut()
    customer_state = TextOut()
    customer_city_inscription = TextOut()
    customer_state_inscription = TextOut()
    customer_address = TextOut()
    customer_number = TextOut()
    customer_complement = TextOut()
    customer_district = TextOut()
    customer_zipcode = TextOut()
    organization_name = TextOut()
    organization_company_name = TextOut()
    organization_document_number = TextOut()
    organization_city = TextOut()
    organization_city_ibge_code = TextOut()
    organization_state = TextOut()
    organization_city_inscription = TextOut()
    organization_state_inscription = TextOut()
    organization_address = TextOut()
    organization_number = TextOut()
    organization_complement = TextOut()
    organization_district = TextOut()
    organization_zipcode = TextOut()
    organization_is_incentivador_cultural = BoolOut()
    organization_is_optante_simples_nacional = BoolOut()
    rps_number = IntegerOut()
    rps_serie = TextOut()
    nfse_environment = TextOut()
    accrual_date = DateOut()
    outras_value = DecimalOut()
    servico_prestado_municipio_prestador = BoolOut()
    servico_prestado_municipio_codigo = TextOut()
    pdf_url = TextOut()
    xml_url = TextOut()
    nfse_service_items = NfseServiceItemOut(many=True)

    get_pdf_url = staticmethod(pdf_of)
    get_xml_url = staticmethod(xml_of)

    @staticmethod
    def get_status(nfse: Nfse) -> str:
        return Nfse.Status(nfse.status).label


class Identifier(Kind):
    """A UUID."""

    has_order = False

    def read(self, text: str) -> UUID:
        try:
            return UUID(text)
        except ValueError:
            raise Refused(INVALID) from None


_KINDS: dict[type[serializers.Field[Any, Any, Any, Any]], Kind] = {
    IntegerOut: Integer(),
    DecimalOut: Number(),
    TextOut: Text(),
    BoolOut: Flag(),
    DateOut: Day(),
    MomentOut: Moment(),
    UuidOut: Identifier(),
}
# Every scalar that is shown can be searched for; its column has its name.
FILTERS = {
    name: Attribute(_KINDS[type(one)], name)
    for name, one in NfseOut._declared_fields.items()
    if type(one) in _KINDS
} | {"status": Attribute(Integer(), "status")}


class NfseSearchView(OfOrganizationView):
    model, shape = Nfse, NfseOut
    envelope, plural = "nfse", "nfses"

    @documented(
        "Busca as NFS-e da organização",
        description="Todo atributo simples pode ser filtrado com `q[atributo_operador]`. "
        "`status`: 1 emitida, 2 cancelada, 4 cancelando, 6 erro no cancelamento.",
        answer=listed("nfses", NfseOut, paged=True),
        parameters=[
            *filters("status_eq", "generated_at_gteq", "generated_at_lteq", "invoice_id_in"),
            *PAGING,
        ],
        refuses=[400],
    )
    def get(self, request: Request, organization_id: int) -> Response:
        page = Page.of(request.query_params)
        found = filtered(self.rows(organization_id), predicates_of(request.query_params), FILTERS)
        services = NfseServiceItem.objects.order_by("id")
        ordered = found.order_by("generated_at", "id")
        rows, total_pages = page.cut(
            ordered.prefetch_related(Prefetch("nfse_service_items", services))
        )
        return Response(page.body(self.plural, NfseOut.show_all(rows), total_pages))


routes = [path("organizations/<organization_id>/nfses/search", NfseSearchView.as_view())]
