"""How often one network may ask. Kept in memory, bounded, and forgotten with the process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from ipaddress import IPv4Address, ip_address, ip_network

_NETWORKS = 10_000  # remembered; the one that asked longest ago is forgotten first
_WIDER = (
    10  # times what one network may, all of an IPv6 /48 may: it is one customer's, or one site's
)
_ALL = "*"


def network(host: str) -> str:
    """Name the network of an address: /24 of IPv4, /64 of IPv6, what one household or office has.

    An address that is none, as of a socket in the file system, is a network by itself.
    """
    return _networks(host)[0]


def _networks(host: str) -> list[str]:
    """Name the network of an address, and the /48 around one of IPv6."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return [host]
    mapped = None if isinstance(address, IPv4Address) else address.ipv4_mapped
    address = mapped or address
    sizes = (24,) if isinstance(address, IPv4Address) else (64, 48)
    return [str(ip_network(f"{address}/{size}", strict=False)) for size in sizes]


class Limit:
    """So many in an hour, at once or spread; the generic cell rate algorithm (ITU-T I.371)."""

    def __init__(self, per_hour: int, of_all: int = 0) -> None:
        """Allow ``per_hour`` to each network, and to all of them together ``of_all``; 0 for any number."""
        self._apart = 3600 / per_hour  # seconds
        self._all_apart = 3600 / of_all if of_all else 0.0
        self._free_at: OrderedDict[str, float] = OrderedDict()  # when all would be allowed again
        self._lock = threading.Lock()

    def wait(self, host: str, now: float) -> int:
        """Count one more of this address's network; tell how many seconds it must wait, 0 for none."""
        apart = dict(zip(_networks(host), (self._apart, self._apart / _WIDER), strict=False))
        if self._all_apart:
            apart[_ALL] = self._all_apart
        with self._lock:
            free_at = {
                key: max(self._free_at.get(key, now), now) + more for key, more in apart.items()
            }
            early = max(free_at.values()) - now - 3600
            if early > 1e-6:  # sums of seconds are not exact
                return int(early) + 1
            for key, at in free_at.items():
                self._free_at[key] = at
                self._free_at.move_to_end(key)
            while len(self._free_at) > _NETWORKS:
                self._free_at.popitem(last=False)
        return 0
