"""docs/fiscal-quickstart.md does what it says: its commands run as they are printed.

The site is served, the queue works in a process of its own, and so does the test authority.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from lxml import etree
from support.running_product import authority, queue  # noqa: F401  fixtures

from fiscal.models import FiscalDocument, FiscalHook, Inutilizacao
from fiscal.services.demo import load
from lib import clock

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "fiscal-quickstart.md"
NFE = "{http://www.portalfiscal.inf.br/nfe}"


def script() -> str:
    """The commands of the guide; the first one that fails ends it."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.S | re.M)
    return "set -eu\n" + "\n".join(blocks)


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.usefixtures("queue")
def test_the_guide_goes_from_the_first_document_to_the_notice(
    account, live_server, settings, tmp_path
):
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    tokens = load(account, at=clock.now())
    token = next(t.token for t in tokens if t.uf == "SP" and t.ambiente == "homologacao")

    ran = subprocess.run(
        ["bash", "-c", script()],  # it is our own guide
        cwd=tmp_path,
        env={**os.environ, "FISCAL_URL": live_server.url, "FISCAL_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=180,
    )

    told = {file.name: file.read_text() for file in tmp_path.glob("*.json")}
    assert ran.returncode == 0, (ran.stdout, ran.stderr, told)
    assert ran.stdout.splitlines() == [
        "NFC-e autorizado: Autorizado o uso da NF-e",
        "NF-e processando_autorizacao",
        "NF-e autorizado: Autorizado o uso da NF-e",
        "total 1550.00 ICMS 279.00",
        "carta de correção 1: autorizado",
        "NF-e cancelado",
        "NFC-e cancelado",
        "inutilização autorizado: Inutilizacao de numero homologado",
        "aviso: cancelado",
    ]
    files_are_what_they_say(tmp_path)
    states = FiscalDocument.objects.order_by("modelo").values_list("modelo", "state")
    assert list(states) == [(55, "cancelado"), (65, "cancelado")]
    assert Inutilizacao.objects.get().state == "homologada"
    assert not FiscalHook.objects.exists()


def files_are_what_they_say(folder: Path) -> None:
    for name, root in (("nfe.xml", "nfeProc"), ("cancelamento.xml", "procEventoNFe")):
        assert etree.fromstring((folder / name).read_bytes()).tag == NFE + root
    for name in ("danfe.pdf", "cce.pdf"):
        assert (folder / name).read_bytes().startswith(b"%PDF-")
    assert "<html" in (folder / "danfe-nfce.html").read_text(encoding="utf-8")
