"""Authorized documents that another program issued, as its user has them in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from support.issuing import nfce_body, nfe_body

from fiscal.access_key import new_cnf
from fiscal.authorities.answers import nfe_proc
from fiscal.authorities.base import TP_AMB
from fiscal.documents.nfe import make
from fiscal.documents.types import Identity
from fiscal.models import Company
from fiscal.services.certificates import signer_of
from fiscal.services.companies import csc_of, issuer_of
from fiscal.services.signing_step import local_time
from fiscal.xml import NFE
from lib import clock


@dataclass(frozen=True)
class Foreign:
    chave: str
    nfe: bytes
    prot: bytes
    protocolo: str
    dh_emi: datetime

    @property
    def proc(self) -> bytes:
        return nfe_proc(self.nfe, self.prot)


def foreign_nfe(
    company: Company,
    *,
    numero: int = 1,
    modelo: int = 55,
    ambiente: str = "homologacao",
    signer: Company | None = None,
    **fields: Any,
) -> Foreign:
    """An NF-e of `company`, signed with the certificate of `signer` or its own, with protocol."""
    now = clock.now()
    body = nfe_body(**fields) if modelo == 55 else nfce_body(**fields)
    data = make.prepare(
        body, modelo=modelo, ambiente=ambiente, issuer=issuer_of(company),
        now=local_time(company, now),
    )  # fmt: skip
    identity = Identity(
        modelo=modelo, ambiente=ambiente, serie=1, numero=numero, cnf=new_cnf(numero)
    )
    csc = csc_of(company, ambiente) if modelo == 65 else None
    made = make.make(data, identity, signer=signer_of(signer or company, at=now), csc=csc)
    protocolo = f"1352600{numero:08d}"
    prot = (
        f'<protNFe xmlns="{NFE}" versao="4.00"><infProt><tpAmb>{TP_AMB[ambiente]}</tpAmb>'
        f"<verAplic>SP_1</verAplic><chNFe>{made.chave}</chNFe>"
        f"<dhRecbto>{local_time(company, now).isoformat()}</dhRecbto><nProt>{protocolo}</nProt>"
        f"<digVal>{made.digest_value}</digVal><cStat>100</cStat>"
        "<xMotivo>Autorizado o uso da NF-e</xMotivo></infProt></protNFe>"
    )
    moment = datetime.fromisoformat(made.dh_emi)
    return Foreign(made.chave, made.xml, prot.encode(), protocolo, moment)
