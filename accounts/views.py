"""Health pages: for load balancers, monitors and the supervisor."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.http import HttpRequest, JsonResponse

from accounts.models import Heartbeat
from accounts.tasks import WORKER
from lib import clock

STALLED_AFTER = timedelta(minutes=5)


def health_check(request: HttpRequest) -> JsonResponse:
    """The web process answers and its database too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


def worker_health(request: HttpRequest) -> JsonResponse:
    """503 "stalled" when the workers gave no sign for five minutes; "unknown" before the first."""
    beat = Heartbeat.objects.filter(name=WORKER).first()
    if beat is None:
        return JsonResponse({"status": "unknown"})
    age = clock.now() - beat.at
    stalled = age > STALLED_AFTER
    body = {"status": "stalled" if stalled else "ok", "age_seconds": int(age.total_seconds())}
    return JsonResponse(body, status=503 if stalled else 200)
