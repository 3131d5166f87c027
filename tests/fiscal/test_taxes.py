"""Taxes and totals against values worked out by hand (fiscal-engine §13, fiscal-api §21)."""

from __future__ import annotations

import copy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscal.taxes import complete
from fiscal.taxes.apportion import APPORTIONED, split
from fiscal.taxes.reform_rates import rates_on
from fiscal.taxes.rounding import cents, gross_up, percent, product


def d(text: str) -> Decimal:
    return Decimal(text)


def goods(price: str = "100.00", quantity: str = "1", **fields: Any) -> dict[str, Any]:
    return {
        "cfop": "5102",
        "unidade_comercial": "UN",
        "quantidade_comercial": d(quantity),
        "valor_unitario_comercial": d(price),
        "icms_situacao_tributaria": "41",
        "pis_situacao_tributaria": "07",
        "cofins_situacao_tributaria": "07",
        **fields,
    }


def document(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"data_emissao": "2026-11-21T10:00:00-03:00", "items": list(items), **fields}


def done(data: dict[str, Any], *, modelo: int = 55, crt: int = 3) -> dict[str, Any]:
    complete(data, modelo=modelo, crt=crt)
    return data


def item_of(item: dict[str, Any], *, crt: int = 3, **header: Any) -> dict[str, Any]:
    return done(document(item, **header), crt=crt)["items"][0]


class TestRounding:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("1.005", "1.01"),
            ("0.335", "0.34"),
            ("2.675", "2.68"),
            ("10.235", "10.24"),
            ("10.2349999", "10.23"),
            ("0.004999", "0.00"),
        ],
    )
    def test_ties_go_up(self, value: str, expected: str) -> None:
        assert cents(d(value)) == d(expected)

    def test_product_is_exact_before_its_only_rounding(self) -> None:
        assert product(d("99999999999.9999"), d("0.0000000001")) == d("10.00")
        assert product(d("12345678901.2345"), d("99999.9999999999")) == d("1234567890123448.77")

    def test_percent(self) -> None:
        assert percent(d("13.50"), d("7.5")) == d("1.01")  # 1.0125
        assert percent(d("67.00"), d("0.5")) == d("0.34")  # 0.335

    def test_gross_up(self) -> None:
        assert gross_up(d("82.00"), d("18")) == d("100.00")
        with pytest.raises(ValueError, match="100"):
            gross_up(d("1.00"), d("100"))


