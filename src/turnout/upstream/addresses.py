"""Which internet addresses the gateway may connect to on a caller's word.

A caller who names a host makes the gateway connect from where it stands: inside a network whose other machines trust it, beside a
metadata service that hands out credentials. So an address passes only if it is known to be public: IPv4 outside every
special-purpose block, IPv6 inside the global unicast block and outside the special ones in it. Addresses that carry another address
inside (IPv4-mapped, NAT64) are judged by that one; tunnels (6to4, Teredo) are refused, as nobody serves media through one.

The blocks are written out rather than taken from `ipaddress.is_global`, whose idea of them differs between versions of Python.
Pure: no resolver, no socket.
"""

from __future__ import annotations

import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_SPECIAL_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; holds the metadata service of one cloud
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, at an address that looks public
        "169.254.0.0/16",  # link-local; most metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; one more metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NEVER = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "fd00:ec2::/32",
        "fe80::/10",
        "ff00::/8",
    )
)


def is_public(address: IPAddress) -> bool:
    """May a caller's URL lead here?"""
    plain = _plain(address)
    if isinstance(plain, ipaddress.IPv4Address):
        return not any(plain in block for block in _SPECIAL_4)
    return plain in _GLOBAL_6 and not any(plain in block for block in _SPECIAL_6)


def is_usable_inside(address: IPAddress) -> bool:
    """May a URL to a host that the operator vouches for lead here? Anywhere but to metadata, link-local and multicast."""
    plain = _plain(address)
    return not any(plain.version == block.version and plain in block for block in _NEVER)


def _plain(address: IPAddress) -> IPAddress:
    """The address that packets will carry in the end."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return ipaddress.IPv6Address(int(address))  # without its zone, which no block knows
