"""341 Itaú, 240 positions.

"Cobrança FEBRABAN 240, intercâmbio eletrônico de arquivos", version 040 of the file and 030 of the
lot: carteira, number and DAC stand where others have the number; interest only in reais a day; and
many occurrences mean something else than FEBRABAN's.
"""

from __future__ import annotations

from datetime import timedelta

from billing.gateways.boleto.digits import mod10
from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab import occurrences, reasons
from billing.gateways.cnab.base import text
from billing.gateways.cnab.cnab240 import T_READ, Cnab240, Values
from billing.gateways.cnab.layout import Field, N
from billing.gateways.cnab.titles import Movement, Sender, Title

MAX_DAYS = 99
SPECIES = {"DM": 1, "NP": 2, "RC": 5, "DS": 8, "ND": 13}

_P = febraban.P.changed(
    Field("carteira_code", 38, 40, N),
    Field("nosso_numero", 41, 48, N),
    Field("nosso_numero_dv", 49, 49),
    Field("_none", 50, 57),
    Field("_zeros", 58, 62, N),
    Field("document_number", 63, 72),
    Field("_none_2", 73, 77),
    Field("collecting_agency_dv", 106, 106, N),
    Field("_zero", 118, 118, N),
    Field("write_off_days", 225, 226, N),
    Field("_zeros_2", 227, 239, N),
)
_Q = febraban.Q.changed(Field("name", 34, 63), Field("final_name", 170, 199))
_T = febraban.T.changed(
    Field("carteira_code", 38, 40),
    Field("nosso_numero", 41, 48),
    Field("document_number", 59, 68),
    Field("name", 149, 178),
    Field("reasons", 214, 221),
)


class Itau240(Cnab240):
    bank, bank_name, printed_name = "341", "Itaú", "BANCO ITAU SA"
    file_version, lot_version = 40, 30
    header = febraban.FILE_HEADER.changed(Field("_zeros", 226, 228, N))
    p, q = _P, _Q
    segment_t = _T
    t_read = (*T_READ, "carteira_code")
    occurrences, reasons = occurrences.ITAU, reasons.ITAU
    species = SPECIES
    daily_interest_only = True
    change_of_amount = Movement.CHANGE
    no_protest = 0

    def place(self, sender: Sender) -> Values:
        terms = sender.terms
        return {
            "agency": terms.agency,
            "account": terms.account,
            "dv": mod10(terms.agency + terms.account),
        }

    def agreement(self, sender: Sender) -> str:
        return ""

    def of_file(self, sender: Sender) -> Values:
        return {"number": 0}

    def of_lot(self, sender: Sender) -> Values:
        return {"number": 0}

    def of_p(self, sender: Sender, title: Title) -> Values:
        return {
            "carteira_code": sender.terms.carteira,
            "nosso_numero_dv": title.number.dv,
            "write_off_days": min(title.limit_days, MAX_DAYS),
        }

    def nosso_numero(self, sender: Sender, title: Title) -> str:
        return title.number.number

    def interest(self, title: Title) -> Values:
        daily = title.daily_interest()
        return {
            "interest_on": title.due + timedelta(days=1) if daily else None,
            "interest": daily,
        }

    def carteira(self, t: Values) -> str:
        return text(t["carteira_code"])