class TestItem:
    def test_gross_value_and_taxable_copies(self) -> None:
        item = item_of(goods("0.335", "1"))
        assert item["valor_bruto"] == d("0.34")
        assert item["unidade_tributavel"] == "UN"
        assert item["quantidade_tributavel"] == d("1")
        assert item["valor_unitario_tributavel"] == d("0.335")

    def test_a_sent_taxable_unit_stays(self) -> None:
        sent = goods("10", unidade_tributavel="KG", quantidade_tributavel=d("4"))
        item = item_of({**sent, "valor_unitario_tributavel": d("2.5")})
        assert (item["unidade_tributavel"], item["quantidade_tributavel"]) == ("KG", d("4"))
        assert item["valor_unitario_tributavel"] == d("2.5")

    def test_icms_base_has_freight_and_loses_discount(self) -> None:
        item = item_of(
            goods(
                icms_situacao_tributaria="00",
                icms_aliquota=d("18"),
                valor_frete=d("10.00"),
                valor_seguro=d("2.00"),
                valor_outras_despesas=d("3.00"),
                valor_desconto=d("5.00"),
            )
        )
        assert item["icms_base_calculo"] == d("110.00")
        assert item["icms_valor"] == d("19.80")

    def test_ipi_enters_the_icms_base_of_a_final_consumer_only(self) -> None:
        fields = {
            "icms_situacao_tributaria": "00",
            "icms_aliquota": d("18"),
            "ipi_situacao_tributaria": "50",
            "ipi_aliquota": d("10"),
        }
        assert item_of(goods(**fields))["icms_base_calculo"] == d("100.00")
        consumer = item_of(goods(**fields), consumidor_final="1")
        assert consumer["icms_base_calculo"] == d("110.00")
        assert consumer["ipi_valor"] == d("10.00")

    def test_reduced_base_is_rounded_before_the_rate(self) -> None:
        item = item_of(
            goods(
                "33.35",
                icms_situacao_tributaria="20",
                icms_aliquota=d("7"),
                icms_reducao_base_calculo=d("41.67"),
            )
        )
        assert item["icms_base_calculo"] == d("19.45")  # 19.453055
        assert item["icms_valor"] == d("1.36")  # 1.3615
        other = item_of(
            goods(
                "1.05",
                icms_situacao_tributaria="20",
                icms_aliquota=d("18"),
                icms_reducao_base_calculo=d("50"),
            )
        )
        assert other["icms_base_calculo"] == d("0.53")  # 0.525
        assert other["icms_valor"] == d("0.10")  # 0.0954; one rounding of 0.0945 gives 0.09

    def test_deferral_subtracts_two_rounded_values(self) -> None:
        item = item_of(
            goods(
                "10.05",
                icms_situacao_tributaria="51",
                icms_aliquota=d("18"),
                icms_percentual_diferimento=d("33.33"),
            )
        )
        assert item["icms_valor_operacao"] == d("1.81")
        assert item["icms_valor_diferido"] == d("0.60")
        assert item["icms_valor"] == d("1.21")

    @pytest.mark.parametrize("cst", ["40", "41", "50", "102", "300"])
    def test_no_value_without_tax(self, cst: str) -> None:
        item = item_of(goods(icms_situacao_tributaria=cst, icms_aliquota=d("18")))
        assert "icms_valor" not in item
        assert "icms_base_calculo" not in item

    def test_a_rate_is_never_guessed(self) -> None:
        assert "icms_valor" not in item_of(goods(icms_situacao_tributaria="00"))

    def test_simples_credit(self) -> None:
        item = item_of(
            goods(icms_situacao_tributaria="101", icms_aliquota_credito_simples=d("1.36")), crt=1
        )
        assert item["icms_valor_credito_simples"] == d("1.36")

    def test_csosn_900(self) -> None:
        item = item_of(
            goods(
                icms_situacao_tributaria="900",
                icms_aliquota=d("12"),
                icms_reducao_base_calculo=d("50"),
                icms_aliquota_credito_simples=d("2"),
            ),
            crt=1,
        )
        assert item["icms_base_calculo"] == d("50.00")
        assert item["icms_valor"] == d("6.00")
        assert item["icms_valor_credito_simples"] == d("1.00")

    def test_substitution_with_margin_and_reduction(self) -> None:
        item = item_of(
            goods(
                icms_situacao_tributaria="70",
                icms_aliquota=d("18"),
                icms_reducao_base_calculo=d("10"),
                icms_modalidade_base_calculo_st="4",
                icms_margem_valor_adicionado_st=d("40"),
                icms_reducao_base_calculo_st=d("10"),
                icms_aliquota_st=d("18"),
                ipi_situacao_tributaria="50",
                ipi_aliquota=d("5"),
                fcp_percentual=d("2"),
                fcp_percentual_st=d("2"),
            )
        )
        assert item["icms_valor"] == d("16.20")
        assert item["icms_base_calculo_st"] == d("132.30")  # 105 × 1.4 × 0.9
        assert item["icms_valor_st"] == d("7.61")  # 23.814 − 16.20
        assert item["fcp_valor"] == d("1.80")
        assert item["fcp_valor_st"] == d("0.85")  # 2.646 − 1.80
        assert item["fcp_base_calculo"] == d("90.00")

    def test_substitution_is_not_below_zero(self) -> None:
        item = item_of(
            goods(
                icms_situacao_tributaria="10",
                icms_aliquota=d("18"),
                icms_modalidade_base_calculo_st="6",
                icms_aliquota_st=d("7"),
            )
        )
        assert item["icms_valor_st"] == d("0.00")

    def test_price_list_base_is_the_senders(self) -> None:
        item = item_of(
            goods(
                icms_situacao_tributaria="202",
                icms_modalidade_base_calculo_st="0",
                icms_aliquota_st=d("18"),
            ),
            crt=1,
        )
        assert "icms_valor_st" not in item

    def test_fcp_of_cst_00_has_no_base_of_its_own(self) -> None:
        item = item_of(
            goods(
                "12.75",
                icms_situacao_tributaria="00",
                icms_aliquota=d("18"),
                fcp_percentual=d("2"),
            )
        )
        assert item["fcp_valor"] == d("0.26")  # 0.255
        assert "fcp_base_calculo" not in item

    def test_single_phase_fuels(self) -> None:
        own = item_of(
            goods(
                icms_situacao_tributaria="02",
                icms_base_calculo_mono=d("1000"),
                icms_aliquota=d("1.4700"),
            )
        )
        assert own["icms_valor_mono"] == d("1470.00")
        deferred = item_of(
            goods(
                icms_situacao_tributaria="53",
                icms_base_calculo_mono=d("10.5"),
                icms_aliquota=d("1.1300"),
                icms_percentual_diferimento=d("50"),
            )
        )
        assert deferred["icms_valor_mono_operacao"] == d("11.87")  # 11.865
        assert deferred["icms_valor_mono_diferido"] == d("5.94")  # 5.935
        assert deferred["icms_valor_mono"] == d("5.93")

    def test_retention_of_fuels_enters_the_totals(self) -> None:
        data = done(
            document(
                goods(
                    icms_situacao_tributaria="15",
                    icms_base_calculo_mono=d("100"),
                    icms_aliquota=d("1.0000"),
                    icms_base_calculo_mono_retencao=d("50"),
                    icms_aliquota_retencao=d("0.5000"),
                )
            )
        )
        assert data["icms_valor_mono"] == d("100.00")
        assert data["icms_base_calculo_mono_retencao"] == d("50")
        assert data["icms_valor_mono_retencao"] == d("25.00")
        assert data["valor_total"] == d("125.00")

    def test_difal(self) -> None:
        fields = {
            "icms_situacao_tributaria": "00",
            "icms_aliquota": d("12"),
            "icms_aliquota_interna_uf_destino": d("18.5"),
            "icms_aliquota_interestadual": "12.00",
            "fcp_percentual_uf_destino": d("2"),
        }
        item = item_of(goods("99.90", **fields))
        assert item["icms_base_calculo_uf_destino"] == d("99.90")
        assert item["icms_valor_uf_destino"] == d("6.49")  # 6.4935
        assert item["icms_valor_uf_remetente"] == d("0.00")
        assert item["icms_percentual_partilha"] == d("100")
        assert item["fcp_valor_uf_destino"] == d("2.00")
        assert "icms_valor_uf_destino" not in item_of(goods(**fields), crt=1)

    def test_pis_and_cofins_leave_the_icms_out(self) -> None:
        item = item_of(
            goods(
                icms_situacao_tributaria="00",
                icms_aliquota=d("18"),
                pis_situacao_tributaria="01",
                pis_aliquota_porcentual=d("1.65"),
                cofins_situacao_tributaria="01",
                cofins_aliquota_porcentual=d("7.6"),
            )
        )
        assert item["pis_base_calculo"] == d("82.00")
        assert item["pis_valor"] == d("1.35")  # 1.353
        assert item["cofins_valor"] == d("6.23")  # 6.232

    def test_pis_by_quantity_and_other_operations(self) -> None:
        item = item_of(
            goods(
                pis_situacao_tributaria="03",
                pis_quantidade_vendida=d("12.5"),
                pis_aliquota_valor=d("0.1234"),
                cofins_situacao_tributaria="99",
            )
        )
        assert item["pis_valor"] == d("1.54")  # 1.5425
        assert item["cofins_base_calculo"] == item["cofins_valor"] == d("0.00")

    def test_pis_st_enters_the_total_only_when_told(self) -> None:
        fields = {"pis_base_calculo_st": d("100.00"), "pis_aliquota_porcentual_st": d("1.65")}
        assert done(document(goods(**fields)))["valor_total"] == d("100.00")
        summed = document(goods(**fields, inclui_pis_st_no_total="1"))
        assert done(summed)["valor_total"] == d("101.65")


