"""The file people start from: header, two lines of example and, in XLSX, instructions."""

from __future__ import annotations

from pathlib import Path

from billing.services.imports.columns import COLUMNS, NAMES
from lib.errors import InvalidInput
from lib.tabular import write_csv, write_xlsx
from lib.tabular.xlsx import INSTRUCTIONS

SHEET = "Contratos"
_NOTES = (
    "Uma linha por serviço. Linhas com o mesmo código de contrato e de regra somam serviços.",
    "Nas linhas seguintes de um mesmo código, células em branco repetem a primeira linha dele.",
    "Célula em branco não apaga o que já está no sistema.",
    "Valores como 1.234,56. Datas como 31/12/2026. Não use fórmulas.",
    "Apague as duas linhas de exemplo antes de importar.",
)


def write_template(path: Path) -> None:
    """Write the template at `path`, CSV or XLSX by its extension. Raises InvalidInput."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".xlsx"):
        raise InvalidInput(f"O modelo deve ser .csv ou .xlsx, não {path.name}.")
    rows = [[column.examples[at] for column in COLUMNS] for at in (0, 1)]
    try:
        if kind == ".csv":
            write_csv(path, NAMES, rows)
        else:
            write_xlsx(path, [(SHEET, [NAMES, *rows]), (INSTRUCTIONS, _instructions())])
    except OSError as error:
        raise InvalidInput(f"Não foi possível gravar {path}: {error.strerror}.") from error


def _instructions() -> list[list[str]]:
    table = [
        [column.name, "sim" if column.is_required else "não", column.help] for column in COLUMNS
    ]
    notes = [["", "", note] for note in _NOTES]
    return [["Coluna", "Obrigatória", "O que aceita"], *table, ["", "", ""], *notes]
