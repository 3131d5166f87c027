"""Mailjet, Send API v3.1 through its own client; whether it has a letter is asked of v3.

The client would try a POST again by itself, four times in all and on https only. Mailjet does not
promise to recognise the repetition, so that is taken away from it: an outcome that is not known is
asked about by CustomID first.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from billing.gateways.mail.base import Letter, NotNow, Refused, Taken, Unknown

if TYPE_CHECKING:
    from mailjet_rest import Client

TIMEOUT = (5.0, 10.0)  # seconds: connect, read
_SAID = 300  # characters kept of what it says
# What ErrorRelatedTo points at.
_PARTS = {
    "To": "o destinatário não foi aceito",
    "From": "o remetente não foi aceito",
    "Sender": "o remetente não foi aceito",
    "ReplyTo": "o endereço de resposta não foi aceito",
    "Subject": "o assunto não foi aceito",
    "Attachments": "o anexo não foi aceito",
    "TextPart": "o texto não foi aceito",
    "HTMLPart": "o texto não foi aceito",
}
_PART = re.compile(r"(?:Messages\[[0-9]+\]\.)?([A-Za-z]+)")
_NOT_VALIDATED = "o remetente não está validado na conta do Mailjet"
_CODES = {"mj-0013": "endereço de e-mail inválido", "send-0008": _NOT_VALIDATED}


class Mailjet:
    """An account of Mailjet. `base_url` other than its own must be on this machine."""

    can_ask = True

    def __init__(self, *, api_key: str, secret_key: str, base_url: str) -> None:
        self._keys, self._base_url = (api_key, secret_key), base_url

    def __repr__(self) -> str:
        return f"<Mailjet {self._base_url}>"

    def send(self, letter: Letter) -> Taken:
        with self._client("v3.1") as client, _told():
            answer = client.send.create(
                data={"Messages": [_message(letter)]},
                headers={"Idempotency-Key": letter.key},
                allow_redirects=False,
            )
            return _taken(_json(answer))

    def find(self, reference: str) -> Taken | None:
        try:
            with self._client("v3") as client, _told():
                answer = client.message.get(filters={"CustomID": reference}, allow_redirects=False)
                return _found(_json(answer))
        except (Refused, Unknown) as error:
            raise NotNow(str(error)) from error

    @contextmanager
    def _client(self, version: str) -> Iterator[Client]:
        try:
            client = _client(self._keys, self._base_url, version, TIMEOUT)
        except (ValueError, TypeError) as error:
            raise NotNow("as chaves ou o endereço do Mailjet não servem") from error
        try:
            yield client
        finally:
            # One that the other side has closed meanwhile would leave an outcome unknown.
            client.session.close()


@lru_cache(maxsize=32)
def _client(
    keys: tuple[str, str], base_url: str, version: str, timeout: tuple[float, float]
) -> Client:
    """Made once: it reads the authorities of TLS, which costs more than sending a letter."""
    from mailjet_rest import Client  # its import costs more than most tasks
    from mailjet_rest.utils.guardrails import SecureHTTPAdapter

    client = Client(auth=keys, version=version, api_url=base_url, timeout=timeout)
    client.session.mount("https://", SecureHTTPAdapter(max_retries=0))
    client.session.trust_env = False
    return client


# --- what is said -------------------------------------------------------------------------------


def _message(letter: Letter) -> dict[str, Any]:
    """A message of v3.1; attachments in base64."""
    said: dict[str, Any] = {
        "From": _address(letter.sender),
        "To": [_address(letter.recipient)],
        "Subject": letter.subject,
        "TextPart": letter.text,
        "HTMLPart": letter.html,
        "CustomID": letter.reference,
    }
    if letter.reply_to:
        said["ReplyTo"] = _address(letter.reply_to)
    if letter.files:
        said["Attachments"] = [
            {
                "ContentType": file.content_type,
                "Filename": file.name,
                "Base64Content": base64.b64encode(file.content).decode(),
            }
            for file in letter.files
        ]
    return said


def _address(text: str) -> dict[str, str]:
    name, address = parseaddr(text)
    return {"Email": address, "Name": name} if name else {"Email": address}


# --- what is answered ---------------------------------------------------------------------------


def _json(answer: Any) -> dict[str, Any]:
    """The body of a 2xx. Anything else there tells nothing about the letter: Unknown."""
    try:
        found = answer.json() if 200 <= answer.status_code < 300 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unknown("o Mailjet deu uma resposta que não se entende")
    return found


def _taken(found: dict[str, Any]) -> Taken:
    """A 200 may say that the message was refused."""
    message = _first(found.get("Messages"))
    if message.get("Status") == "error":
        raise _refusal(message)
    sent_to = _first(message.get("To"))
    if message.get("Status") != "success" or not sent_to.get("MessageID"):
        raise Unknown("o Mailjet deu uma resposta que não se entende")
    return Taken(str(sent_to["MessageID"]), "success")


def _found(found: dict[str, Any]) -> Taken | None:
    rows = found.get("Data")
    if not isinstance(rows, list):
        raise Unknown("o Mailjet deu uma resposta que não se entende")
    row = _first(rows)
    if not row:
        return None
    return Taken(str(row.get("ID", "")), str(row.get("Status", ""))[:_SAID])


def _first(rows: Any) -> dict[str, Any]:
    is_list = isinstance(rows, list) and rows and isinstance(rows[0], dict)
    return rows[0] if is_list else {}


def _refusal(message: dict[str, Any]) -> Refused:
    """Their words after ours: the code is what their support asks for."""
    fault = _first(message.get("Errors"))
    code, related = str(fault.get("ErrorCode", "")), fault.get("ErrorRelatedTo")
    first = str(related[0]) if isinstance(related, list) and related else ""
    part = (_PART.match(first) or ["", ""])[1]
    ours = _CODES.get(code) or _PARTS.get(part, "a mensagem não foi aceita")
    theirs = " ".join(f"{code} {fault.get('ErrorMessage', '')}".split())
    text = f"{ours} ({theirs})" if theirs else ours
    is_bounce = code == "mj-0013" and part == "To"
    return Refused(text[:_SAID], is_bounce=is_bounce, about_files=part == "Attachments")


@contextmanager
def _told() -> Iterator[None]:
    """The client's errors as ours. One that tells no status came of a broken connection."""
    from mailjet_rest import ApiError

    try:
        yield
    except ApiError as error:
        raise _failure(error) from error
    except ValueError as error:  # what the client itself finds wrong, before it sends
        raise Refused("o cliente do Mailjet não aceitou a mensagem") from error


def _failure(error: Any) -> Exception:
    response = getattr(error.__cause__, "response", None)
    status = getattr(error, "status_code", 0) or getattr(response, "status_code", 0)
    if not status:
        return Unknown("o Mailjet não respondeu")
    if status == 429:
        return NotNow("o Mailjet pediu para esperar")
    if status in (401, 403):
        # A key that was changed is soon put right.
        return NotNow("as chaves da conta do Mailjet não foram aceitas")
    if status >= 500:
        return Unknown(f"o Mailjet respondeu {status}")
    if status == 413:
        return Refused("a mensagem é grande demais", about_files=True)
    return _refused_by(response, status)


def _refused_by(response: Any, status: int) -> Exception:
    """A 4xx with the faults of the message, or of the request as a whole."""
    try:
        found = response.json()
    except ValueError:
        return Refused(f"o Mailjet respondeu {status}")
    found = found if isinstance(found, dict) else {}
    return _refusal(_first(found.get("Messages")) or {"Errors": [found]})
