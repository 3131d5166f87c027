"""Pages of refusals and faults (P21)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lxml.html
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from accounts.models import Account
from lib import maintenance
from lib.errors import Conflict, Forbidden, RateLimited
from portal import error_pages

LEAKS = ("Traceback", "Django", "django", "/work/", ".py", "Exception", "DoesNotExist")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("segredo do servidor")


def refused(request: HttpRequest, kind: str) -> HttpResponse:
    raise {"conflict": Conflict, "forbidden": Forbidden, "limited": RateLimited}[kind]()


handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"
urlpatterns = [
    path("central/falha/", broken),
    path("p/falha/", broken),
    path("outra/falha/", broken),
    path("central/recusa/<str:kind>/", refused),
    path("", include("config.urls")),
]


@pytest.fixture
def faulty() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def checked(answer: Any, status: int, text: str, *, menu: bool = True) -> Any:
    """The page of that status in the frame, in Portuguese and without what is inside."""
    page = answer.content.decode()
    tree = lxml.html.fromstring(page)
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert tree.get("lang") == "pt-BR"
    assert tree.xpath("//body/@data-screen") == ["P21"]
    assert text in tree.findtext(".//h1")
    assert tree.xpath("//a[text()='Voltar ao início']/@href") == ["/central/"]
    assert bool(tree.xpath("//nav[@aria-label='Principal']")) is menu
    assert not [leak for leak in LEAKS if leak in page]
    return tree


def test_p21_1_each_status_has_its_page_in_the_frame(
    central: Any, faulty: None, demo: Account
) -> None:
    client = central("leitura@aurora.test")
    client.raise_request_exception = False
    strict = central(enforce_csrf_checks=True)

    checked(
        strict.post("/central/sessao/"), 400,
        "Não foi possível confirmar o envio. Recarregue a página e tente de novo.",
    )  # fmt: skip
    checked(
        client.get("/central/usuarios/"), 403,
        "Você não tem permissão para isto. Peça acesso ao titular da conta.",
    )  # fmt: skip
    checked(client.get("/central/nada/disto/"), 404, "Página não encontrada.")
    checked(Client().get("/central/nada/"), 404, "Página não encontrada.", menu=False)
    checked(Client().get("/p/f/nada/"), 404, "Página não encontrada.", menu=False)
    limited = client.get("/central/recusa/limited/")
    checked(limited, 429, "Muitas tentativas. Aguarde alguns minutos.")
    checked(client.get("/central/recusa/forbidden/"), 403, "Você não tem permissão para isto.")
    checked(client.get("/central/recusa/conflict/"), 422, "A situação atual não permite")
    checked(client.post("/central/ajuda/"), 405, "Página não encontrada.")
    fault = client.get("/central/falha/", headers={"x-request-id": "pedido-0001"})
    tree = checked(fault, 500, "Algo deu errado do nosso lado. Já registramos o erro.")
    assert "pedido-0001" in tree.text_content()
    assert "segredo do servidor" not in fault.content.decode()
    assert limited["Cache-Control"] == "no-store, private"
    assert "default-src 'none'" in fault["Content-Security-Policy"]


def test_a_page_is_missing_with_the_same_bytes_for_everybody(central: Any) -> None:
    client = central()
    answers = [client.get(f"/central/usuarios/{pk}/papel/") for pk in (9_999_998, 9_999_999, 0)]

    assert len({answer.content for answer in answers}) == 1
    token = lxml.html.fromstring(answers[0].content.decode()).xpath(
        "(//input[@name='csrfmiddlewaretoken'])[1]/@value"
    )
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post("/central/sair/", {"csrfmiddlewaretoken": token[0]}).status_code == 302


def test_a_fault_of_the_database_still_gets_a_page(
    central: Any, faulty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = central()
    client.raise_request_exception = False

    def gone(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no database")

    monkeypatch.setattr(error_pages, "portal_of", gone)
    checked(client.get("/central/falha/"), 500, "Algo deu errado do nosso lado.", menu=False)
    with connection.execute_wrapper(gone):
        checked(client.get("/central/"), 500, "Algo deu errado do nosso lado.", menu=False)
        assert Client().get("/central/").status_code == 302  # nothing is asked for a stranger
        checked(client.get("/p/falha/"), 500, "Algo deu errado do nosso lado.", menu=False)
    monkeypatch.setattr(error_pages, "render_to_string", gone)
    plain = client.get("/central/falha/", headers={"x-request-id": "<b>-0001"})
    tree = lxml.html.fromstring(plain.content.decode())
    assert plain.status_code == 500
    assert tree.findtext(".//h1").startswith("Algo deu errado do nosso lado.")
    assert "Código do erro" in tree.text_content()


def test_other_areas_keep_their_pages(faulty: None, db: None) -> None:
    client = Client(raise_request_exception=False)

    assert 'data-screen="P21"' not in client.get("/outra/falha/").content.decode()
    assert client.get("/api/v1/nada").content == b""


def test_maintenance_closes_the_pages_and_tells_until_when(
    central: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    client = central()
    try:
        call_command("maintenance", "on", "--until", "2026-08-12T22:30")
        for one in (client, Client()):
            answer = one.get("/central/")
            tree = checked(answer, 503, "Estamos em manutenção.", menu=False)
            assert "12/08/2026 22:30" in tree.text_content()
            assert answer["Retry-After"] == "Thu, 13 Aug 2026 01:30:00 GMT"
        assert Client().get("/p/f/x/").status_code == 503
        assert Client().get("/health_check").status_code == 200
        call_command("maintenance", "on")
        assert client.get("/central/")["Retry-After"] == "600"
        with pytest.raises(CommandError):
            call_command("maintenance", "on", "--until", "amanhã")
    finally:
        call_command("maintenance", "off")
    assert maintenance.current() is None
    assert client.get("/central/seguranca/").status_code == 200
