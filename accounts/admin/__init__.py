from accounts.admin import people, site, tokens, trail, webhook_log, webhooks, work

__all__ = ["people", "site", "tokens", "trail", "webhook_log", "webhooks", "work"]
