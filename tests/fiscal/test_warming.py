"""A process that was warmed up reads no table, catalogue or schema for its first notes (PERF-1)."""

from __future__ import annotations

import os
import subprocess
import sys

FIRST_NOTES = """
import sys
import django
django.setup()
from support import a1
from support.national_notes import BODY, IDENTITY, ISSUER, NOW, REFORM
from support.note_bodies import nfe_body, read_note
from support.service_notes import nfse_body
from fiscal import warming
warming.load()
from fiscal.documents.nfsen import make, reading
from fiscal.documents.nfse import reading as municipal
signer = a1.signer()
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
body = {"ambiente": "homologacao", "now": NOW, "issuer": ISSUER}
declared = reading.read({**BODY, **REFORM}, **body)
make.make(declared, IDENTITY, signer=signer)
neutral = nfse_body(prestador={"cnpj": ISSUER.cnpj}, data_emissao="2026-11-20T10:00:00-03:00")
municipal.read(neutral, **body)
read_note(nfe_body())
print([path for path in opened if not path.endswith(".py") and "__pycache__" not in path])
"""


def test_the_first_notes_of_a_process_open_no_file() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FIRST_NOTES],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert (ran.stdout.strip(), ran.returncode) == ("[]", 0), ran.stderr[-2000:]
