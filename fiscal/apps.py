from django.apps import AppConfig


class FiscalConfig(AppConfig):
    name = "fiscal"
    verbose_name = "Emissão fiscal"

    def ready(self) -> None:
        """A worker of the queue is ready for documents before it takes its first task."""
        from django_q.signals import post_spawn

        from fiscal.warming import load

        post_spawn.connect(load, dispatch_uid="fiscal.warming")
