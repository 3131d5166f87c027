"""Where fiscal's screens stand in the menu."""

ISSUING = "Emissão fiscal"
