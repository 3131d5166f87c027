"""Notices to the product: sent in the background, again until they are taken.

POST /control/deliveries {"mode": …}: "on" (each once), "twice" (each two times), "off" (kept until
they are asked for). POST /control/deliver {"order": [ids]} sends notices now, in this order, those
already taken too; {} sends what waits, {"reverse": true} the newest first. It answers the statuses.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

MODES = ("on", "twice", "off")
BACK_OFF = (0.5, 1, 2, 4, 8, 15, 30, 30, 30, 60, 60, 60)
TIMEOUT = 10.0
Notice = dict[str, Any]
# Never through a proxy of the environment: the product is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Deliveries:
    """`notices` is part of the sandbox's books; `sign` asks the provider for the headers."""

    def __init__(self, notices: list[Notice], sign: Callable[[Notice], dict[str, str]]) -> None:
        self.notices, self.sign, self.mode = notices, sign, "on"
        self._condition = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def tell(self, provider: str, kind: str, url: str, body: str, **more: Any) -> None:
        """Have `body` posted to `url`; `more` is for the provider's `sign`."""
        with self._condition:
            number = len(self.notices) + 1
            again = 2 if self.mode == "twice" else 1
            self.notices.append(
                {"id": number, "provider": provider, "kind": kind, "url": url, "body": body,
                 "due": None if self.mode == "off" else 0.0, "wanted": again, "tries": 0,
                 "statuses": [], **more}
            )  # fmt: skip
            self._condition.notify()

    def steer(self, mode: str) -> None:
        """Raises ValueError for a mode that is none."""
        if mode not in MODES:
            raise ValueError(f"modes are {MODES}")
        with self._condition:
            self.mode = mode

    def deliver(self, order: list[int] | None = None, *, reverse: bool = False) -> list[int]:
        """Send now, one after the other; statuses, 0 for no answer."""
        with self._condition:
            known = {notice["id"]: notice for notice in self.notices}
            waiting = [n["id"] for n in self.notices if n["wanted"] > 0]
        wanted = order if order is not None else sorted(waiting, reverse=reverse)
        return [self._send(known[number]) for number in wanted]

    def forget(self) -> None:
        with self._condition:
            self.notices.clear()
            self.mode = "on"

    def stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify()
        self._thread.join(TIMEOUT + 1)

    def _work(self) -> None:
        while True:
            with self._condition:
                if self._stopped:
                    return
                due = self._next()
                if due is None:
                    self._condition.wait(0.25)
                    continue
            self._send(due)

    def _next(self) -> Notice | None:
        now = time.time()
        for notice in self.notices:
            if notice["wanted"] > 0 and notice["due"] is not None and notice["due"] <= now:
                return notice
        return None

    def _send(self, notice: Notice) -> int:
        status = self._post(notice)
        with self._condition:
            notice["tries"] += 1
            notice["statuses"].append(status)
            if 200 <= status < 300:
                notice["wanted"] = max(0, notice["wanted"] - 1)
            elif notice["tries"] > len(BACK_OFF):
                notice["wanted"] = 0
            elif notice["due"] is not None:
                notice["due"] = time.time() + BACK_OFF[notice["tries"] - 1]
        return status

    def _post(self, notice: Notice) -> int:
        headers = {"Content-Type": "application/json", **self.sign(notice)}
        method = notice.get("method", "POST")
        request = urllib.request.Request(  # noqa: S310  the product's own address, given by it
            notice["url"], notice["body"].encode(), headers, method=method
        )
        try:
            with _OPENER.open(request, timeout=TIMEOUT) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except (OSError, http.client.HTTPException):
            return 0
