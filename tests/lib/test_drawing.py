"""QR codes and bar codes."""

import re

import pytest

from lib import drawing


def runs_of(svg):
    return [tuple(map(int, run)) for run in re.findall(r"M(\d+) \d+(?:\.5)?h(\d+)", svg)]


def test_a_qr_code_has_its_finder_pattern_and_no_margin():
    svg = drawing.qr_svg("https://exemplo.com.br/p/f/abc")

    assert 'viewBox="0 0 29 29"' in svg
    assert svg.split('d="')[1].startswith("M0 0.5h7")


def test_a_qr_code_draws_the_modules_of_segno():
    import segno

    code = segno.make_qr("PIX", error="m", boost_error=False)
    dark = sum(sum(row) for row in code.matrix)

    assert sum(width for _, width in runs_of(drawing.qr_svg("PIX"))) == dark


def test_the_same_text_gives_the_same_drawing():
    assert drawing.qr_svg("a" * 300) == drawing.qr_svg("a" * 300)


@pytest.mark.parametrize("text", ["", "a" * 3000])
def test_nothing_is_drawn_for_no_text_or_too_much(text):
    assert drawing.qr_svg(text) == ""


def test_a_bar_code_follows_interleaved_2_of_5():
    # "03": bars of 0 (n n w w n) interleaved with spaces of 3 (w w n n n).
    widths = [1, 1, 1, 1, 1, 2, 1, 2, 2, 1, 2, 1, 1, 1, 2, 1, 1]
    bars, x = [], 0
    for index, width in enumerate(widths):
        if index % 2 == 0:
            bars.append((x, width))
        x += width

    svg = drawing.itf_svg("03")

    assert runs_of(svg) == bars
    assert f'viewBox="0 0 {x} 50"' in svg


def test_a_boleto_has_44_digits_of_nine_bars_and_spaces():
    svg = drawing.itf_svg("0" * 44)

    assert len(runs_of(svg)) == 2 + 22 * 5 + 2
    assert 'viewBox="0 0 316 50"' in svg


@pytest.mark.parametrize("digits", ["1", "12a4", "１２"])
def test_a_bar_code_of_anything_else_is_refused(digits):
    with pytest.raises(ValueError, match="even number of digits"):
        drawing.itf_svg(digits)


def test_no_bar_code_is_drawn_for_no_digits():
    assert drawing.itf_svg("") == ""
