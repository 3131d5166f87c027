from fiscal.admin import authorities, certificates, companies, documents, hooks, mail

__all__ = ["authorities", "certificates", "companies", "documents", "hooks", "mail"]
