"""What is answered where no view is: unknown addresses, bad requests and our own faults.

Programs (/api/, /crm/, /v2/ and its files) get what their API documents; customers get pages like
all of theirs; other people get a plain page, made without templates and database, which may be what
failed.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html

from portal.error_pages import error_page, is_of_customers

_PROGRAMS = ("/api/", "/crm/")
_FISCAL = (
    "/v2/",
    "/arquivos/",
    "/arquivos_development/",
    "/notas_fiscais/",
    "/notas_fiscais_consumidor/",
)
_PAGE = (
    '<!doctype html><html lang="pt-br"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>{}</title>'
    '<body style="font-family:sans-serif;margin:3rem auto;max-width:40rem;padding:0 1rem">'
    "<h1>{}</h1><p>{}</p></body></html>"
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_fiscal(request):
        return _fiscal(request, 400, "requisicao_invalida", "Requisição inválida.")
    if _is_program(request):
        return _empty(400)
    if is_of_customers(request):
        return error_page(request, 400)
    return _page(400, "Requisição inválida", "O navegador enviou algo que não entendemos.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_fiscal(request):
        return _fiscal(request, 403, "permissao_negada", "Sem permissão.")
    if _is_program(request):
        return _empty(403)
    if is_of_customers(request):
        return error_page(request, 403)
    return _page(403, "Sem permissão", "Sua conta não pode abrir esta página.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without our token: sent from another site, or after the session ended."""
    if _is_program(request):
        return _empty(403)
    if is_of_customers(request):
        return error_page(request, 400)
    return _page(403, "Formulário expirado", "Volte, recarregue a página e envie outra vez.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_fiscal(request):
        return _fiscal(request, 404, "nao_encontrado", "Endereço não encontrado.")
    if _is_program(request):
        return _empty(404)
    if is_of_customers(request):
        return error_page(request, 404)
    return _page(404, "Página não encontrada", "Confira o endereço.")


def server_error(request: HttpRequest) -> HttpResponse:
    """No detail, but the id under which the logs tell everything."""
    code = getattr(request, "request_id", "")
    text = f"Erro interno. Se precisar de ajuda, informe o código {code}."
    if _is_fiscal(request):
        return _fiscal(request, 500, "erro_interno", text)
    if _is_program(request):
        return _json(500, {"errors": text})
    if is_of_customers(request):
        return error_page(request, 500)
    return _page(500, "Algo deu errado", text)


def _is_program(request: HttpRequest) -> bool:
    return request.path_info.startswith(_PROGRAMS)


def _is_fiscal(request: HttpRequest) -> bool:
    return request.path_info.startswith(_FISCAL)


def _fiscal(request: HttpRequest, status: int, codigo: str, mensagem: str) -> HttpResponse:
    """As fiscal.api.errors has it, with the credits of the token where they were counted."""
    response = _json(status, {"codigo": codigo, "mensagem": mensagem})
    for name, value in getattr(request, "rate_headers", {}).items():
        response[name] = value
    return response


def _json(status: int, data: dict[str, str]) -> HttpResponse:
    return JsonResponse(data, status=status, json_dumps_params={"ensure_ascii": False})


def _empty(status: int) -> HttpResponse:
    return HttpResponse(status=status)


def _page(status: int, title: str, text: str) -> HttpResponse:
    return HttpResponse(format_html(_PAGE, title, title, text), status=status)
