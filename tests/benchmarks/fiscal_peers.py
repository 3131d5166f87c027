"""The same document by the open implementations: nfelib with signxml, and PyNFe.

Both through the calls they offer and document, with certificate and key opened once. nfelib also as
a careful user could tune it, past its own methods: context and compiled schema kept. PyNFe, which
validates nothing, is given our kept schema; it knows no tax-reform groups, so its document is the
smaller one.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import signxml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from nfelib.nfe.bindings.v4_0 import leiaute_nfe_v4_00
from nfelib.nfe.bindings.v4_0.nfe_v4_00 import Nfe
from support.a1 import PASSWORD, issued
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.serializers import XmlSerializer

from fiscal.xml import NFE, schema

Step = Callable[[], bytes]
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


class _Signer(signxml.XMLSigner):
    def check_deprecated_methods(self) -> None:
        """SHA-1 is what the layout fixes."""


def _valid(root: etree._Element) -> None:
    if not schema("nfe").validate(root):
        raise AssertionError(schema("nfe").error_log[0].message)


# --- nfelib and signxml ----------------------------------------------------------------------


def nfelib(document: bytes, cnpj: str, *, is_tuned: bool) -> Step:
    """Build, sign and validate what `document` has, with the bindings of nfelib.

    Its own `to_xml` and `schema_validation`, or, `is_tuned`, what they do with everything kept.
    """
    leaf = issued(cnpj)
    unsigned = re.sub(rb"<Signature.*</Signature>", b"", document)
    bound = XmlParser().from_bytes(unsigned, Nfe)
    # What a user types: nested constructors with the values in them, compiled like any module.
    names = {**vars(leiaute_nfe_v4_00), "Nfe": Nfe}
    imports: dict[str, Any] = {}
    code = compile(f"lambda: {_constructor(bound, imports)}", "<nfelib>", "eval")
    build = eval(code, {**names, **imports})  # noqa: S307 - our own text
    serializer = XmlSerializer(context=XmlContext())
    signer = _Signer(
        method=signxml.methods.enveloped,
        signature_algorithm="rsa-sha1",
        digest_algorithm="sha1",
        c14n_algorithm=_C14N,
    )
    signer.excise_empty_xmlns_declarations = True
    signer.namespaces = {None: signer.namespaces["ds"]}
    key = load_pem_private_key(leaf.key_pem, None)
    certificate = [x509.load_pem_x509_certificate(leaf.certificate_pem)]

    def sign(text: str, reference: str) -> bytes:
        root = etree.fromstring(text.encode())
        signed = signer.sign(root, key=key, cert=certificate, reference_uri=f"#{reference}")
        raw: bytes = etree.tostring(signed)
        return raw

    def once() -> bytes:
        nfe = build()
        raw = sign(nfe.to_xml(indent=""), nfe.infNFe.Id)
        assert Nfe.schema_validation(raw.decode()) == []
        return raw

    def tuned() -> bytes:
        nfe = build()
        raw = sign(serializer.render(nfe, ns_map={None: NFE}), nfe.infNFe.Id)
        _valid(etree.fromstring(raw))
        return raw

    return tuned if is_tuned else once


def _constructor(value: Any, imports: dict[str, Any]) -> str:
    """Source of an expression that makes `value` again."""
    if isinstance(value, Enum):
        imports[type(value).__name__] = type(value)
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, list):
        return f"[{', '.join(_constructor(part, imports) for part in value)}]"
    if not dataclasses.is_dataclass(value):
        return repr(value)
    parts = (
        f"{field.name}={_constructor(part, imports)}"
        for field in dataclasses.fields(value)
        if (part := getattr(value, field.name)) not in (None, [])
    )
    kind = type(value)
    name = kind.__qualname__.replace(".", "_")
    imports[name] = kind
    return f"{name}({', '.join(parts)})"


# --- PyNFe -----------------------------------------------------------------------------------


def pynfe(items: int, cnpj: str) -> Step:
    """Build, sign and validate a sale of `items` items with PyNFe, without the reform groups."""
    from pynfe.entidades.cliente import Cliente
    from pynfe.entidades.emitente import Emitente
    from pynfe.entidades.fonte_dados import FonteDados
    from pynfe.entidades.notafiscal import NotaFiscal
    from pynfe.processamento.assinatura import AssinaturaA1
    from pynfe.processamento.serializacao import SerializacaoXML

    # The file is read at once and never again.
    with tempfile.NamedTemporaryFile(suffix=".pfx") as file:
        file.write(issued(cnpj).pfx)
        file.flush()
        signer = AssinaturaA1(file.name, PASSWORD)
    place = {
        "endereco_logradouro": "Rua Direita",
        "endereco_numero": "10",
        "endereco_bairro": "Centro",
        "endereco_municipio": "São Paulo",
        "endereco_uf": "SP",
        "endereco_cep": "01001000",
    }
    moment = datetime.fromisoformat("2026-11-21T10:00:00-03:00")

    def once() -> bytes:
        store = FonteDados()
        note = NotaFiscal(
            emitente=Emitente(
                razao_social="Empresa de Teste Ltda",
                nome_fantasia="Teste",
                cnpj=cnpj,
                inscricao_estadual="123456789012",
                codigo_de_regime_tributario="3",
                **place,
            ),
            cliente=Cliente(
                razao_social="Cliente Filhos",
                tipo_documento="CNPJ",
                numero_documento="11444777000161",
                indicador_ie=9,
                endereco_pais="1058",
                **place,
            ),
            uf="SP",
            natureza_operacao="VENDA DE MERCADORIA",
            modelo=55,
            serie="1",
            numero_nf="123",
            data_emissao=moment,
            tipo_documento=1,
            municipio="3550308",
            tipo_impressao_danfe=1,
            forma_emissao="1",
            cliente_final=1,
            indicador_destino=1,
            indicador_presencial=1,
            finalidade_emissao="1",
            processo_emissao="0",
            transporte_modalidade_frete=9,
            totais_icms_total_nota=Decimal("20.00") * items,
            _fonte_dados=store,
        )
        for _ in range(items):
            note.adicionar_produto_servico(**_ITEM)
        note.adicionar_pagamento(t_pag="01", v_pag=Decimal("20.00") * items)
        root = SerializacaoXML(store, homologacao=False).exportar()
        raw: bytes = etree.tostring(signer.assinar(root))
        _valid(etree.fromstring(raw))
        return raw

    return once


_ITEM = {
    "codigo": "A1",
    "ean": "SEM GTIN",
    "ean_tributavel": "SEM GTIN",
    "descricao": "Caneta azul",
    "ncm": "96081000",
    "cfop": "5102",
    "unidade_comercial": "UN",
    "unidade_tributavel": "UN",
    "quantidade_comercial": Decimal("2"),
    "quantidade_tributavel": Decimal("2"),
    "valor_unitario_comercial": Decimal("10.00"),
    "valor_unitario_tributavel": Decimal("10.00"),
    "valor_total_bruto": Decimal("20.00"),
    "ind_total": 1,
    "valor_tributos_aprox": "",
    "icms_modalidade": "00",
    "icms_origem": 0,
    "icms_modalidade_determinacao_bc": 3,
    "icms_valor_base_calculo": Decimal("20.00"),
    "icms_aliquota": Decimal("18"),
    "icms_valor": Decimal("3.60"),
    "pis_modalidade": "01",
    "pis_valor_base_calculo": Decimal("16.40"),
    "pis_aliquota_percentual": Decimal("1.65"),
    "pis_valor": Decimal("0.27"),
    "cofins_modalidade": "01",
    "cofins_valor_base_calculo": Decimal("16.40"),
    "cofins_aliquota_percentual": Decimal("7.6"),
    "cofins_valor": Decimal("1.25"),
}
