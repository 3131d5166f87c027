"""Which network addresses a URL given by a user may lead to: public ones, and nothing else."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# Ranges whose last bits are an IPv4 address that a translator would go to.
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291, deprecated
# RFC 3849, RFC 9637, and RFC 9602, which older tables of the standard library lack.
_RESERVED = tuple(map(IPv6Network, ("2001:db8::/32", "3fff::/20", "5f00::/16")))
_RELAYS = IPv4Network("192.88.99.0/24")  # RFC 7526: of 6to4, deprecated


def is_public(text: str) -> bool:
    """Is `text`, an IP address, one that the whole Internet reaches?

    Private, loopback, link-local, shared, multicast and reserved ones are not, and neither is an
    IPv6 form of such an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64).
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id or address.is_site_local or address in _NAT64_LOCAL:
            return False
        if any(address in network for network in _RESERVED):
            return False
        inner = _embedded(address)
        if inner is not None:
            return all(map(_is_open, inner))
    return _is_open(address)


def _is_open(address: Address) -> bool:
    closed = (
        address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_private
        or address in _RELAYS
    )
    return address.is_global and not closed


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...] | None:
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    return None
