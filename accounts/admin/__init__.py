from accounts.admin import people, sign_in, site, tokens, trail, webhook_log, webhooks, work

__all__ = ["people", "sign_in", "site", "tokens", "trail", "webhook_log", "webhooks", "work"]
