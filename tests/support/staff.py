"""A person of the staff at the screens of fiscal documents."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from factories import MembershipFactory


def client_of(account: Any, role: str = "fiscal") -> Client:
    client = Client()
    client.force_login(MembershipFactory(account=account, role=role).user)
    return client


def path(model: str, name: str, *args: object) -> str:
    return reverse(f"admin:fiscal_{model}_{name}", args=args)


def said(answer: Any) -> str:
    """The messages that the answer leaves for the next page."""
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def form_of(client: Client, where: str) -> dict[str, str]:
    """The hidden fields of an act's page, as a browser would send them back."""
    answer = client.get(where)
    assert answer.status_code == 200, said(answer)
    found = re.findall(
        r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', answer.content.decode()
    )
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def act(client: Client, row: Any, slug: str, **data: Any) -> Any:
    """Open the page of an act and confirm it."""
    where = path(row._meta.model_name, "act", row.pk, slug)
    return client.post(where, form_of(client, where) | data)
