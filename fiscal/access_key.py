"""Access keys of fiscal documents and the Ids made from them (KEY-1 to KEY-9). Text, never numbers.

Since July 2026 a CNPJ, and with it a key, may hold capital letters: nothing here filters digits.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from operator import mul

from lib import br

# KEY-2: letters only in the first 12 positions of the CNPJ block.
PATTERN = r"[0-9]{6}[0-9A-Z]{12}[0-9]{26}"

_KEY = re.compile(PATTERN)
_BODY = re.compile(r"[0-9]{6}[0-9A-Z]{12}[0-9]{25}")
_WEIGHTS = tuple(2 + n % 8 for n in reversed(range(43)))
_SUM_OF_WEIGHTS = sum(_WEIGHTS)
_AAMM = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])")
_DH_EMI = re.compile(r"20([0-9]{2})-(0[1-9]|1[0-2])-")
_CNF = re.compile(r"[0-9]{8}")
_TP_EVENTO = re.compile(r"[0-9]{6}")

# Rejection 897: codes that the authorities take for not random.
_WEAK_CNF = frozenset(
    [digit * 8 for digit in "0123456789"]
    + ["".join(str((start + step) % 10) for step in range(8)) for start in range(10)]
)

# fmt: off
UF_CODES = {
    "RO": "11", "AC": "12", "AM": "13", "RR": "14", "PA": "15", "AP": "16", "TO": "17",
    "MA": "21", "PI": "22", "CE": "23", "RN": "24", "PB": "25", "PE": "26", "AL": "27",
    "SE": "28", "BA": "29", "MG": "31", "ES": "32", "RJ": "33", "SP": "35", "PR": "41",
    "SC": "42", "RS": "43", "MS": "50", "MT": "51", "GO": "52", "DF": "53",
}  # IBGE
# fmt: on
_UFS = {code: uf for uf, code in UF_CODES.items()}


@dataclass(frozen=True)
class KeyParts:
    """The slices of a key as text, in its order (KEY-1); numbers without padding."""

    cuf: str
    aamm: str
    document: str  # the block of 14 as written: CNPJ, or CPF after three zeros
    modelo: int
    serie: int
    numero: int
    tp_emis: int
    cnf: str
    cdv: str

    @property
    def uf(self) -> str:
        """The UF of `cuf`, or empty when no UF has that code."""
        return _UFS.get(self.cuf, "")

    @property
    def is_cpf(self) -> bool:
        """Whether the issuer is a person: series 920–969 are theirs (NUM-7).

        The series decides where it can; outside of it a block that is a valid CPF but no valid
        CNPJ is one.
        """
        if self.modelo == 55 and 920 <= self.serie <= 969:
            return True
        return self.document.startswith("000") and not br.is_cnpj(self.document)

    @property
    def issuer(self) -> str:
        """CNPJ (14) or CPF (11) of the issuer."""
        return self.document[3:] if self.is_cpf else self.document


def check_digit(body: str) -> str:
    """cDV of the first 43 characters (KEY-3): weights 2 to 9 from the right, modulo 11."""
    # Twice for every document: the weights are laid out once, and 48 taken off in one go.
    total = sum(map(mul, body.encode("ascii"), _WEIGHTS)) - 48 * _SUM_OF_WEIGHTS
    rest = total % 11
    return "0" if rest < 2 else str(11 - rest)


def aamm_of(dh_emi: str) -> str:
    """Year and month as written in dhEmi (`AAAA-MM-DDTHH:MM:SS±HH:MM`), never in UTC (KEY-1).

    Raises ValueError when the text does not begin with a year of this century and a month.
    """
    found = _DH_EMI.match(dh_emi)
    if not found:
        raise ValueError(f"not a dhEmi: {dh_emi!r}")
    return found[1] + found[2]


def compose(
    *,
    cuf: str | int,
    aamm: str,
    document: str,
    modelo: int,
    serie: int,
    numero: int,
    tp_emis: int,
    cnf: str,
) -> str:
    """The 44 characters of the key; `document` is a CNPJ (14) or a CPF (11) without mask.

    Raises ValueError when a part does not fit its place.
    """
    if not _AAMM.fullmatch(aamm) or not _CNF.fullmatch(cnf):
        raise ValueError(f"aamm or cNF of the wrong form: {aamm!r}, {cnf!r}")
    if len(document) not in (11, 14):
        raise ValueError("the issuer is a CNPJ of 14 or a CPF of 11 characters")
    body = (
        f"{int(cuf):02d}{aamm}{document.rjust(14, '0')}{int(modelo):02d}"
        f"{int(serie):03d}{int(numero):09d}{int(tp_emis)}{cnf}"
    )
    if not _BODY.fullmatch(body):
        raise ValueError("a part of the access key does not fit its place")
    return body + check_digit(body)


def is_valid(chave: str) -> bool:
    """Whether the form (KEY-2), the month and the check digit are right; case and blanks count."""
    return (
        _KEY.fullmatch(chave) is not None
        and _AAMM.fullmatch(chave[2:6]) is not None
        and check_digit(chave[:43]) == chave[43]
    )


def parse(chave: str) -> KeyParts:
    """The parts of a valid key. Raises ValueError for one that `is_valid` refuses."""
    if not is_valid(chave):
        raise ValueError("not a valid access key")
    return KeyParts(
        cuf=chave[:2],
        aamm=chave[2:6],
        document=chave[6:20],
        modelo=int(chave[20:22]),
        serie=int(chave[22:25]),
        numero=int(chave[25:34]),
        tp_emis=int(chave[34]),
        cnf=chave[35:43],
        cdv=chave[43],
    )


def is_weak_cnf(cnf: str, *, numero: int) -> bool:
    """Whether rejection 897 would meet this code: a known sequence or the number itself."""
    return cnf in _WEAK_CNF or int(cnf) == numero


def new_cnf(numero: int) -> str:
    """Eight random digits for the document `numero`, none of the refused ones (NUM-6)."""
    while True:
        cnf = f"{secrets.randbelow(10**8):08d}"
        if not is_weak_cnf(cnf, numero=numero):
            return cnf


# --- Ids of the signed elements (KEY-6) ------------------------------------------------------


def nfe_id(chave: str) -> str:
    """infNFe/@Id: 47 characters."""
    return f"NFe{chave}"


def event_id(tp_evento: str | int, chave: str, n_seq: int) -> str:
    """infEvento/@Id: 54 characters. Raises ValueError for a part that does not fit."""
    kind = str(tp_evento)
    if not _TP_EVENTO.fullmatch(kind) or not _KEY.fullmatch(chave) or not 1 <= n_seq <= 99:
        raise ValueError("a part of the event Id does not fit its place")
    return f"ID{kind}{chave}{n_seq:02d}"


def void_id(
    *, cuf: str | int, ano: str | int, cnpj: str, modelo: int, serie: int, first: int, last: int
) -> str:
    """infInut/@Id: 43 characters; `ano` is the two-digit year of the request (NUM-5).

    Raises ValueError for a part that does not fit, or a range that ends before it begins.
    """
    text = (
        f"ID{int(cuf):02d}{int(ano):02d}{cnpj}{int(modelo):02d}"
        f"{int(serie):03d}{int(first):09d}{int(last):09d}"
    )
    if not re.fullmatch(r"ID[0-9]{4}[0-9A-Z]{12}[0-9]{25}", text) or first > last:
        raise ValueError("a part of the voiding Id does not fit its place")
    return text
