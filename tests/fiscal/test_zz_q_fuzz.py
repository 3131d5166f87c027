"""Ad hoc: weird values in every field of every order; anything but a refusal or an accepted event is told."""
import itertools
import pytest
from support.issuing import nfe_body
from fiscal.models import FiscalDocument
from fiscal.tasks import process_document
from fiscal.authorities import registry
from fiscal.authorities.base import NotSent
from support import issuing

WEIRD = [[], {}, [[]], [1], {"a": 1}, True, False, 0, -1, 10**40, 1.5, "", " ", "\u202e" * 20, "x" * 5000, "é" * 300, "\U0001f600" * 20, "<a>&amp;", "]]>", "\x01\x02" * 10, "9999-12-31T23:59:59Z", "0001-01-01", "1e400", None, "0", "-0", "NaN"]
BASE = {
 "carta_correcao": {"correcao": "Onde se le azul, leia-se vermelho", "data_evento": "2026-01-01", "substitui_anteriores": True},
 "ator_interessado": {"cnpj": "11444777000161", "cpf": None, "permite_autorizacao_terceiros": True},
 "insucesso_entrega": {"data_tentativa_entrega": "2026-01-01T10:00:00-03:00", "motivo_insucesso": "4", "justificativa_insucesso": "x"*30, "numero_tentativas": "1", "latitude_entrega": "1", "longitude_entrega": "1", "data_hash_tentativa": "2026-01-01", "hash_tentativa_entrega": "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
 "econf": {"detalhes_pagamento": [{"indicador_pagamento":"0","forma_pagamento": "01","descricao_pagamento":"x", "valor_pagamento": "20.00", "data_pagamento": "2026-01-01","cnpj_transacional":"11444777000161","uf_transacional":"SP","cnpj_instituicao_financeira":"11444777000161","bandeira_operadora":"01","numero_autorizacao":"1","cnpj_beneficiario":"11444777000161","uf_beneficiario":"SP"}]},
 "evento": {"tipo_evento": "prorrogacao_suspensao_icms", "itens_pedido": [{"numero_item": 1, "quantidade_item": "1"}], "itens_prorrogacao_suspensao_icms": None, "data_previsao_entrega": "2026-01-01"},
 "email": {"emails": ["a@b.test"]},
 "hook": {"x": 1},
}
@pytest.mark.django_db
@pytest.mark.parametrize("rest", BASE)
def test_fuzz(company, authority, nfe, rest, monkeypatch, settings):
    settings.FISCAL_RATE_LIMIT_PER_MINUTE = 0
    def event(self, xml, *, id_lote): raise NotSent("x", elapsed_ms=1)
    monkeypatch.setattr(issuing._Door, "event", event, raising=False)
    nfe.client.raise_request_exception = False
    nfe.post("nfe", nfe_body(), ref="r1")
    process_document(FiscalDocument.objects.get().pk)
    bad = []
    from django.db import transaction
    def variants():
        base = BASE[rest]
        for name in base:
            for w in WEIRD: yield {**base, name: w}
            if isinstance(base[name], list) and base[name] and isinstance(base[name][0], dict):
                for inner in base[name][0]:
                    for w in WEIRD: yield {**base, name: [{**base[name][0], inner: w}]}
    seen = {}
    for body in variants():
        with transaction.atomic():
            a = nfe.post(f"nfe/r1/{rest}", body)
            transaction.set_rollback(True)
        if a.status_code >= 500: bad.append((str(body)[:300], a.content[:200]))
        else: seen[(a.status_code, a.json()["codigo"] if isinstance(a.json(), dict) and "codigo" in a.json() else "")] = 1
    print(rest, seen)
    assert not bad, (len(bad), bad[:5])
