"""The working sheet of one document: what the tax functions share, and the notes they leave."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fiscal.documents.types import Data
from fiscal.taxes.rounding import CENT, ZERO

SIMPLES = (1, 4)  # CRT of Simples Nacional and MEI
FIRST_DATE_OF_TABLES = "2026-01-01"
_MOST_NOTES = 100  # 990 items may each say the same


@dataclass(frozen=True)
class Note:
    """A warning about a document that is issued all the same (TAX-1); `campo` is a request field.

    `enviado` and `calculado` are decimal text, empty when the note is not about a difference.
    """

    campo: str
    mensagem: str
    enviado: str = ""
    calculado: str = ""


class Sheet:
    """One document being completed: its facts, its notes, and the item at hand.

    `operation` is vProd + vFrete + vSeg + vOutro − vDesc of the item at hand (TAX-6, TAX-10).
    """

    __slots__ = (
        "crt",
        "day",
        "government_reduction",
        "is_final_consumer",
        "is_import",
        "modelo",
        "notes",
        "operation",
        "where",
    )

    def __init__(self, data: Data, *, modelo: int, crt: int) -> None:
        self.modelo = modelo
        self.crt = crt
        # The rule of the document's own dhEmi, as written (§0): text compares like dates.
        self.day: str = str(data.get("data_emissao") or FIRST_DATE_OF_TABLES)[:10]
        self.is_final_consumer = modelo == 65 or data.get("consumidor_final") == "1"
        # pRedutor of a government purchase (gCompraGov), in per cent.
        self.government_reduction: Decimal | None = data.get(
            "perc_reducao_aliquota_compra_governamental"
        )
        self.notes: list[Note] = []
        self.where = ""
        self.operation = ZERO
        self.is_import = False

    def settle(self, row: dict[str, Any], campo: str, value: Decimal) -> Decimal:
        """Answer the value that counts: what was sent, else `value`, which then fills `row`.

        A sent value more than a cent away from ours leaves a note (TAX-1).
        """
        sent: Decimal | None = row.get(campo)
        if sent is None:
            row[campo] = value
            return value
        if sent != value and abs(sent - value) > CENT:
            self._differs(campo, sent, value)
        return sent

    def note(self, campo: str, mensagem: str) -> None:
        """Leave a warning about a field of the item at hand, or of the document."""
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(Note(self.where + campo, mensagem))

    def _differs(self, campo: str, sent: Decimal, value: Decimal) -> None:
        mensagem = f"O valor enviado ({sent:f}) difere do calculado ({value:f})."
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(Note(self.where + campo, mensagem, f"{sent:f}", f"{value:f}"))