class TestReform:
    REFORM = {"ibs_cbs_situacao_tributaria": "000", "ibs_cbs_classificacao_tributaria": "000001"}

    def test_rates_of_the_day_of_issue(self) -> None:
        assert rates_on("2026-12-31") == {
            "ibs_uf": d("0.1000"),
            "ibs_mun": d("0.0000"),
            "cbs": d("0.9000"),
        }
        assert rates_on("2027-01-01") == {"ibs_uf": d("0.0500"), "ibs_mun": d("0.0500")}
        assert rates_on("2025-12-31") == {}

    def test_base_leaves_the_other_taxes_out(self) -> None:
        data = done(
            document(
                goods(
                    "1000",
                    icms_situacao_tributaria="00",
                    icms_aliquota=d("18"),
                    pis_situacao_tributaria="01",
                    pis_aliquota_porcentual=d("1.65"),
                    cofins_situacao_tributaria="01",
                    cofins_aliquota_porcentual=d("7.6"),
                    **self.REFORM,
                )
            )
        )
        item = data["items"][0]
        assert item["ibs_cbs_base_calculo"] == d("744.15")  # 1000 − 180 − 13.53 − 62.32
        assert item["ibs_uf_valor"] == d("0.74")
        assert item["ibs_mun_valor"] == d("0.00")
        assert item["ibs_valor_total"] == d("0.74")
        assert item["cbs_valor"] == d("6.70")  # 6.69735
        assert item["valor_total_item"] == d("1000.00")
        assert data["ibs_cbs_base_calculo"] == d("744.15")
        assert data["cbs_valor_total"] == d("6.70")
        # In 2026 nothing of it is charged on top (TAX-4).
        assert data["valor_total"] == data["ibs_cbs_is_valor_total"] == d("1000.00")

    def test_reduction_and_deferral(self) -> None:
        names = ("ibs_uf", "ibs_mun", "cbs")
        item = item_of(
            goods(
                "1000",
                ibs_cbs_situacao_tributaria="515",
                **{f"{name}_percentual_reducao_aliquota": d("60") for name in names},
                **{f"{name}_percentual_diferimento": d("50") for name in names},
            )
        )
        assert item["cbs_aliquota_efetiva"] == d("0.3600")
        assert item["cbs_valor_diferido"] == d("1.80")
        assert item["cbs_valor"] == d("1.80")
        assert item["ibs_uf_aliquota_efetiva"] == d("0.0400")
        assert item["ibs_uf_valor"] == d("0.20")

    def test_a_reduction_nobody_stated_is_not_invented(self) -> None:
        data = document(goods(ibs_cbs_situacao_tributaria="200"))
        notes = complete(data, modelo=55, crt=3)
        assert "cbs_valor" not in data["items"][0]
        assert [note.campo for note in notes] == ["items[0].ibs_uf_percentual_reducao_aliquota"]

    @pytest.mark.parametrize("cst", ["400", "410"])
    def test_without_values_there_is_no_total(self, cst: str) -> None:
        data = done(document(goods(ibs_cbs_situacao_tributaria=cst)))
        assert "ibs_cbs_base_calculo" not in data  # 1118
        assert data["ibs_cbs_is_valor_total"] == d("100.00")

    def test_2027_charges_outside_and_asks_for_the_cbs(self) -> None:
        data = document(goods("1000", **self.REFORM), data_emissao="2027-02-01T10:00:00-03:00")
        notes = complete(data, modelo=55, crt=3)
        assert [note.campo for note in notes] == ["items[0].cbs_aliquota"]
        data = document(
            goods("1000", cbs_aliquota=d("8.8"), **self.REFORM),
            data_emissao="2027-02-01T10:00:00-03:00",
        )
        done(data)
        assert data["items"][0]["valor_total_item"] == d("1089.00")
        assert data["ibs_cbs_is_valor_total"] == d("1089.00")
        assert data["valor_total"] == d("1000.00")

    def test_absence_is_a_note_when_it_is_owed(self) -> None:
        assert [n.campo for n in complete(document(goods()), modelo=55, crt=3)] == [
            "items[0].ibs_cbs_situacao_tributaria"
        ]
        assert complete(document(goods()), modelo=55, crt=1) == []
        before = document(goods(), data_emissao="2026-08-02T10:00:00-03:00")
        assert complete(before, modelo=55, crt=3) == []

    def test_single_phase(self) -> None:
        data = done(
            document(
                goods(
                    ibs_cbs_situacao_tributaria="620",
                    mono_base_calculo_quantidade_tributada=d("100"),
                    mono_ibs_aliquota_ad_rem=d("0.1000"),
                    mono_cbs_aliquota_ad_rem=d("0.2500"),
                    mono_cbs_percentual_diferido=d("10"),
                )
            )
        )
        item = data["items"][0]
        assert item["mono_ibs_valor"] == item["mono_total_ibs_item"] == d("10.00")
        assert item["mono_cbs_valor_diferido"] == d("2.50")
        assert item["mono_total_cbs_item"] == d("22.50")
        assert data["ibs_valor_total_monofasico"] == d("10.00")
        assert data["cbs_valor_total_monofasico_retido"] == d("0.00")
        assert data["ibs_cbs_base_calculo"] == d("0.00")
        assert "cbs_valor_total" not in data

    def test_selective_tax_enters_the_base(self) -> None:
        data = done(
            document(
                goods(is_base_calculo=d("100.00"), is_aliquota=d("10"), **self.REFORM),
            )
        )
        assert data["is_valor_total"] == d("10.00")
        assert data["items"][0]["ibs_cbs_base_calculo"] == d("110.00")
        assert data["ibs_cbs_is_valor_total"] == d("100.00")

    def test_government_purchase_reduces_the_rate(self) -> None:
        item = item_of(
            goods("1000", **self.REFORM), perc_reducao_aliquota_compra_governamental=d("25")
        )
        assert item["cbs_aliquota_efetiva"] == d("0.6750")
        assert item["cbs_valor"] == d("6.75")


