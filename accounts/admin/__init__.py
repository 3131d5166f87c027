from accounts.admin import people, site, tokens, trail, work

__all__ = ["people", "site", "tokens", "trail", "work"]
