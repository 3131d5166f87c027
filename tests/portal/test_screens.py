"""Every screen of screens.json, for every role (P05-5, B18-3)."""

from __future__ import annotations

import re

from django.test import Client
from django.urls import get_resolver

from portal.screens import ANONYMOUS, PEOPLE, on_demo, screens


def test_b18_3_each_role_sees_its_screens_and_no_others(demo, central):
    found = on_demo(demo)
    wrong = []
    for role, email in PEOPLE.items():
        client = central(email)
        for one in found:
            answer = client.get(one.path)
            expected = {one.status} if role in one.roles else {403}
            if ANONYMOUS in one.roles:
                expected = {200, 302}  # some of them lead home who has signed in
            elif one.status == 404:
                expected = {404}
            if one.id == "B19" and role == "cliente_financeiro":
                expected = {404}  # another person's
            if answer.status_code not in expected:
                wrong.append((role, one.id, one.path, answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))


def test_nobody_sees_a_screen_of_customers_without_signing_in(demo):
    client, wrong = Client(), []
    for one in on_demo(demo):
        answer = client.get(one.path)
        if ANONYMOUS in one.roles or one.status == 404 or _is_for_everybody(one.path):
            ok = answer.status_code == one.status
        elif one.path == OF_STAFF:
            ok = answer.status_code == 404
        else:
            ok = answer.status_code == 302 and "/central/entrar/" in answer["Location"]
        if not ok:
            wrong.append((one.id, one.path, answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))


OF_STAFF = "/central/ajuda/mudar-de-plano/"


def _is_for_everybody(path: str) -> bool:
    """Help and the notice; an article that staff have written only their own customers read."""
    return path in ("/central/ajuda/", "/central/privacidade/")


def test_each_screen_says_who_it_is_and_whose_it_is(demo, central):
    client, wrong = central(), []
    for one in on_demo(demo):
        if "titular" not in one.roles:
            continue
        text = client.get(one.path).content.decode()
        told = re.search(r'<body data-screen="([^"]*)"', text)
        if '<html lang="pt-BR">' not in text or not told or len(re.findall(r"<h1[ >]", text)) != 1:
            wrong.append((one.path, "h1, lang or data-screen"))
        if "Padaria Aurora Ltda" not in text or "12.ABC.345/01DE-35" not in text:
            wrong.append((one.path, "company"))
        if "HOMOLOGAÇÃO – documentos sem validade fiscal" not in text:
            wrong.append((one.path, "banner"))
        if re.search(r"<(script|style)(?![^>]*src)[^>]*>|\sstyle=|\son\w+=", text):
            wrong.append((one.path, "inline"))
        if re.search(r">\s*(None|null|undefined|NaN)\s*<", text):
            wrong.append((one.path, "None"))
    assert not wrong, "\n".join(map(str, wrong))


def test_every_page_of_customers_is_among_the_screens():
    """A new address of a page needs its line, or it is scanned and photographed by nobody."""
    known = {one.path.partition("?")[0] for one in screens()}
    plain = [
        f"/{route}" for route in _routes() if route.startswith("central/") and "<" not in route
    ]
    missing = {path for path in plain if path not in known} - NO_PAGES
    assert not missing, "\n".join(sorted(missing))


# Without a page of their own: acts, answers to scripts, and steps on the way.
NO_PAGES = {
    f"/central/{path}/"
    for path in (
        "confirmar-senha", "empresa", "entrar/codigo", "formas-de-pagamento/adicionar/concluir",
        "formas-de-pagamento/adicionar/iniciar", "formas-de-pagamento/adicionar/pagina",
        "formas-de-pagamento/adicionar/volta", "preferencias/emails", "preferencias/emails/remover",
        "retomar", "sair", "seguranca/codigos", "seguranca/desativar", "seguranca/duas-etapas",
        "seguranca/sessoes/encerrar", "sem-empresa", "senha/pedir", "sessao",
    )
}  # fmt: skip


def _routes() -> list[str]:
    return [str(pattern.pattern) for pattern in _flat(get_resolver())]


def _flat(resolver):
    for one in resolver.url_patterns:
        if hasattr(one, "url_patterns"):
            prefix = str(one.pattern)
            for each in _flat(one):
                yield _Route(prefix + str(each.pattern))
        else:
            yield one


class _Route:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
