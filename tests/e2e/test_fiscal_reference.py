"""The examples of the reference work by curl as they are written (fiscal-api §2, §3, §13 to §17).

Each file of tests/fixtures/fiscal_api names in `adapted` what could not stay as it was. The site
is served, the queue works in a process of its own, and so does the test authority.
"""

from __future__ import annotations

import pytest
from support.receiver import receiver
from support.reference_calls import Caller
from support.running_product import authority, queue  # noqa: F401  fixtures
from support.v2 import master_token

from fiscal.services.demo import load
from lib import clock

EXAMPLES = {"nfe": 41, "nfce": 20, "hooks": 11, "empresas": 14, "lookups": 14}


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.usefixtures("queue")
def test_the_examples_of_the_reference_work_as_written(account, live_server, settings, tmp_path):
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.FISCAL_RATE_LIMIT_PER_MINUTE = 10_000
    issuer = [token for token in load(account, at=clock.now()) if token.uf == "SP"]
    tokens = {token.ambiente: token.token for token in issuer}
    tokens["master"] = master_token(account)

    with receiver() as listener:
        address = f"http://127.0.0.1:{listener.port}"
        caller = Caller(live_server.url, tokens, tmp_path, {"OUVINTE": address})
        ran = {name: caller.run(name, ref=f"ref-{name}") for name in EXAMPLES}

    assert ran == EXAMPLES
    # §13.4: the JSON of the query, with the header that was asked for.
    told = listener.received[0]
    assert (told.line, told.headers["X-Chave"]) == ("POST /avisos HTTP/1.1", "segredo")
    assert told.json["status"] == "autorizado"
    assert told.json["ref"] == "ref-hooks"
