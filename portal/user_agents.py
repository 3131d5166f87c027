"""What a person would call their browser, from the line that it sends."""

from __future__ import annotations

# In this order: Chrome's line names Safari too, and Edge's names Chrome.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
UNKNOWN = "Navegador desconhecido"


def name_of(line: str) -> str:
    """“Chrome em Windows”, as far as the line tells."""
    browser = next((name for mark, name in _BROWSERS if mark in line), "")
    system = next((name for mark, name in _SYSTEMS if mark in line), "")
    if not browser:
        return system or UNKNOWN
    return f"{browser} em {system}" if system else browser
