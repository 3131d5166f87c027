"""webhooks (billing-api §2.17): where this account's events are sent."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import WebhookEndpoint
from accounts.models.webhook import EVENT_NAMES, V2_EVENT_NAMES
from accounts.services import idempotency
from accounts.services.webhooks import (
    Proof,
    create_endpoint,
    delete_endpoint,
    prove,
    prove_change,
    update_endpoint,
)
from billing.api.v1.base import BillingView, no_content
from billing.api.v1.docs import documented, listed, one
from billing.api.v1.fields import (
    BLANK,
    INVALID,
    NOT_LISTED,
    AnyOut,
    BoolIn,
    BoolOut,
    InField,
    IntegerIn,
    IntegerOut,
    MomentOut,
    Refused,
    TextIn,
    TextOut,
    is_blank,
)
from billing.api.v1.shapes import In, Out, Sent

ALL_EVENTS = (*EVENT_NAMES, *V2_EVENT_NAMES)


class EventsIn(InField, serializers.ListField):
    """A list of event names; null or [] is all of them."""

    def __init__(self) -> None:
        super().__init__(
            child=serializers.ChoiceField(choices=ALL_EVENTS), required=False, allow_null=True
        )

    def read(self, value: Any) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise Refused(INVALID)
        if not all(isinstance(name, str) and name in ALL_EVENTS for name in value):
            raise Refused(NOT_LISTED)
        return [name for name in ALL_EVENTS if name in value]


MIN_SECRET = 8  # characters


class SecretIn(TextIn):
    """What signatures are made with; write-only."""

    def read(self, value: Any) -> str | None:
        text = super().read(value)
        if text is not None and is_blank(text):
            raise Refused(BLANK)
        if text is not None and len(text) < MIN_SECRET:
            raise Refused(f"é muito curto (mínimo: {MIN_SECRET} caracteres)")
        return text


class OnceOut(TextOut):
    """A text that is added to an answer by hand; others are without its key."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.read_only = self.required = False


class WebhookIn(In):
    url = TextIn(required=True, max_length=2000)
    description = TextIn()
    secret = SecretIn(
        min_length=MIN_SECRET,
        help_text="Gerado quando não enviado no cadastro. Trocar mantém o anterior por 24 h.",
    )
    events = EventsIn()
    version = IntegerIn(lowest=1, highest=2, help_text="2 acrescenta id e created_at ao corpo")
    ping = BoolIn(help_text='Enviar {"test": true} antes de cada evento')
    active = BoolIn()
    ignore_own = BoolIn(help_text="Não avisar o que este token de API causou")


class WebhookOut(Out):
    id = IntegerOut()
    url = TextOut()
    description = TextOut()
    events = AnyOut()
    version = IntegerOut()
    ping = BoolOut(of="ping_first")
    active = BoolOut(of="is_active")
    ignore_own = BoolOut(of="ignores_own")
    failing_since = MomentOut()
    created_at = MomentOut()


class CreatedWebhookOut(WebhookOut):
    """What a registration answers."""

    secret = OnceOut(
        help_text="Só quando gerado, e só nesta resposta: guarde-o. "
        "A repetição por Idempotency-Key não o traz."
    )


class _Webhooks(BillingView):
    envelope = "webhook"

    def answer(self, endpoint: WebhookEndpoint, *, status: int = 200) -> Response:
        return Response({"webhook": WebhookOut.show(endpoint)}, status=status)


class WebhooksView(_Webhooks):
    proof: Proof | None = None
    generated = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            # Here, because with an Idempotency-Key the rest happens inside a transaction, and
            # nothing is sent from there.
            self.proof = self._prove(self.read(WebhookIn))

    def _prove(self, sent: Sent) -> Proof | None:
        if sent.faults or self._was_answered():
            return None
        return prove(sent.values["url"], secret=sent.values.get("secret") or "")

    def _was_answered(self) -> bool:
        key = self.request.headers.get("Idempotency-Key")
        mark = idempotency.fingerprint("POST", self.request.path, self.request.data)
        return key is not None and idempotency.is_known(self.account, key=key, fingerprint=mark)

    @documented("Lista os webhooks", answer=listed("webhooks", WebhookOut))
    def get(self, request: Request) -> Response:
        found = WebhookEndpoint.objects.of(self.account).order_by("id")
        return Response({"webhooks": WebhookOut.show_all(found)})

    @documented(
        "Cadastra um webhook",
        body=WebhookIn,
        envelope="webhook",
        answer=one("webhook", CreatedWebhookOut),
        status=201,
        description='Envia antes {"test": true}, que deve ser respondido com 2xx em 5 s. '
        "Sem `secret`, um é gerado e mostrado nesta resposta, uma única vez.",
    )
    def post(self, request: Request) -> Response:
        sent = self.read(WebhookIn)
        endpoint = create_endpoint(
            sent.values,
            account=self.account,
            actor=self.actor,
            token=self.token,
            proof=self.proof,
            faults=sent.faults,
        )
        if self.proof and not sent.values.get("secret"):
            self.generated = self.proof.secret
        return self.answer(endpoint, status=201)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        # Only here, behind the Idempotency-Key: what is kept for repetitions holds no secret.
        response = super().finalize_response(*args, **kwargs)
        if self.generated and response.status_code == 201:
            response.data["webhook"]["secret"] = self.generated
        return response


class WebhookView(_Webhooks):
    @documented("Mostra um webhook", answer=one("webhook", WebhookOut))
    def get(self, request: Request, id: int) -> Response:
        return self.answer(WebhookEndpoint.objects.get_of(self.account, pk=id))

    @documented(
        "Altera um webhook",
        body=WebhookIn,
        envelope="webhook",
        answer=one("webhook", WebhookOut),
        description="Outra url recebe antes o teste, como no cadastro.",
    )
    def patch(self, request: Request, id: int) -> Response:
        endpoint: WebhookEndpoint = WebhookEndpoint.objects.get_of(self.account, pk=id)
        sent = self.read(WebhookIn, partial=True)
        changed = update_endpoint(
            id,
            sent.values,
            account=self.account,
            actor=self.actor,
            token=self.token,
            proof=_proof_of_change(endpoint, sent),
            faults=sent.faults,
        )
        return self.answer(changed)

    @documented("Apaga um webhook", status=204)
    def delete(self, request: Request, id: int) -> Response:
        delete_endpoint(id, account=self.account, actor=self.actor)
        return no_content()


def _proof_of_change(endpoint: WebhookEndpoint, sent: Sent) -> Proof | None:
    """Another url is tried before it is kept, unless the rest of the body is wrong anyway."""
    url = sent.values.get("url")
    if sent.faults or url is None or url == endpoint.url:
        return None
    return prove_change(endpoint, url=url, secret=sent.values.get("secret") or "")


routes = [
    path("webhooks", WebhooksView.as_view()),
    path("webhooks/<id>", WebhookView.as_view()),
]
