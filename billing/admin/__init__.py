from billing.admin import (
    catalog,
    collection,
    contracts,
    documents,
    emails,
    indexes,
    invoices,
    nfses,
    parties,
    rules,
    runs,
    transactions,
)

__all__ = [
    "catalog",
    "collection",
    "contracts",
    "documents",
    "emails",
    "indexes",
    "invoices",
    "nfses",
    "parties",
    "rules",
    "runs",
    "transactions",
]
