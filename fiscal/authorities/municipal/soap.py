"""One call to a city's web service, in the envelope of its family (ABR-2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from fiscal.authorities import transport
from fiscal.authorities.base import Credentials, Lost, Misconfigured, NotSent
from fiscal.authorities.municipal.profiles import Family, Profile
from fiscal.authorities.transport import Limits, Reply
from fiscal.authorities.wire import Element, Unreadable, read
from fiscal.xml import escape

log = logging.getLogger(__name__)

# TLS-5: asking waits less than what changes something.
ASKING = Limits(read=30)
CHANGING = Limits(read=60)
_SPACES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
_ESCAPES = 3  # strings inside strings


@dataclass(frozen=True)
class Answered:
    """The message that a city answered with, and the whole body for the attempt."""

    root: Element
    raw: bytes = field(repr=False)
    elapsed_ms: int = 0


def call(
    profile: Profile,
    operation: str,
    *,
    action: str,
    parts: tuple[str, str],
    credentials: Credentials,
    limits: Limits,
    is_answer: Callable[[str], bool],
) -> Answered:
    """Send the two strings of an operation; the answer is the first element of a wanted name.

    Raises NotSent, Misconfigured and Lost as the transport does; Lost as well for a Fault, HTML,
    an empty outputXML and any other body without such an element, whatever the status.
    """
    family = profile.family
    about = {"service": operation, "authority": profile.route, "ambiente": profile.ambiente}
    try:
        reply = transport.post(
            profile.url,
            _envelope(family, operation, parts),
            content_type=_content_type(family, action),
            credentials=credentials,
            limits=limits,
            ca_file=profile.ca_file,
            soap_action=action,
        )
        root = _answer(reply, is_answer, profile.route)
    except (NotSent, Lost, Misconfigured) as error:
        kind = type(error).__name__
        log.info("city.failed", extra={**about, "kind": kind, "elapsed": error.elapsed_ms})
        raise
    log.info("city.answered", extra={**about, "elapsed": reply.elapsed_ms, "root": root.local})
    return Answered(root, reply.body, reply.elapsed_ms)


def _content_type(family: Family, action: str) -> str:
    if family.soap == "1.1":
        return "text/xml; charset=utf-8"
    return f'application/soap+xml; charset=utf-8; action="{action}"'


def _envelope(family: Family, operation: str, parts: tuple[str, str]) -> bytes:
    bare = ' xmlns=""' if family.parts_without_namespace else ""
    inside = "".join(
        f"<{tag}{bare}>{_wrapped(family, part)}</{tag}>"
        for tag, part in zip(family.parts, parts, strict=True)
    )
    request = family.request.format(operacao=operation)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<soap:Envelope xmlns:soap="{_SPACES[family.soap]}"><soap:Body>'
        f'<{request} xmlns="{family.body_namespace}">{inside}</{request}>'
        "</soap:Body></soap:Envelope>"
    ).encode()


def _wrapped(family: Family, part: str) -> str:
    if family.form == "literal":
        return part
    # Messages of ours are canonical: "]]>" cannot occur in them.
    return f"<![CDATA[{part}]]>" if family.form == "cdata" else escape(part)


def _answer(reply: Reply, is_answer: Callable[[str], bool], route: str) -> Element:
    try:
        return _wanted(read(reply.body, charset=reply.charset), is_answer)
    except Unreadable as error:
        reason = f"{route} não deu resposta legível: {error}"
        raise Lost(reason, raw=reply.body, elapsed_ms=reply.elapsed_ms) from error


def _wanted(root: Element, is_answer: Callable[[str], bool]) -> Element:
    for _ in range(_ESCAPES):
        found = next((each for each in root.walk() if is_answer(each.local)), None)
        if found:
            return found
        inner = next((each for each in root.walk() if _is_document(each)), None)
        if inner is None:
            break
        root = read(inner.text.encode(), charset="utf-8")
    raise Unreadable(_reason(root))


def _is_document(element: Element) -> bool:
    """Text of an element that is a document, escaped or in CDATA."""
    return not element.children and element.text.startswith("<")


def _reason(root: Element) -> str:
    fault = next((each for each in root.walk() if each.local == "Fault"), None)
    if fault is None:
        return f"sem mensagem da prefeitura: {root.local}"
    texts = (*fault.all("Text"), *fault.all("faultstring"))
    return "SOAP Fault: " + " ".join(each.text for each in texts)[:200]
