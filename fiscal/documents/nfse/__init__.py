"""The municipal services invoice as the API takes it: one body for all cities (fiscal-api §4)."""
