"""The organisation's two colours, and the shades of them that stay readable on paper."""

from __future__ import annotations

import re

PRIMARY = "#1351b4"
ACCENT = "#0c326f"
INK, WHITE = "#1b1f24", "#ffffff"
READABLE = 4.5  # WCAG 2.2 AA, text

_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
Rgb = tuple[float, float, float]


def _rgb(color: str) -> Rgb:
    digits = color.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
    return red, green, blue


def _mixed(color: str, other: str, share: float) -> str:
    """`color` with `share` (0–1) of `other`."""
    pairs = zip(_rgb(color), _rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _luminance(color: str) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in _rgb(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _ink_of(color: str, paper: str) -> str:
    """`color` darkened until it can be read on `paper`."""
    for step in range(21):
        darker = _mixed(color, INK, step / 20)
        if contrast(darker, paper) >= READABLE:
            return darker
    return INK


def _shades(name: str, color: str) -> dict[str, str]:
    soft = _mixed(color, WHITE, 0.92)
    on = WHITE if contrast(color, WHITE) >= READABLE else INK
    if contrast(color, on) < READABLE:  # mid greys: neither is good, white on darker is
        color, on = _ink_of(color, WHITE), WHITE
    return {
        f"--{name}": color,
        f"--on-{name}": on,
        f"--{name}-text": _ink_of(color, soft),
        f"--{name}-soft": soft,
        f"--{name}-line": _mixed(color, WHITE, 0.7),
    }


def _valid(color: object, default: str) -> str:
    return color if isinstance(color, str) and _HEX.fullmatch(color) else default


def css_variables(primary: object, accent: object) -> str:
    """CSS that defines `--primary`, `--on-primary`, `--primary-text`, `-soft`, `-line`, and the
    same for `--accent`. What is not a hex colour is replaced by ours.

    `-text` reads on white and on `-soft`; `--on-primary` reads on `--primary`.
    """
    shades = {
        **_shades("primary", _valid(primary, PRIMARY)),
        **_shades("accent", _valid(accent, ACCENT)),
    }
    body = ";".join(f"{name}:{value}" for name, value in shades.items())
    # Page margin boxes do not inherit from the document, so @page gets them too.
    return f":root{{{body}}}@page{{{body}}}"