class TestTotals:
    def test_service_items_stay_out_of_the_products(self) -> None:
        service = goods(
            "200",
            issqn_aliquota=d("5"),
            issqn_valor_deducao=d("20.00"),
            issqn_item_lista_servico="1401",
            pis_situacao_tributaria="01",
            pis_aliquota_porcentual=d("0.65"),
        )
        del service["icms_situacao_tributaria"]
        product_sold = goods(pis_situacao_tributaria="01", pis_aliquota_porcentual=d("1.65"))
        data = done(document(product_sold, service))
        assert data["valor_produtos"] == d("100.00")
        assert data["valor_total_servicos"] == d("200.00")
        assert data["issqn_base_calculo"] == d("180.00")
        assert data["issqn_valor_total"] == d("9.00")
        assert data["issqn_valor_total_deducao"] == d("20.00")
        assert data["valor_pis"] == d("1.65")
        assert data["valor_pis_servicos"] == d("1.30")
        assert data["valor_total"] == d("300.00")
        assert data["data_prestacao_servico"] == "2026-11-21"

    def test_no_service_no_service_totals(self) -> None:
        data = done(document(goods()))
        assert not {name for name in data if name.startswith("issqn") or "servico" in name}

    def test_items_outside_the_total(self) -> None:
        data = done(document(goods(), goods("50", inclui_no_total="0", valor_frete=d("3.00"))))
        assert data["valor_produtos"] == d("100.00")
        assert data["valor_total"] == d("103.00")

    def test_icms_of_exempt_items_is_not_summed(self) -> None:
        data = done(document(goods(icms_situacao_tributaria="40", icms_valor=d("18.00"))))
        assert data["icms_valor_total"] == d("0.00")

    def test_every_term_of_the_formula(self) -> None:
        data = done(
            document(
                goods(
                    "1000",
                    icms_situacao_tributaria="90",
                    icms_valor_desonerado=d("7.00"),
                    icms_deducao_desoneracao="1",
                    icms_valor_st=d("20.00"),
                    fcp_valor_st=d("2.00"),
                    ii_valor=d("11.00"),
                    ipi_situacao_tributaria="50",
                    ipi_valor=d("13.00"),
                    valor_ipi_devolvido=d("1.50"),
                    valor_desconto=d("100.00"),
                    valor_frete=d("30.00"),
                    valor_seguro=d("4.00"),
                    valor_outras_despesas=d("5.00"),
                )
            )
        )
        # 1000 − 100 − 7 + 20 + 2 + 11 + 13 + 1.50 + 30 + 4 + 5
        assert data["valor_total"] == d("979.50")
        assert data["icms_valor_total_desonerado"] == d("7.00")

    def test_relief_is_deducted_as_each_model_says(self) -> None:
        exempt = goods(icms_situacao_tributaria="40", icms_valor_desonerado=d("18.00"))
        assert done(document(dict(exempt)))["valor_total"] == d("100.00")
        consumer = done(document(dict(exempt)), modelo=65)
        assert consumer["valor_total"] == d("82.00")
        assert consumer["items"][0]["icms_deducao_desoneracao"] == "1"
        kept = {**exempt, "icms_deducao_desoneracao": "0"}
        assert done(document(kept), modelo=65)["valor_total"] == d("100.00")

    def test_short_form_of_the_consumer_note(self) -> None:
        data = done(document(goods("10.235", valor_desconto=d("0.24"))), modelo=65)
        assert data["valor_total"] == d("10.00")

    def test_imports_have_no_computed_total(self) -> None:
        data = done(document(goods(cfop="3102", icms_situacao_tributaria="00")))
        assert "valor_total" not in data
        assert data["valor_produtos"] == d("100.00")

    def test_sent_totals_stay_and_are_noted(self) -> None:
        data = document(goods(), valor_total=d("90.00"), valor_produtos=d("100.01"))
        notes = complete(data, modelo=55, crt=1)
        assert data["valor_total"] == d("90.00")
        # One cent is tolerated; the total follows the products as sent.
        (note,) = notes
        assert (note.campo, note.enviado, note.calculado) == ("valor_total", "90.00", "100.01")

    def test_sent_item_value_is_noted(self) -> None:
        data = document(goods("10", "3", valor_bruto=d("30.02")))
        (note,) = complete(data, modelo=55, crt=1)
        assert note.campo == "items[0].valor_bruto"
        assert "30.02" in note.mensagem
        assert data["valor_total"] == d("30.02")

    def test_discount_above_the_value(self) -> None:
        data = document(goods("1", valor_desconto=d("2.00")))
        (note,) = complete(data, modelo=55, crt=1)
        assert note.campo == "items[0].valor_desconto"

    def test_rules_tell_what_was_applied(self) -> None:
        rules: dict[str, list[str]] = {}
        data = document(goods(icms_situacao_tributaria="00", icms_aliquota=d("18")))
        complete(data, modelo=55, crt=1, rules=rules)
        assert rules == {"items[0]": ["TAX-1", "TAX-6"], "total": ["TAX-3", "TAX-4"]}


