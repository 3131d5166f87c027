from fiscal.admin import (
    authorities,
    certificates,
    companies,
    documents,
    hooks,
    mail,
    records,
    series,
    voids,
)

__all__ = [
    "authorities",
    "certificates",
    "companies",
    "documents",
    "hooks",
    "mail",
    "records",
    "series",
    "voids",
]
