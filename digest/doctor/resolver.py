"""Questions to DNS, answered as plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.exception
import dns.resolver
import dns.reversename

from digest.errors import DigestError


class LookupFailedError(DigestError):
    """DNS gave no answer."""


class Resolver:
    """Asks the system's name servers, or one that is named."""

    def __init__(self, server: str = "") -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=not server)
        except dns.exception.DNSException as error:
            raise LookupFailedError(f"this machine has no name server: {error}") from error
        self._resolver.lifetime = 10
        if server:
            host, _, port = server.rpartition(":")
            self._resolver.nameservers, self._resolver.port = [host], int(port)

    def txt(self, name: str) -> list[str]:
        """Give the texts at a name, each in one piece."""
        return self._ask(
            name, "TXT", lambda each: b"".join(each.strings).decode("utf-8", "replace")
        )

    def mx(self, name: str) -> list[str]:
        """Name who takes mail for a domain, the preferred first; "" is nobody (RFC 7505)."""
        found = self._ask(
            name, "MX", lambda each: (each.preference, str(each.exchange).rstrip("."))
        )
        return [host for _, host in sorted(found)]

    def addresses(self, name: str) -> list[str]:
        """Give the addresses of a host, IPv4 and IPv6."""
        return [
            each
            for kind in ("A", "AAAA")
            for each in self._ask(name, kind, lambda a: str(a.address))
        ]

    def names(self, address: str) -> list[str]:
        """Give the names of an address."""
        reverse = str(dns.reversename.from_address(address))
        return self._ask(reverse, "PTR", lambda each: str(each.target).rstrip("."))

    def _ask(self, name: str, kind: str, read: Callable[[Any], Any]) -> list[Any]:
        try:
            return [read(each) for each in self._resolver.resolve(name, kind, search=False)]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise LookupFailedError(f"DNS says nothing of {name}: {error}") from error
