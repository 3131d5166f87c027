"""What all banks of boletos have in common; each bank is a module of its own (boleto-pix §5)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from billing.gateways.boleto.codes import is_digits


@dataclass(frozen=True)
class Agreement:
    """What a beneficiary agreed on with its bank: texts of digits, each as long as the bank says.

    `code` is the convênio, cedente, beneficiary or client number, by the bank's word for it.
    """

    agency: str = ""
    account: str = ""
    account_dv: str = ""
    code: str = ""
    carteira: str = ""
    modality: str = ""
    post: str = ""  # of a cooperative
    has_free_number: bool = False  # Banco do Brasil: 17 positions of the beneficiary's own


@dataclass(frozen=True)
class NossoNumero:
    """The bank's number of a boleto; its check digit may be a letter, or empty."""

    number: str
    dv: str
    printed: str


@dataclass(frozen=True)
class Wanted:
    """A field of the agreement and how many digits the bank wants there."""

    name: str
    lengths: tuple[int, ...]
    label: str


class Bank(ABC):
    """One bank. Everything is arithmetic over an agreement that `faults` accepts."""

    code: ClassVar[str]
    dv: ClassVar[str]
    name: ClassVar[str]
    wanted: ClassVar[tuple[Wanted, ...]]

    def wants(self, agreement: Agreement) -> tuple[Wanted, ...]:
        """What of this agreement has a size; some fields count in some carteiras only."""
        return self.wanted

    def series(self, on: date) -> str:
        """Within what the sequence counts: boletos issued on days of the same series."""
        return ""

    @abstractmethod
    def longest(self, agreement: Agreement) -> int:
        """How many digits of the nosso número a sequence may have."""

    @abstractmethod
    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        """That of the n-th boleto, issued `on` that day. Raises OverflowError past the last one."""

    @abstractmethod
    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        """25 digits. `document` is the beneficiary's own number of the boleto."""

    def beneficiary(self, agreement: Agreement) -> str:
        """Agência/código do beneficiário, as printed."""
        dv = f"-{agreement.account_dv}" if agreement.account_dv else ""
        return f"{agreement.agency} / {agreement.account}{dv}"


class InvalidAgreement(Exception):
    """Fields of the agreement that the bank does not take: name → what is wrong (pt-BR)."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__("; ".join(faults.values()))
        self.faults = faults


def faults(bank: Bank, agreement: Agreement) -> dict[str, str]:
    """What of the agreement the bank does not take, by field; empty when all is well."""
    found = {}
    for one in bank.wants(agreement):
        if not is_digits(getattr(agreement, one.name), *one.lengths):
            sizes = " ou ".join(str(n) for n in one.lengths)
            found[one.name] = f"{one.label} do banco {bank.code} deve ter {sizes} números."
    return found


def check(bank: Bank, agreement: Agreement) -> None:
    """Raises InvalidAgreement."""
    found = faults(bank, agreement)
    if found:
        raise InvalidAgreement(found)


def sequenced(sequence: int, size: int) -> str:
    """A number of the sequence in `size` digits. Raises OverflowError when it does not fit."""
    if not 0 < sequence < 10**size:
        raise OverflowError(f"Os nossos números do convênio acabaram em {10**size - 1}.")
    return f"{sequence:0{size}d}"
