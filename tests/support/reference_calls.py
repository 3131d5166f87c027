"""The examples of the API's reference, called by curl as they are written.

tests/fixtures/fiscal_api holds them: requests in the form and order of the reference, and what each
answer must look like. A value in angle brackets is a type, a list of one entry describes every
entry, anything else is the very value; no other keys may come.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "fixtures" / "fiscal_api"
RATE_LIMIT = ("rate-limit-limit", "rate-limit-remaining", "rate-limit-reset")
SECONDS = 60.0  # until a queued document has its answer, on a busy machine
_TYPES: dict[str, Any] = {
    "<texto>": lambda value: isinstance(value, str) and value != "",
    "<texto ou nulo>": lambda value: value is None or isinstance(value, str),
    "<inteiro>": lambda value: type(value) is int,
    "<booleano>": lambda value: isinstance(value, bool),
    "<objeto>": lambda value: isinstance(value, dict) and value != {},
    "<lista>": lambda value: isinstance(value, list),
    "<caminho>": lambda value: isinstance(value, str) and value.startswith("/"),
}


@dataclass
class Caller:
    """An integrator with curl: the host, the tokens by name, and what the examples refer to."""

    url: str
    tokens: Mapping[str, str]
    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    _sent: dict[str, Any] = field(default_factory=dict)  # the last document
    _downloaded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.values["TOKEN"] = self.tokens["homologacao"]

    def run(self, name: str, *, ref: str) -> int:
        """Every example of a file, one after the other; answers how many. Raises AssertionError."""
        self.values["REF"] = ref
        calls = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["calls"]
        for example in calls:
            self._one(example)
        return len(calls)

    def _one(self, example: Mapping[str, Any]) -> None:
        self.values |= moments()
        where = f"{example['section']}: {example['call']}"
        until, deadline = example.get("until"), time.monotonic() + SECONDS
        while True:
            answer = self._call(example)
            told = answer.json if "file" not in example else {}
            if until is None or told.get("status") == until or time.monotonic() > deadline:
                break
            time.sleep(0.3)
        assert answer.status == example["status"], (where, answer.status, answer.body[:2_000])
        assert all(answer.headers.get(name, "").isdecimal() for name in RATE_LIMIT), where
        if "file" in example:
            assert answer.body.startswith(example["file"].encode()), (where, answer.body[:200])
            return
        self._check(example, told, where)
        self.values |= {key: str(told[name]) for key, name in example.get("keep", {}).items()}

    def _check(self, example: Mapping[str, Any], told: Any, where: str) -> None:
        for name in example.get("optional", ()):
            told.pop(name, None)
            example["answer"].pop(name, None)
        if "answer" in example:
            self._compare(self._filled(example["answer"]), told, where)
        if "has" in example:
            missing = set(example["has"]) - set(told)
            assert not missing, (where, missing)
        if example.get("says"):
            sent = {k: v for k, v in self._sent.items() if k not in example.get("unsaid", ())}
            says_everything(sent, told["requisicao_nota_fiscal"], where)

    def _compare(self, wanted: Any, told: Any, where: str) -> None:
        if isinstance(wanted, dict):
            assert isinstance(told, dict), (where, told)
            assert set(told) == set(wanted), (where, told)
            for name, value in wanted.items():
                self._compare(value, told[name], f"{where} → {name}")
        elif isinstance(wanted, list):
            assert isinstance(told, list), (where, told)
            assert bool(told) == bool(wanted), (where, told)
            for value in told:
                self._compare(wanted[0], value, where)
        elif wanted in _TYPES:
            assert _TYPES[wanted](told), (where, told)
            if wanted == "<caminho>":
                self._download(told, where)
        else:
            assert (told, type(told)) == (wanted, type(wanted)), where

    def _download(self, path: str, where: str) -> None:
        """§1.10: host and path are an address; each file once."""
        if path in self._downloaded:
            return
        file = self._curl("GET", self.url + path, token="homologacao")
        assert file.status == 200, (where, path, file.status)
        assert file.body, (where, path)
        self._downloaded.add(path)

    def _call(self, example: Mapping[str, Any]) -> Answer:
        method, path = self._filled(example["call"]).split(" ", 1)
        options: list[str] = []
        if "body" in example:
            body = self._filled(example["body"])
            self._sent = body if "items" in body else self._sent
            options = ["-d", json.dumps(body, ensure_ascii=False)]
        if "upload" in example:
            own = self._filled(example["upload"])
            file = self.folder / "enviado.xml"
            file.write_bytes(self._curl("GET", self.url + own, token="homologacao").body)
            options = ["--data-binary", f"@{file}"]
        return self._curl(
            method, self.url + path, *options, token=example.get("token", "homologacao")
        )

    def _curl(self, method: str, url: str, *options: str, token: str) -> Answer:
        head, body = self.folder / "head", self.folder / "body"
        body.write_bytes(b"")
        who = [] if token == "none" else ["-u", f"{self.tokens[token]}:"]
        command = ["curl", "-sS", *who, "-X", method, *options, "-D", head, "-o", body, url]
        subprocess.run(command, check=True, timeout=120)
        return Answer.of(head.read_bytes().decode("latin-1"), body.read_bytes())

    def _filled(self, node: Any) -> Any:
        """`{NAME}` in every text replaced by what it stands for."""
        if isinstance(node, str):
            return re.sub(r"\{([A-Z]+)\}", lambda found: self.values[found[1]], node)
        if isinstance(node, dict):
            return {name: self._filled(value) for name, value in node.items()}
        return [self._filled(value) for value in node] if isinstance(node, list) else node


@dataclass(frozen=True)
class Answer:
    """What curl received."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, head: str, body: bytes) -> Answer:
        last = [part for part in head.split("\r\n\r\n") if part][-1]  # after "100 Continue"
        first, *lines = last.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return cls(int(first.split()[1]), {k.lower(): v.strip() for k, _, v in pairs}, body)

    @property
    def json(self) -> Any:
        assert self.headers.get("content-type") == "application/json", (
            self.status,
            self.body[:300],
        )
        return json.loads(self.body)


def moments() -> dict[str, str]:
    """What the examples call now, a day before, and today; in São Paulo."""
    now = datetime.now(timezone(timedelta(hours=-3)))
    return {
        "AGORA": now.isoformat(timespec="seconds"),
        "ONTEM": (now - timedelta(hours=20)).isoformat(timespec="seconds"),
        "HOJE": now.date().isoformat(),
    }


def says_everything(sent: Mapping[str, Any], told: Mapping[str, Any], where: str) -> None:
    """§2.4: the document comes back under the names of the request, all values text."""
    assert {name for name, value in sent.items() if value != ""} <= set(told), (where, told)
    for own, shown in zip(sent["items"], told["items"], strict=True):
        # A discount of nothing is no tag of the layout.
        assert {name for name in own if not _is_zero(own[name])} <= set(shown) | {"icms_origem"}
    assert _texts(told), where


def _is_zero(value: Any) -> bool:
    return str(value).strip("0.") == ""


def _texts(node: Any) -> bool:
    if isinstance(node, dict):
        return all(_texts(value) for value in node.values())
    return all(_texts(one) for one in node) if isinstance(node, list) else isinstance(node, str)
