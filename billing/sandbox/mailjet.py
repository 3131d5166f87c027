"""Mailjet's Send API v3.1, its search for messages, and its events (dev.mailjet.com).

An Idempotency-Key that is known answers as it did; POST /control/mailjet/idempotency
{"is_on": false} makes it blind to them. Further orders:

- hook {"url", "user", "password"}: where events go to
- events {"custom_id", "events": [{"event": "bounce", "hard_bounce": true, …}], "grouped": true}
- refuse {"about": "Attachments[0]", "code": "…", "message": "…", "times": 1}
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from billing.sandbox.wire import Books, Reply, StandIn, Tell, as_json

MOST_MESSAGES, MOST_RECIPIENTS = 50, 50
MOST_BYTES = 15 * 1024 * 1024
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+")
_KNOWN = frozenset(
    {"From", "Sender", "To", "Cc", "Bcc", "ReplyTo", "Subject", "TextPart", "HTMLPart", "CustomID"}
    | {"EventPayload", "Headers", "Attachments", "InlinedAttachments", "TrackOpens", "TrackClicks"}
    | {"TemplateID", "TemplateLanguage", "Variables", "Priority", "CustomCampaign"}
)
_STATES = {"sent": "sent", "open": "opened", "click": "clicked", "bounce": "hardbounced"}
_STATES |= {"blocked": "blocked", "spam": "spam", "unsub": "unsub"}


class Fault(Exception):
    """A fault of one property; `about` as ErrorRelatedTo has it."""

    def __init__(self, code: str, text: str, about: str) -> None:
        super().__init__(text)
        self.code, self.text, self.about = code, text, about


class Mailjet(StandIn):
    """One account for all keys."""

    name = "mailjet"

    def __init__(self, books: Books, tell: Tell, address: str) -> None:
        super().__init__(books, tell, address)
        for name, empty in (("messages", []), ("keys", {}), ("refusals", []), ("hook", {})):
            self.books.setdefault(name, empty)
        self.books.setdefault("is_idempotent", True)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if not _is_signed_in(headers):
            return _fault(401, "mj-0001", "API key authentication/authorization failure.")
        parts = urlsplit(path)
        match (method, parts.path):
            case ("POST", "/v3.1/send"):
                return self._send(headers.get("idempotency-key", ""), body)
            case ("GET", "/v3/REST/message"):
                return self._search(parse_qs(parts.query))
        return _fault(404, "mj-0000", "Unknown resource.")

    def control(self, what: str, given: dict[str, Any]) -> Any:
        match what:
            case "idempotency":
                self.books["is_idempotent"] = bool(given["is_on"])
            case "hook":
                self.books["hook"] = given
            case "refuse":
                self.books["refusals"].append({"times": 1, **given})
            case "events":
                return self._events(given)
            case _:
                raise KeyError(what)
        return {"ok": True}

    def sign(self, notice: dict[str, Any]) -> dict[str, str]:
        hook = self.books["hook"]
        if not hook.get("user"):
            return {}
        pair = f"{hook['user']}:{hook.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    # --- sending ----------------------------------------------------------------------------

    def _send(self, key: str, body: bytes) -> Reply:
        known = self.books["keys"].get(key) if key and self.books["is_idempotent"] else None
        if known is not None:
            return as_json(known["body"], known["status"])
        try:
            found = json.loads(body)
            messages = found["Messages"]
            assert isinstance(messages, list)
            assert 0 < len(messages) <= MOST_MESSAGES
        except (ValueError, KeyError, TypeError, AssertionError):
            return _fault(400, "mj-0002", "Malformed JSON, please review the syntax.")
        answers = [self._message(one, n) for n, one in enumerate(messages)]
        status = 200 if any(one["Status"] == "success" for one in answers) else 400
        if key and status == 200:
            self.books["keys"][key] = {"status": status, "body": {"Messages": answers}}
        return as_json({"Messages": answers}, status)

    def _message(self, said: Any, n: int) -> dict[str, Any]:
        try:
            check(said)
            self._refuse()
        except Fault as fault:
            error = {
                "ErrorIdentifier": str(uuid.uuid4()),
                "ErrorCode": fault.code,
                "StatusCode": 400,
                "ErrorMessage": fault.text,
                "ErrorRelatedTo": [fault.about],
            }
            return {"Status": "error", "Errors": [error]}
        kept = self._keep(said)
        to = [{**one, "MessageHref": f"{self.address}/v3/REST/message/{one['MessageID']}"}
              for one in kept["to"]]  # fmt: skip
        custom_id = said.get("CustomID", "")
        return {"Status": "success", "CustomID": custom_id, "To": to, "Cc": [], "Bcc": []}

    def _refuse(self) -> None:
        """What was ordered to be refused."""
        for order in self.books["refusals"]:
            order["times"] -= 1
            if not order["times"]:
                self.books["refusals"].remove(order)
            about, text = order["about"], order.get("message", "This value is not accepted.")
            raise Fault(order.get("code", "send-0000"), text, about)

    def _keep(self, said: dict[str, Any]) -> dict[str, Any]:
        first = 10**17 + len(self.books["messages"]) * 100
        to = [
            {"Email": one["Email"], "MessageUUID": str(uuid.uuid4()), "MessageID": first + n}
            for n, one in enumerate(said["To"])
        ]
        attached = [
            {"name": one["Filename"], "type": one["ContentType"], "content": one["Base64Content"]}
            for one in said.get("Attachments", [])
        ]
        kept = {
            "id": first,
            "custom_id": said.get("CustomID", ""),
            "from": said["From"],
            "reply_to": said.get("ReplyTo"),
            "to": to,
            "subject": said.get("Subject", ""),
            "text": said.get("TextPart", ""),
            "html": said.get("HTMLPart", ""),
            "attached": attached,
            "state": "queued",
            "at": int(time.time()),
        }
        self.books["messages"].append(kept)
        return kept

    def _search(self, query: Mapping[str, list[str]]) -> Reply:
        wanted = query.get("CustomID", [""])[0]
        found = [one for one in self.books["messages"] if one["custom_id"] == wanted]
        data = [
            {"ID": one["id"], "UUID": one["to"][0]["MessageUUID"], "Status": one["state"],
             "ArrivedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one["at"])),
             "AttachmentCount": len(one["attached"]), "AttemptCount": 0}
            for one in found
        ]  # fmt: skip
        return as_json({"Count": len(data), "Data": data, "Total": len(data)})

    # --- events -----------------------------------------------------------------------------

    def _events(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        """Tell what became of a message; all in one body where `grouped`."""
        custom_id = given["custom_id"]
        kept = next((one for one in self.books["messages"] if one["custom_id"] == custom_id), None)
        made = [self._event(custom_id, kept, one) for one in given["events"]]
        bodies: list[Any] = [made] if given.get("grouped") else list(made)
        for body in bodies:
            self.tell("event", self.books["hook"]["url"], json.dumps(body))
        return made

    def _event(
        self, custom_id: str, kept: dict[str, Any] | None, said: dict[str, Any]
    ) -> dict[str, Any]:
        if kept is not None:
            kept["state"] = _STATES[said["event"]]
        told = {
            "time": int(time.time()),
            "MessageID": kept["id"] if kept else 1,
            "Message_GUID": kept["to"][0]["MessageUUID"] if kept else str(uuid.uuid4()),
            "email": kept["to"][0]["Email"] if kept else "ninguem@exemplo.test",
            "mj_campaign_id": 0,
            "mj_contact_id": 1,
            "customcampaign": "",
            "CustomID": custom_id,
            "Payload": "",
        }
        return {**told, **said}


def check(said: Any) -> None:
    """A message of v3.1. Raises Fault with the first thing that is wrong."""
    if not isinstance(said, dict):
        raise Fault("mj-0004", 'Type mismatch. Expected type "object".', "")
    for name in sorted(set(said) - _KNOWN):
        raise Fault("mj-0005", f'"{name}" is not a valid property.', name)
    _check_address(said.get("From"), "From")
    to = said.get("To")
    if not isinstance(to, list) or not 0 < len(to) <= MOST_RECIPIENTS:
        raise Fault("mj-0003", 'At least one recipient must be in "To".', "To")
    for n, one in enumerate(to):
        _check_address(one, f"To[{n}]")
    if "ReplyTo" in said:
        _check_address(said["ReplyTo"], "ReplyTo")
    if not any(said.get(part) for part in ("TextPart", "HTMLPart", "TemplateID")):
        raise Fault("send-0003", 'At least "HTMLPart" or "TextPart" must be provided.', "HTMLPart")
    if not isinstance(said.get("Subject", ""), str) or "\n" in said.get("Subject", ""):
        raise Fault("mj-0004", "The subject is one line.", "Subject")
    if len(said.get("CustomID", "")) > 64:
        raise Fault("mj-0004", "The CustomID is too long.", "CustomID")
    _check_attachments(said.get("Attachments", []))


def _check_address(one: Any, about: str) -> None:
    if not isinstance(one, dict) or not one.get("Email"):
        raise Fault("mj-0003", "This property is mandatory.", f"{about}.Email")
    if not _ADDRESS.fullmatch(str(one["Email"])):
        text = f'"{one["Email"]}" is an invalid email address.'
        raise Fault("mj-0013", text, f"{about}.Email")


def _check_attachments(attached: list[Any]) -> None:
    total = 0
    for n, one in enumerate(attached):
        about = f"Attachments[{n}]"
        for name in ("ContentType", "Filename", "Base64Content"):
            if not one.get(name):
                raise Fault("mj-0003", f'"{name}" is mandatory.', f"{about}.{name}")
        try:
            base64.b64decode(one["Base64Content"], validate=True)
        except binascii.Error:
            text = "This is not base64."
            raise Fault("mj-0013", text, f"{about}.Base64Content") from None
        total += len(one["Base64Content"])
    if total > MOST_BYTES:
        raise Fault("send-0021", "The attachments are over 15 MB.", "Attachments")


def _is_signed_in(headers: Mapping[str, str]) -> bool:
    """Any key and secret but those that say they are wrong."""
    scheme, _, told = headers.get("authorization", "").partition(" ")
    try:
        key, _, secret = base64.b64decode(told, validate=True).decode().partition(":")
    except ValueError:
        return False
    return scheme == "Basic" and bool(key) and bool(secret) and "errada" not in (key, secret)


def _fault(status: int, code: str, text: str) -> Reply:
    error = {"ErrorIdentifier": str(uuid.uuid4()), "ErrorCode": code, "StatusCode": status}
    return as_json({**error, "ErrorMessage": text}, status)
