from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.template import Context, Engine

from lib.templatetags import br as filters

ENGINE = Engine(builtins=["lib.templatetags.br"])


def render(source: str, value: Any) -> str:
    return ENGINE.from_string(source).render(Context({"v": value}))


@pytest.mark.parametrize(
    ("source", "value", "shown"),
    [
        ("{{ v|brl }}", Decimal("1234.56"), "R$\u00a01.234,56"),
        ("{{ v|brl }}", Decimal("-10"), "-R$\u00a010,00"),
        ("{{ v|brl }}", "1234.5", "R$\u00a01.234,50"),
        ("{{ v|brl }}", 0, "R$\u00a00,00"),
        ("{{ v|brl_compact }}", Decimal("2300000"), "R$\u00a02,3M"),
        ("{{ v|percentual }}", Decimal("2"), "2,00%"),
        ("{{ v|percentual:4 }}", Decimal("33.3333"), "33,3333%"),
        ("{{ v|cnpj }}", "12ABC34501DE35", "12.ABC.345/01DE-35"),
        ("{{ v|cpf }}", "52998224725", "529.982.247-25"),
        ("{{ v|documento }}", "52998224725", "529.982.247-25"),
        ("{{ v|documento }}", "11222333000181", "11.222.333/0001-81"),
        ("{{ v|cep }}", "01310100", "01310-100"),
        ("{{ v|telefone }}", "11912345678", "(11) 91234-5678"),
        ("{{ v|data }}", date(2026, 8, 2), "02/08/2026"),
        ("{{ v|data }}", datetime(2026, 8, 12, 1, 30, tzinfo=UTC), "11/08/2026"),
        ("{{ v|data_hora }}", datetime(2026, 8, 12, 1, 30, tzinfo=UTC), "11/08/2026 22:30"),
        ("{{ v|data_hora }}", datetime(2026, 8, 12, 1, 30), "12/08/2026 01:30"),
        ("{{ v|competencia }}", date(2026, 7, 1), "07/2026"),
        ("{{ v|chave }}", "3526" * 11, " ".join(["3526"] * 11)),
        ("{{ v|chave }}", "1234 " * 12 + "56", "1234 " * 12 + "56"),
        ("{{ v|sim_nao }}", True, "Sim"),
        ("{{ v|sim_nao }}", False, "Não"),
        ("{{ v|vazio }}", "texto", "texto"),
        ("{{ v|vazio }}", 0, "0"),
    ],
)
def test_values_are_shown_in_brazilian_formats(source: str, value: Any, shown: str) -> None:
    assert render(source, value) == shown


@pytest.mark.parametrize("name", sorted(filters.register.filters))
@pytest.mark.parametrize("absent", [None, "", "  "])
def test_an_absent_value_is_a_dash_in_every_filter(name: str, absent: str | None) -> None:
    assert render(f"{{{{ v|{name} }}}}", absent) == "—"
    assert render(f"{{{{ missing|{name} }}}}", absent) == "—"


def test_hostile_text_is_still_escaped() -> None:
    assert render("{{ v|vazio }}", "<b>") == "&lt;b&gt;"
    assert render("{{ v|cnpj }}", "<script>") == "&lt;script&gt;"


def test_a_float_is_not_money() -> None:
    with pytest.raises(TypeError):
        render("{{ v|brl }}", 0.1)
