"""Writes tests/fixtures/cnab: run it by hand when a bank changes, and read the difference.

    .venv/bin/python tests/support/cnab_fixtures.py

The files are what tests read, byte for byte: a layout that moves a field by mistake still writes
and reads the same thing, but not these.
"""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "cnab"


def files() -> dict[str, bytes]:
    """Name → bytes; boletos are the first ones of the agreements in `cnab_files.SENDERS`."""
    from support.cnab_files import SENDERS, Fact, joined, lines_of, number_of, put, retorno

    from billing.gateways.cnab.registry import OF_240, OF_400

    def paid(n: int, amount: str = "100.00", bank: str = "341", **fields: object) -> Fact:
        return Fact(number_of(bank, n), paid=Decimal(amount), **fields)  # type: ignore[arg-type]

    def told(n: int, occurrence: str, **fields: object) -> Fact:
        return Fact(number_of("341", n), occurrence=occurrence, **fields)  # type: ignore[arg-type]

    itau, sender = OF_240["341"], SENDERS["341"]
    results = [
        paid(1, fee=Decimal("1.90")),
        paid(2),
        paid(2),
        paid(3, "60.00"),
        paid(99_999_999, "77.00", payer="DESCONHECIDO"),
        told(4, "03", reasons="4208"),
        told(5, "02"),
        told(6, "09"),
        told(1, "28", fee=Decimal("2.50")),
        told(1, "98"),
    ]
    two = lines_of(itau, sender, [paid(1, payer="JOAO"), paid(2, payer="MARIA")])
    mixed = [line.encode() for line in two]
    mixed[2] = put(two[2], 149, "JOÃO AÇAÍ".ljust(30)).encode("cp850")
    mixed[4] = put(two[4], 149, "CONCEIÇÃO É NÓS".ljust(30)).encode()
    wrong = put(two[-2], 30, "0" * 12 + "99999")
    made = {
        "itau240_resultados.ret": retorno(itau, sender, results),
        "itau400_resultados.ret": retorno(OF_400["341"], sender, results),
        "itau240_total_errado.ret": joined([*two[:-2], wrong, two[-1]]),
        "itau240_codificacoes.ret": b"\xef\xbb\xbf" + b"\n".join(mixed) + b"\n\x1a",
        "itau240_truncado.ret": joined([*two[:4], two[4][:120]]),
        "itau240_pago_duas_vezes.ret": retorno(itau, sender, [paid(1), paid(1)]),
        "itau240_pago_a_menor.ret": retorno(itau, sender, [paid(3, "60.00")]),
        "itau240_pago_apos_reemissao.ret": retorno(itau, sender, [paid(7)]),
    }
    for bank, layout in OF_240.items():
        made[f"{bank}_240.ret"] = retorno(layout, SENDERS[bank], [paid(42, bank=bank)])
    made["237_400.ret"] = retorno(OF_400["237"], SENDERS["237"], [paid(42, bank="237")])
    return made


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root), str(root / "tests")]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)
    print(f"{len(list(FOLDER.glob('*.ret')))} arquivos em {FOLDER}")
