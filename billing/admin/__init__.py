from billing.admin import (
    catalog,
    contracts,
    documents,
    indexes,
    invoices,
    parties,
    rules,
    runs,
    transactions,
)

__all__ = [
    "catalog",
    "contracts",
    "documents",
    "indexes",
    "invoices",
    "parties",
    "rules",
    "runs",
    "transactions",
]
