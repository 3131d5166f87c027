"""Stand-in of a bank with the API Pix of Banco Central (cob, cobv, pix, devolução, webhook).

Any client may come in with the secret "segredo-do-sandbox"; each is a receiver of its own. POST
/control/pix/…:

- pay {"txid", "client"?, "amount"?, "on"?, "force"?}: somebody pays a charge; `force` also one that
  is removed, paid or over. Answers {"endToEndId"}.
- send {"key", "amount", "txid"?, "client"?}: a Pix to a key, or by a static code.
- med {"endToEndId", "amount"?, "natureza"?}: the payer's bank takes money back.
- returns {"status"}: what becomes of a devolução from now on (default DEVOLVIDO).
- settle {"endToEndId", "id", "status"}: an earlier one is decided.
- today {"date"}: the bank's calendar stands on this day; null is the real one.
- revoke {}: all tokens are void.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from billing.sandbox import pix_charges as charges
from billing.sandbox import pix_returns as returns
from billing.sandbox.pix_bodies import Problem, as_problem, body_of, moment
from billing.sandbox.wire import Books, Reply, StandIn, Tell, as_json

SECRET = "segredo-do-sandbox"  # noqa: S105  there is nothing behind it
TOKEN_SECONDS = 3600
BRASILIA = timezone(timedelta(hours=-3))


class Pix(StandIn):
    """`books`: tokens, and for each client its charges, Pix and hooks."""

    name = "pix"

    def __init__(self, books: Books, tell: Tell, address: str) -> None:
        super().__init__(books, tell, address)

    def now(self) -> datetime:
        """This moment in Brasília; on another day, its time of day."""
        moved = self.books.get("today")
        return self._on(moved) if moved else datetime.now(BRASILIA)

    def _on(self, day: str) -> datetime:
        time = datetime.now(BRASILIA).time()
        return datetime.combine(date.fromisoformat(day), time, tzinfo=BRASILIA)

    def receiver(self, client: str) -> Books:
        clients: Books = self.books.setdefault("clients", {})
        empty: Books = {"charges": {}, "pix": {}, "hooks": {}}
        found: Books = clients.setdefault(client, empty)
        return found

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        parts = urlsplit(path)
        steps = [unquote(step) for step in parts.path.strip("/").split("/")]
        try:
            if steps == ["oauth", "token"] and method == "POST":
                return self._token(headers, body)
            client = self._client(headers)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            return self._answer(client, method, steps, query, body)
        except Problem as problem:
            return as_problem(problem)

    def control(self, what: str, given: dict[str, Any]) -> Any:
        match what:
            case "pay":
                return {"endToEndId": self._pay(**given)}
            case "send":
                return {"endToEndId": self._send(**given)}
            case "med":
                self._med(**given)
            case "returns":
                self.books["returns"] = given["status"]
            case "settle":
                self._settle(**given)
            case "today":
                self.books["today"] = given["date"]
            case "revoke":
                self.books["tokens"] = {}
            case _:
                raise KeyError(what)
        return {"ok": True}

    # --- who speaks ----------------------------------------------------------------------------

    def _token(self, headers: Mapping[str, str], body: bytes) -> Reply:
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            client, _, secret = base64.b64decode(given).decode().partition(":")
        if form.get("grant_type") != "client_credentials" or not client or secret != SECRET:
            return as_json({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(24)
        ends_at = datetime.now(UTC).timestamp() + TOKEN_SECONDS
        self.books.setdefault("tokens", {})[token] = {"client": client, "ends_at": ends_at}
        return as_json(
            {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS,
             "scope": form.get("scope", "")}
        )  # fmt: skip

    def _client(self, headers: Mapping[str, str]) -> str:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        known = self.books.get("tokens", {}).get(token)
        if known is None or known["ends_at"] < datetime.now(UTC).timestamp():
            raise Problem(401, "AcessoNegado", "Token ausente, vencido ou desconhecido.")
        return str(known["client"])

    # --- what is asked -------------------------------------------------------------------------

    def _answer(
        self, client: str, method: str, steps: list[str], query: dict[str, str], body: bytes
    ) -> Reply:
        mine = self.receiver(client)
        match (method, steps):
            case (_, ["cob" | "cobv" as kind, txid]):
                given = body_of(body) if method in ("PUT", "PATCH") else {}
                return charges.answer(mine, method, kind, txid, given, now=self.now())
            case ("GET", ["pix"]):
                return as_json(returns.listed(mine, query))
            case ("GET", ["pix", end_to_end_id]):
                return as_json(returns.pix_of(mine, end_to_end_id))
            case ("GET", ["pix", end_to_end_id, "devolucao", one]):
                return as_json(returns.return_of(mine, end_to_end_id, one))
            case ("PUT", ["pix", end_to_end_id, "devolucao", one]):
                status = self.books.get("returns", "DEVOLVIDO")
                made = returns.give_back(
                    mine, end_to_end_id, one, body_of(body), status=status, now=self.now()
                )
                return as_json(made, 201)
            case (_, ["webhook", key]):
                return self._hook(mine, method, key, body)
        raise Problem(404, "NaoEncontrado", "Recurso desconhecido.")

    def _hook(self, mine: Books, method: str, key: str, body: bytes) -> Reply:
        hooks = mine["hooks"]
        if method == "PUT":
            url = body_of(body).get("webhookUrl")
            if not isinstance(url, str) or not url.startswith(("http://", "https://")):
                raise Problem(400, "WebhookOperacaoInvalida", "webhookUrl inválida.")
            hooks[key] = {"webhookUrl": url, "chave": key, "criacao": moment(self.now())}
            return Reply(200)
        if key not in hooks:
            raise Problem(404, "WebhookNaoEncontrado", "Não há webhook para esta chave.")
        if method == "DELETE":
            del hooks[key]
            return Reply(204)
        return as_json(hooks[key])

    # --- what people do ------------------------------------------------------------------------

    def _pay(
        self,
        txid: str,
        client: str | None = None,
        amount: str | None = None,
        on: str | None = None,
        force: bool = False,
    ) -> str:
        mine = self._who_has("charges", txid, client)
        charge = mine["charges"][txid]
        at = self._on(on) if on else self.now()
        if not force:
            charges.check_payable(charge, at=at)
        value = amount or f"{charges.price(charge, at.date()):.2f}"
        charge["status"] = "CONCLUIDA" if charge["status"] == "ATIVA" else charge["status"]
        pix = returns.received(mine, charge["chave"], value, at=at, txid=txid)
        charge.setdefault("pix", []).append(pix["endToEndId"])
        self._tell(mine, charge["chave"], pix)
        return str(pix["endToEndId"])

    def _send(self, key: str, amount: str, txid: str = "", client: str = "sandbox") -> str:
        mine = self.receiver(client)
        pix = returns.received(mine, key, f"{Decimal(amount):.2f}", at=self.now(), txid=txid)
        if txid:  # a bank tells nothing of a Pix without txid
            self._tell(mine, key, pix)
        return str(pix["endToEndId"])

    def _med(
        self, endToEndId: str, amount: str | None = None, natureza: str = "MED_FRAUDE"
    ) -> None:
        mine = self._who_has("pix", endToEndId, None)
        pix = mine["pix"][endToEndId]
        value = amount or pix["valor"]
        returns.add(pix, secrets.token_hex(8), value, "DEVOLVIDO", natureza, now=self.now())
        self._tell(mine, pix["chave"], pix)

    def _settle(self, endToEndId: str, id: str, status: str) -> None:
        mine = self._who_has("pix", endToEndId, None)
        returns.return_of(mine, endToEndId, id)["status"] = status
        pix = mine["pix"][endToEndId]
        self._tell(mine, pix["chave"], pix)

    def _who_has(self, what: str, name: str, client: str | None) -> Books:
        for own, mine in self.books.get("clients", {}).items():
            if name in mine[what] and client in (None, own):
                found: Books = mine
                return found
        raise KeyError(name)

    def _tell(self, mine: Books, key: str, pix: dict[str, Any]) -> None:
        hook = mine["hooks"].get(key)
        if hook is not None:
            body = as_json({"pix": [pix]}).body.decode()
            self.tell("pix", f"{hook['webhookUrl']}/pix", body)
