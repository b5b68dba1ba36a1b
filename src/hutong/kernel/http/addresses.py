"""Who calls: the client's address, with X-Forwarded-For believed from trusted proxies only.

Source: reference/reliability.md attack A4 (ASVS V4.1.3).
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"


class ClientAddress:
    """Tells a request's client address.

    Args:
        trusted: networks (CIDR) of the proxies in front.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(text, strict=False) for text in trusted)
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    def of(self, scope: Scope) -> str:
        """The nearest address that is not one of our proxies.

        IPv6 is cut to its /64, the unit that one household owns; IPv4 written as IPv6, as a socket for both says it, is IPv4.
        """
        client = scope.get("client")
        address = client[0] if client else UNKNOWN
        if self._trusted and self._is_trusted(address):
            for hop in reversed(_forwarded(scope)):
                if not _is_address(hop):
                    break  # whatever stands before it may be invented
                address = hop
                if not self._is_trusted(hop):
                    break
        return _grouped(address)

    def _look_up(self, address: str) -> bool:
        try:
            ip = _read(address)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)


def _forwarded(scope: Scope) -> list[str]:
    """All hops, of all lines: some proxies append to the header they were sent, others add one of their own below it."""
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for hop in ",".join(lines).split(",")] if lines else []


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _read(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address; `::ffff:192.0.2.1` is 192.0.2.1 (RFC 4291 §2.5.5.2)."""
    ip = ipaddress.ip_address(text)
    return (ip.version == 6 and ip.ipv4_mapped) or ip


@lru_cache(maxsize=4096)
def _grouped(address: str) -> str:
    if ":" not in address:
        return address
    try:
        ip = _read(address)
        return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip), 64), strict=False).network_address)
    except ValueError:
        return address
