from fiscal.admin import authorities, certificates, companies, documents

__all__ = ["authorities", "certificates", "companies", "documents"]
