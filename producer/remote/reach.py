"""Which addresses may be connected to: those of the internet, others only where that is allowed.

Whoever names an address may not be who runs this host. So what it may reach is decided for the
socket, where the name has been looked up: names that lead into the building, redirects that do,
and names that are looked up twice with two answers all end there.
"""

import socket
from errno import EACCES
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from models.config import SourcesConfig
from producer.places import NotFetched
from producer.remote.access import Access, MayReach

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` gives it."""

_NAT64 = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = (
    IPv6Network("::/96"),  # IPv4 in the form of RFC 4291, section 2.5.5.1
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of a building (RFC 8215)
    IPv6Network("fec0::/10"),  # of a site (RFC 3879)
)
"""Which `ipaddress` does not count as private."""
_SAID = "it leads to an address of a private network"


def reach(access: Access) -> MayReach:
    """The rule that counts."""
    return access.may_reach or ((lambda _: True) if access.config.private else is_public)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, also where another one stands in it."""
    found = ip_address(address.partition("%")[0])
    return _is_global(_inner(found)) and _is_global(found)


def _is_global(found: IPv4Address | IPv6Address) -> bool:
    held_back = any(found in network for network in _NOT_PUBLIC)
    return found.is_global and not found.is_multicast and not held_back


def _inner(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address leads to: mapped, 6to4, Teredo or NAT64."""
    if isinstance(found, IPv4Address):
        return found
    if found in _NAT64:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or (found.teredo or (None, found))[1] or found


class Sockets:
    """Makes the sockets to addresses that were just looked up: nothing is looked up again behind
    it."""

    def __init__(self, may_reach: MayReach) -> None:
        self._may_reach = may_reach

    def __call__(self, address: AddressInfo) -> socket.socket:
        """A socket that is not connected. Raises PermissionError."""
        family, kind, protocol, _, where = address
        if not self._may_reach(str(where[0])):
            raise PermissionError(EACCES, _SAID)
        return socket.socket(family, kind, protocol)

    def connected(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A socket to a server, whichever of its addresses answers. Raises OSError."""
        failed = OSError(f"{host} has no address")
        for address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                made = self(address)
            except OSError as exc:
                failed = exc
                continue
            try:
                made.settimeout(timeout_s)
                made.connect(address[4])
                return made
            except OSError as exc:
                made.close()
                failed = exc
        raise failed


def not_connected(why: OSError) -> NotFetched:
    """What is said where no server was reached."""
    if _SAID in str(why):
        allowed = "`[sources] private = true` in docmill.toml allows that"
        return NotFetched("private_address", f"{_SAID}; {allowed}")
    return NotFetched("not_fetched", f"nobody answers ({why.strerror or why})")


def refuse_open_text(scheme: str, encrypted: str, config: SourcesConfig) -> None:
    """Text that is not encrypted on its way is for the building only. Raises NotFetched."""
    if scheme != encrypted and not config.private:
        where = "where `[sources] private = true` in docmill.toml"
        why = f"only {encrypted} is read, and {scheme} {where}"
        raise NotFetched("unsupported_source", why)
