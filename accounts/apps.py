from django.apps import AppConfig

from lib import postgres


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Contas e acessos"

    def ready(self) -> None:
        postgres.install()
