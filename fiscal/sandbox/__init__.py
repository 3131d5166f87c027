"""The authority we can always reach: a server of its own that checks like the real ones.

It speaks the wire protocols of SEFAZ, SVC and the Ambiente Nacional over mutual TLS (guide §20).
The product reaches it only by configuration of addresses and trust anchors, and the two share the
official XSD files, the published address table and nothing that builds, signs or checks.
NFS-e, ABRASF and national, is not spoken here yet.
"""