class TestAmountsWithoutAPlace:
    """What the group of the CST has no tag for is in no total and in no base (531 to 538, 610)."""

    def test_own_icms_of_an_item_of_simples(self) -> None:
        sold = goods(
            icms_situacao_tributaria="102",
            icms_base_calculo=d("100.00"),
            icms_aliquota=d("18"),
            icms_valor=d("18.00"),
            pis_situacao_tributaria="01",
            pis_aliquota_porcentual=d("1"),
        )
        data = document(sold)
        notes = complete(data, modelo=55, crt=1)
        assert (data["icms_base_calculo"], data["icms_valor_total"]) == (d("0.00"), d("0.00"))
        assert sold["pis_base_calculo"] == d("100.00")
        assert {note.campo for note in notes} == {
            f"items[0].icms_{name}" for name in ("base_calculo", "aliquota", "valor")
        }
        assert notes[0].mensagem == (
            "Não existe na nota com icms_situacao_tributaria 102: valor ignorado."
        )

    @pytest.mark.parametrize(
        ("sent", "total"),
        [
            ({"ipi_valor": d("5.00")}, "valor_ipi"),
            ({"ipi_valor": d("5.00"), "ipi_situacao_tributaria": "53"}, "valor_ipi"),
            ({"icms_valor_st": d("5.00")}, "icms_valor_total_st"),
            ({"fcp_valor_st": d("5.00")}, "fcp_valor_total_st"),
            ({"pis_valor": d("5.00"), "pis_situacao_tributaria": "07"}, "valor_pis"),
            ({"cofins_valor": d("5.00")}, "valor_cofins"),
        ],
    )
    def test_an_amount_of_another_situation(self, sent: dict[str, Any], total: str) -> None:
        data = document(goods(icms_situacao_tributaria="00", **sent))
        notes = complete(data, modelo=55, crt=3)
        assert data[total] == d("0.00")
        assert data["valor_total"] == d("100.00")
        (campo,) = {name for name in sent if not name.endswith("tributaria")}
        assert f"items[0].{campo}" in {note.campo for note in notes}

    def test_icms_of_a_service(self) -> None:
        service = goods(icms_situacao_tributaria="00", icms_valor=d("18.00"), issqn_aliquota=d("5"))
        assert done(document(service))["icms_valor_total"] == d("0.00")

    def test_zeros_leave_without_a_note(self) -> None:
        data = document(goods(icms_situacao_tributaria="102", icms_valor=d("0.00")))
        assert complete(data, modelo=55, crt=1) == []

    def test_the_st_of_a_simples_issuer_is_less_the_icms_sent(self) -> None:
        sold = goods(
            icms_situacao_tributaria="202",
            icms_valor=d("18.00"),
            icms_margem_valor_adicionado_st=d("40"),
            icms_aliquota_st=d("18"),
        )
        data = done(document(sold))
        assert sold["icms_valor_st"] == d("7.20")
        assert data["icms_valor_total"] == d("0.00")

    def test_notes_have_an_end(self) -> None:
        many = [goods(icms_situacao_tributaria="102", icms_valor=d("1.00")) for _ in range(300)]
        assert len(complete(document(*many), modelo=55, crt=1)) == 100

    @pytest.mark.parametrize("amounts", [{"pis_valor": d("0.00")}, {"pis_base_calculo": d("0")}])
    def test_zeros_of_an_other_operation_are_completed(self, amounts: dict[str, Any]) -> None:
        sold = goods(pis_situacao_tributaria="99", **amounts)
        done(document(sold))
        names = ("pis_base_calculo", "pis_aliquota_porcentual", "pis_valor")
        assert [sold[name] for name in names] == [0, 0, 0]


