"""/hooks/<uuid>: where providers tell us what happened at their side."""

from __future__ import annotations

import logging
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from billing.services import inbound
from billing.services.inbound import Forged, Posted
from lib.errors import NotFound

log = logging.getLogger(__name__)
MAX_BODY = 1_000_000  # bytes


@csrf_exempt
@require_http_methods(["POST", "PUT"])
def provider_hook(request: HttpRequest, hook: UUID, rest: str = "") -> JsonResponse:
    """200 once it is kept, or was before; 400 for what the provider did not say; 404, 413.

    Nothing is worked off here: the provider has its answer in milliseconds (ST-5).
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MAX_BODY:
        return JsonResponse({"erro": "O aviso é grande demais."}, status=413)
    posted = Posted(
        body=request.body,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.GET.dict(),
        rest=rest,
    )
    try:
        n_new = inbound.take_in(hook, posted)
    except NotFound:
        return JsonResponse({"erro": "Endereço desconhecido."}, status=404)
    except Forged as error:
        log.warning("hook.refused", extra={"hook": str(hook), "reason": str(error)})
        return JsonResponse({"erro": "O aviso não pôde ser verificado."}, status=400)
    return JsonResponse({"recebidos": n_new})
