"""Agreements and boletos that tests start from."""

from __future__ import annotations

import io
import subprocess
import uuid
from datetime import date
from pathlib import Path
from typing import Any

from PIL import Image

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import BankAgreement, Charge, FinancialAccount, GatewayAccount, Party
from billing.services.boletos import answers
from billing.services.boletos.issue import issue_boleto

# A valid agreement of each bank, as boleto-pix §5 has them.
BANKS: dict[str, dict[str, Any]] = {
    "001": {"agency": "4042", "account_number": "00061900", "code": "1238798", "carteira": "18"},
    "033": {"agency": "0123", "code": "1899775", "carteira": "101"},
    "104": {"agency": "1234", "code": "245274", "modality": "1", "carteira": "RG"},
    "237": {"agency": "4042", "account_number": "0061900", "carteira": "09"},
    "341": {"agency": "0810", "account_number": "53678", "carteira": "109"},
    "748": {"agency": "0710", "post": "65", "code": "00129", "carteira": "1"},
    "756": {"agency": "0001", "code": "0000019", "modality": "01", "carteira": "1"},
}
ITAU = "341"


def bank_account(organization: Party, bank: str = ITAU, **fields: Any) -> FinancialAccount:
    given = {"bank_branch": "0810", "bank_account": "53678"} | fields
    found: FinancialAccount = FinancialAccount.objects.create(
        account=organization.account, organization=organization, bank_code=bank, **given
    )
    return found


def agreement_with(organization: Party, bank: str = ITAU, **fields: Any) -> BankAgreement:
    """An agreement registered by CNAB 240 files, unless `fields` say otherwise."""
    given = BANKS[bank] | fields
    given.setdefault("financial_account", None)
    given["financial_account"] = given["financial_account"] or bank_account(organization, bank)
    found: BankAgreement = BankAgreement.objects.create(account=organization.account, **given)
    found.clean()
    return found


def bank_gateway(account: Account, base_url: str, **secrets: str) -> GatewayAccount:
    """The stand-in's bank, or wherever `base_url` leads."""
    gateway = GatewayAccount(
        account=account,
        provider=GatewayAccount.Provider.BOLETO,
        name="Banco",
        base_url=base_url,
        hook=uuid.uuid4(),
    )
    gateway.secrets = secrets or {"client_id": "banco-demo", "client_secret": "segredo-demo"}
    gateway.save()
    return gateway


def online_agreement(organization: Party, base_url: str, **fields: Any) -> BankAgreement:
    gateway = bank_gateway(organization.account, base_url)
    return agreement_with(
        organization, registration=BankAgreement.Registration.ONLINE, gateway=gateway, **fields
    )


def open_boleto(receivable_id: int, account: Account, *, today: date) -> Charge:
    """A boleto that its bank has confirmed, by whatever way."""
    charge = issue_boleto(receivable_id, account=account, actor=SYSTEM, today=today)
    return answers.registered(charge.pk, account=account)


def images_of(pdf: bytes, folder: Path, *, dpi: int = 200) -> list[Image.Image]:
    """The pages as pictures of the paper at 100 %."""
    command = ["pdftoppm", "-r", str(dpi), "-gray", "-", str(folder / "page")]
    subprocess.run(command, input=pdf, check=True, capture_output=True)
    return [Image.open(io.BytesIO(one.read_bytes())) for one in sorted(folder.glob("page*.pgm"))]