class TestApportioning:
    def test_largest_remainders_then_first(self) -> None:
        assert split(d("10.00"), [d("1.00")] * 3) == [d("3.34"), d("3.33"), d("3.33")]
        # 0.05 over 1 : 2 : 3 → 0.83 1.66 2.5 cents
        assert split(d("0.05"), [d("1"), d("2"), d("3")]) == [d("0.01"), d("0.02"), d("0.02")]

    def test_header_freight_reaches_the_items(self) -> None:
        data = done(document(goods("30"), goods("70"), goods("0.01"), valor_frete=d("10.00")))
        assert [item.get("valor_frete") for item in data["items"]] == [d("3.00"), d("7.00"), None]
        assert data["valor_frete"] == d("10.00")
        assert data["valor_total"] == d("110.01")

    def test_parts_that_were_sent_are_respected(self) -> None:
        data = document(goods("30", valor_frete=d("1.00")), goods("70"), valor_frete=d("10.00"))
        notes = complete(data, modelo=55, crt=1)
        assert "valor_frete" not in data["items"][1]
        assert [note.campo for note in notes] == ["valor_frete"]

    @given(
        total=st.integers(0, 10**13),
        weights=st.lists(st.integers(0, 10**12), min_size=1, max_size=60),
    )
    @settings(max_examples=150, deadline=None)
    def test_parts_add_up(self, total: int, weights: list[int]) -> None:
        whole = Decimal(total).scaleb(-2)
        parts = split(whole, [Decimal(weight).scaleb(-2) for weight in weights])
        assert sum(parts) == whole
        assert all(part >= 0 for part in parts)
        base = sum(weights)
        for part, weight in zip(parts, weights, strict=True):
            if base:
                assert abs(Fraction(part) - Fraction(total * weight, 100 * base)) < Fraction(1, 100)


