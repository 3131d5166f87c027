from typing import Any

from django.apps import AppConfig


class FiscalConfig(AppConfig):
    name = "fiscal"
    verbose_name = "Emissão fiscal"

    def ready(self) -> None:
        """A worker of the queue is ready for documents before it takes its first task."""
        from django_q.signals import post_spawn

        post_spawn.connect(_prepare, dispatch_uid="fiscal.warming")


def _prepare(**_: Any) -> None:
    from fiscal import warming
    from lib import interpreter

    warming.load()
    interpreter.settle()
