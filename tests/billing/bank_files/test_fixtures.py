"""The files of tests/fixtures/cnab, byte for byte, against what each is known to say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.boletos import agreement_with
from support.cnab_files import number_of
from support.cnab_fixtures import FOLDER
from support.retornos import new_boleto

from accounts.services.audit import SYSTEM
from billing.errors import FileNotRead
from billing.gateways.cnab.reader import Reading, entries
from billing.gateways.cnab.reading import NO_TRAILER
from billing.services.bank_files.retorno import receive
from billing.services.boletos import answers
from billing.services.boletos.reissue import reissue

D = Decimal
RESULTS = [
    "settle", "settle", "duplicate", "divergent", "unmatched", "rejected", "registered",
    "cancelled", "fee", "unknown",
]  # fmt: skip


@pytest.mark.parametrize("path", sorted(FOLDER.glob("[0-9]*.ret")), ids=lambda one: one.stem)
def test_each_bank_s_file_says_what_it_said(path):
    bank, _, width = path.stem.partition("_")
    reading = Reading(path.read_bytes())
    (entry,) = entries(reading)

    assert (reading.layout.code, reading.faults) == (f"{width}-{bank}", [])
    assert entry.nosso_numero == number_of(bank, 42).number
    assert (entry.value, entry.paid, entry.payer or "CLIENTE EXEMPLO") == (
        D("100.00"), D("100.00"), "CLIENTE EXEMPLO",
    )  # fmt: skip
    assert (entry.due, entry.occurred_on, entry.credited_on) == (
        date(2026, 8, 20), date(2026, 8, 20), date(2026, 8, 21),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "payers", "faults"),
    [
        ("itau240_codificacoes", ["JOÃO AÇAÍ", "CONCEIÇÃO É NÓS"], []),
        (
            "itau240_truncado",
            ["JOAO", ""],
            ["Linha 5: segmento T: linha de 120 posições, e não 240.", NO_TRAILER],
        ),
    ],
)
def test_damaged_files_say_what_is_wrong(name, payers, faults):
    reading = Reading((FOLDER / f"{name}.ret").read_bytes())
    assert [one.payer for one in entries(reading)] == payers
    assert [one.text for one in reading.faults] == faults


@pytest.mark.django_db
def test_what_the_files_would_do_to_the_first_seven_boletos(account, organization, today):
    today("2026-09-10")
    agreement_with(organization)
    charges = [new_boleto(organization) for _ in range(7)]
    for at in (0, 1, 2, 5, 6):
        answers.registered(charges[at].pk, account=account)
    reissue(
        charges[6].receivable_id, date(2026, 9, 11), account=account, actor=SYSTEM,
        today=date(2026, 9, 10),
    )  # fmt: skip

    def results(name):
        content = (FOLDER / f"{name}.ret").read_bytes()
        file = receive(content, filename=f"{name}.ret", account=account, actor=SYSTEM)
        return [one["text"] for one in file.faults], list(
            file.records.order_by("line").values_list("result", flat=True)
        )

    assert results("itau240_resultados") == ([], RESULTS)
    assert results("itau400_resultados") == ([], RESULTS)
    assert results("itau240_total_errado") == (
        ["O total do arquivo (R$\u00a0999,99) não confere com as linhas (R$\u00a0200,00)."],
        ["settle", "settle"],
    )
    assert results("itau240_pago_duas_vezes") == ([], ["settle", "duplicate"])
    assert results("itau240_pago_a_menor") == ([], ["divergent"])
    assert results("itau240_pago_apos_reemissao") == ([], ["replaced"])
    assert results("itau240_truncado")[1] == ["settle", "unknown"]
    with pytest.raises(FileNotRead, match=r"^Convênio 1899775 não cadastrado\.$"):
        results("033_240")
