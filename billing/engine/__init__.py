"""Pure billing arithmetic over Decimal and date; importable without Django."""