def half_up(value: Fraction) -> Decimal:
    """The oracle: integer arithmetic on fractions, no Decimal rounding."""
    return Decimal((value * 200 + 1) // 2).scaleb(-2)


amounts = st.decimals(min_value="0.01", max_value="99999", places=2)
prices = st.decimals(min_value="0.0001", max_value="9999", places=10)
quantities = st.decimals(min_value="0.0001", max_value="9999", places=4)
rates = st.decimals(min_value="0", max_value="40", places=4)


@st.composite
def sold(draw: st.DrawFn) -> dict[str, Any]:
    item = goods(
        quantidade_comercial=draw(quantities),
        valor_unitario_comercial=draw(prices),
        icms_situacao_tributaria=draw(st.sampled_from(["00", "20", "40", "51", "90", "102"])),
        icms_aliquota=draw(rates),
        pis_situacao_tributaria="01",
        pis_aliquota_porcentual=draw(rates),
        ipi_situacao_tributaria="50",
        ibs_cbs_situacao_tributaria="000",
    )
    for campo in ("valor_frete", "icms_base_calculo", "ipi_valor", "icms_valor"):
        if draw(st.integers(0, 3)) == 0:
            item[campo] = draw(amounts)
    return item


OWN_ICMS = {"icms_base_calculo", "icms_aliquota", "icms_valor"}


class TestProperties:
    @given(
        items=st.lists(sold(), min_size=1, max_size=12),
        header=st.sets(st.sampled_from(APPORTIONED)),
    )
    @settings(max_examples=120, deadline=None)
    def test_sums_values_and_what_was_sent(
        self, items: list[dict[str, Any]], header: set[str]
    ) -> None:
        data = document(*items)
        data |= {campo: d("12.34") for campo in header - {"valor_desconto"}}
        before = copy.deepcopy(data)
        done(data)
        for campo, value in before.items():
            if campo != "items":
                assert data[campo] == value
        for old, new in zip(before["items"], data["items"], strict=True):
            if old["icms_situacao_tributaria"] in ("40", "102"):  # no place for them there
                old = {name: v for name, v in old.items() if name not in OWN_ICMS}
                assert OWN_ICMS.isdisjoint(new)
            assert old.items() <= new.items()
            gross = Fraction(old["quantidade_comercial"]) * Fraction(
                old["valor_unitario_comercial"]
            )
            assert new["valor_bruto"] == half_up(gross)
            if "icms_valor" not in old and old["icms_situacao_tributaria"] in ("00", "20"):
                due = Fraction(new["icms_base_calculo"]) * Fraction(new["icms_aliquota"]) / 100
                assert new["icms_valor"] == half_up(due)
        self.check_totals(data)

    def check_totals(self, data: dict[str, Any]) -> None:
        items = data["items"]
        assert data["valor_produtos"] == sum(item["valor_bruto"] for item in items)
        assert data["valor_pis"] == sum(item.get("pis_valor", 0) for item in items)
        assert data["valor_frete"] >= 0
        assert data["ibs_cbs_is_valor_total"] == sum(item["valor_total_item"] for item in items)
        if data["valor_frete"] == sum(item.get("valor_frete", 0) for item in items):
            assert data["valor_total"] == data["ibs_cbs_is_valor_total"]

    @given(items=st.lists(sold(), min_size=1, max_size=5))
    @settings(max_examples=40, deadline=None)
    def test_a_second_pass_changes_and_notes_nothing(self, items: list[dict[str, Any]]) -> None:
        data = document(*items)
        done(data)
        again = copy.deepcopy(data)
        notes = complete(again, modelo=55, crt=3)
        assert again == data
        # What the sender stated against our rules: stays, and is told again.
        sent = {"icms_valor", "ipi_valor", "icms_base_calculo", "ibs_cbs_base_calculo"}
        assert {note.campo.rpartition(".")[2] for note in notes} <= sent
