"""Service notes of cities: one module for each protocol, one profile for each family (ABR-8)."""
