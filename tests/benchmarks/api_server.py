"""The product as served, with one page more: the fixed payload that lists are measured against."""

from __future__ import annotations

import json
import os
from pathlib import Path

from benchmarks.lab import set_up

set_up()

from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

PAYLOAD = json.loads(Path(os.environ["BENCH_PAYLOAD"]).read_text(encoding="utf-8"))


class FixedView(APIView):
    """The least that the framework can do for a list: no token, no database, the same answer."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response(PAYLOAD)


urlpatterns = [path("fixed", FixedView.as_view()), path("", include("config.urls"))]
settings.ROOT_URLCONF = "benchmarks.api_server"
application = get_wsgi_application()
