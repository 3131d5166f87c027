from fiscal.admin import authorities, certificates, companies, documents, hooks

__all__ = ["authorities", "certificates", "companies", "documents", "hooks"]
