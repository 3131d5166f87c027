"""What one Stripe account knows: objects by kind and id, keys, endpoints; and what it tells."""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
import time
from typing import Any

from billing.sandbox.stripe import form
from billing.sandbox.stripe.errors import missing
from billing.sandbox.wire import Tell

API_VERSION = "2026-10-28.endive"
PAGE = 10
Object = dict[str, Any]

# kind of object → where it is kept, prefix of its ids.
KINDS = {
    "customer": ("customers", "cus_"),
    "payment_method": ("payment_methods", "pm_"),
    "setup_intent": ("setup_intents", "seti_"),
    "payment_intent": ("payment_intents", "pi_"),
    "charge": ("charges", "ch_"),
    "refund": ("refunds", "re_"),
    "dispute": ("disputes", "du_"),
    "event": ("events", "evt_"),
    "webhook_endpoint": ("webhook_endpoints", "we_"),
    "balance_transaction": ("balance_transactions", "txn_"),
    "checkout.session": ("sessions", "cs_test_"),
}
# field of an object → kind that it names, for `expand`.
LINKS = {
    "latest_charge": "charge",
    "payment_method": "payment_method",
    "customer": "customer",
    "balance_transaction": "balance_transaction",
    "payment_intent": "payment_intent",
    "setup_intent": "setup_intent",
    "charge": "charge",
}


class Account:
    """The books of the owner of one secret key. `address` is where its hosted pages are."""

    def __init__(self, books: dict[str, Any], key: str, tell: Tell, address: str) -> None:
        self.books, self.key, self._tell, self.address = books, key, tell, address
        for place, _ in KINDS.values():
            books.setdefault(place, {})
        books.setdefault("keys", {})

    def make(self, kind: str, **fields: Any) -> Object:
        """A new object of this kind, kept."""
        place, prefix = KINDS[kind]
        made: Object = {
            "id": prefix + secrets.token_hex(12),
            "object": kind,
            "created": int(time.time()),
            "livemode": False,
            **fields,
        }
        self.books[place][made["id"]] = made
        return made

    def find(self, kind: str, given: str, param: str = "id") -> Object:
        """Raises Refusal (404) for an id that this account has not."""
        found: Object | None = self.books[KINDS[kind][0]].get(given)
        if found is None or found.get("deleted"):
            raise missing(kind.replace("_", " "), given, param)
        return found

    def all(self, kind: str) -> list[Object]:
        """Newest first."""
        return list(reversed(self.books[KINDS[kind][0]].values()))

    def page(self, kind: str, url: str, query: dict[str, Any], *keys: str) -> Object:
        """A list object: filtered by `keys` of the query and by `created`, a page of it."""
        rows = [
            row
            for row in self.all(kind)
            if all(row.get(key) == query[key] for key in keys if key in query)
            and _in_time(row, query.get("created", {}))
        ]
        if after := query.get("starting_after"):
            ids = [row["id"] for row in rows]
            rows = rows[ids.index(after) + 1 :] if after in ids else []
        size = int(query.get("limit", PAGE))
        shown = [self.shown(row, query) for row in rows[:size]]
        return {"object": "list", "url": url, "has_more": len(rows) > size, "data": shown}

    def shown(self, row: Object, given: dict[str, Any]) -> Object:
        """A copy with what `expand` asks for in place of ids."""
        found = copy.deepcopy({k: v for k, v in row.items() if not k.startswith("_")})
        for path in form.as_list(given.get("expand", {})):
            self._expand(found, path.removeprefix("data.").split("."))
        return found

    def _expand(self, row: Object, path: list[str]) -> None:
        name, value = path[0], row.get(path[0])
        if isinstance(value, str) and name in LINKS:
            kept = self.books[KINDS[LINKS[name]][0]].get(value)
            if kept is not None:
                value = {k: v for k, v in copy.deepcopy(kept).items() if not k.startswith("_")}
                row[name] = value
        if isinstance(value, dict) and path[1:]:
            self._expand(value, path[1:])

    def tell(self, kind: str, row: Object) -> None:
        """An event, to every endpoint that wants it."""
        event = self.make(
            "event",
            type=kind,
            api_version=API_VERSION,
            data={"object": self.shown(row, {})},
            pending_webhooks=1,
            request={"id": None, "idempotency_key": None},
        )
        for endpoint in self.books["webhook_endpoints"].values():
            wanted = endpoint["enabled_events"]
            if "*" in wanted or kind in wanted:
                text = json.dumps(event)
                self._tell(kind, endpoint["url"], text, secret=endpoint["_secret"])

    # --- idempotency -------------------------------------------------------------------------

    def remembered(self, key: str, path: str, body: bytes) -> Object | None:
        """The first answer to this key. Raises KeyError when it came with another request."""
        kept: Object | None = self.books["keys"].get(key)
        if kept is not None and kept["asked"] != _asked(path, body):
            raise KeyError(key)
        return kept

    def remember(self, key: str, path: str, body: bytes, status: int, answer: str) -> None:
        kept = {"asked": _asked(path, body), "status": status, "answer": answer}
        self.books["keys"][key] = kept


def _asked(path: str, body: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\n" + body).hexdigest()


def _in_time(row: Object, limits: Any) -> bool:
    if not isinstance(limits, dict):
        return True
    at = row["created"]
    return int(limits.get("gte", 0)) <= at and at <= int(limits.get("lte", 2**40))
