"""Which certificate signs, and when none does (fiscal-engine §16)."""

from __future__ import annotations

import pytest
from support.certificates import certify, moment_after

from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Certificate
from fiscal.services import certificates
from fiscal.services.certificates import credentials_of, signer_of
from fiscal.signing import verify


@pytest.mark.django_db
def test_the_company_signs_with_its_certificate(company):
    signer = signer_of(company)

    inner = b'<infNFe xmlns="http://www.portalfiscal.inf.br/nfe" Id="NFe1"></infNFe>'
    signature, _ = signer.signature(inner, element_id="NFe1")
    document = b'<NFe xmlns="http://www.portalfiscal.inf.br/nfe">' + inner + signature + b"</NFe>"
    assert verify(document).certificate_der == signer.certificate_der


@pytest.mark.django_db
def test_of_two_valid_certificates_the_one_that_ends_last_signs(company):
    """CRT-5."""
    longest = certify(company, ends=700)
    certify(company, ends=30)

    assert credentials_of(company).thumbprint == longest.thumbprint


@pytest.mark.django_db
def test_a_renewed_certificate_signs_at_once(company):
    before = credentials_of(company)

    renewed = certify(company, ends=800)

    assert credentials_of(company).thumbprint == renewed.thumbprint != before.thumbprint


@pytest.mark.django_db
def test_an_expired_certificate_signs_nothing(company):
    """CRT-5: refused here, before the authority does (281, 291)."""
    certificate = Certificate.objects.get(company=company)

    with pytest.raises(CertificateExpired) as refused:
        signer_of(company, at=moment_after(certificate))

    assert (refused.value.codigo, refused.value.http_status) == ("certificado_vencido", 400)
    assert refused.value.mensagem == "O certificado do emitente está vencido"


@pytest.mark.django_db
def test_a_company_without_certificate_signs_nothing(company):
    Certificate.objects.all().delete()

    with pytest.raises(NoCertificate):
        signer_of(company)


@pytest.mark.django_db
def test_a_certificate_that_is_not_valid_yet_signs_nothing(company):
    Certificate.objects.all().delete()
    certify(company, begins=2, ends=300)

    with pytest.raises(NoCertificate):
        signer_of(company)


@pytest.mark.django_db
def test_neither_key_nor_code_shows_in_a_repr(company):
    credentials = credentials_of(company)

    assert "PRIVATE KEY" in credentials.key_pem.decode()
    assert "PRIVATE KEY" not in repr(credentials)
    assert "PRIVATE" not in Certificate.objects.get(company=company).key
    assert certificates.PURPOSE == "fiscal.certificate"
