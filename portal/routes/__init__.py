"""Addresses of the portal, one module for each part of it."""

from urllib.parse import unquote

from django.urls import register_converter


class InvoiceNumber:
    """`<fatura:number>`: an invoice's number in an address; customers' own may hold any character.

    `~` takes the place of `%` for what a path cannot carry, so `2026/7` is `2026~2F7`.
    """

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote(value.replace("%", "%25").replace("~", "%"))

    def to_url(self, value: str) -> str:
        text = str(value).replace("~", "~7E").replace("/", "~2F").replace("%", "~25")
        return text.replace(".", "~2E") if set(text) <= {"."} else text


register_converter(InvoiceNumber, "fatura")
