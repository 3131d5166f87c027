"""What a company chooses about its prints (fiscal-api §14.2); never a value of the document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Orientation = Literal["portrait", "landscape"]


@dataclass(frozen=True)
class DanfeOptions:
    """Print options of a company. `logo` is PNG or JPEG bytes; field names are the API's."""

    logo: bytes | None = field(default=None, repr=False)
    orientacao: Orientation = "portrait"
    recibo_danfe: bool = True
    exibe_sempre_ipi: bool = False
    exibe_issqn: bool = False
    exibe_impostos_adicionais: bool = False
    exibe_unidade_tributaria: bool = False
    exibe_sempre_volumes: bool = False
    exibe_fatura: bool = True
    exibe_desconto_itens: bool = False
    largura_danfce: int = 80  # millimetres of the paper roll: 80 or 58
    resumo_danfce: bool = False  # without the items, where the UF allows
    previa: bool = False  # a preview: no fiscal value whatever the XML says
