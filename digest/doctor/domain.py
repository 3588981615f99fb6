"""Is the sending domain ready? SPF (RFC 7208), DKIM (6376), DMARC (7489), MX and PTR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol

from digest.doctor import Finding, State
from digest.errors import DigestError

_SPF_LOOKUPS = 10  # RFC 7208 §4.6.4


class Lookup(Protocol):
    """What answers questions about names: `digest.doctor.resolver.Resolver`."""

    def txt(self, name: str) -> list[str]: ...
    def mx(self, name: str) -> list[str]: ...
    def addresses(self, name: str) -> list[str]: ...
    def names(self, address: str) -> list[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How mail leaves here, as far as DNS has to know of it."""

    domain: str  #: of From
    envelope_domain: str  #: of the envelope sender
    server: str  #: the host we hand mail to
    keys: tuple[tuple[str, str, str], ...] = ()  #: of DKIM: domain, name in DNS, the record's text


def examine(ask: Lookup, sending: Sending) -> list[Finding]:
    """Look at all that DNS should say of a sending domain. A question without an answer costs only itself."""
    looks: list[tuple[str, Callable[[], Finding]]] = [
        (f"SPF of {sending.envelope_domain}", partial(_spf, ask, sending)),
        *(
            (f"DKIM key {name}", partial(_dkim, ask, sending, domain, name, record))
            for domain, name, record in sending.keys
        ),
        (f"DMARC of {sending.domain}", partial(_dmarc, ask, sending)),
        (f"MX of {sending.envelope_domain}", partial(_mx, ask, sending)),
        (f"PTR of {sending.server}", partial(_ptr, ask, sending)),
    ]
    if not sending.keys:
        looks.insert(1, ("DKIM", _no_dkim))
    found = []
    for subject, look in looks:
        try:
            found.append(look())
        except DigestError as error:
            found.append(Finding(subject=subject, state=State.UNKNOWN, told=str(error)))
    return found


def _spf(ask: Lookup, sending: Sending) -> Finding:
    domain = sending.envelope_domain
    told = partial(Finding, subject=f"SPF of {domain}")
    found = [text for text in ask.txt(domain) if text.lower().split(" ")[0] == "v=spf1"]
    addresses = _public(ask, sending.server)
    own = " ".join(f"ip{ip_address(each).version}:{each}" for each in addresses)
    if not found:
        return told(
            state=State.WRONG,
            told="there is none: nobody can tell your mail from forged mail",
            cure="put this into DNS, with whatever your mail provider says instead of the addresses",
            dns=f'{domain}. IN TXT "v=spf1 {f"{own} " if own else "mx "}-all"',
        )
    if len(found) > 1:
        return told(
            state=State.WRONG,
            told=f"there are {len(found)}, which is as bad as none: {' | '.join(found)}",
            cure="join them into one record",
        )
    networks, lookups = _allowed(ask, domain, found[0])
    if lookups > _SPF_LOOKUPS:
        return told(
            state=State.WRONG,
            told=f"it needs {lookups} lookups, and receivers stop at {_SPF_LOOKUPS}: {found[0]}",
            cure="take out what no longer sends for you",
        )
    if found[0].lower().split()[-1] == "+all":
        return told(
            state=State.ADVICE, told=f"it allows everybody: {found[0]}", cure="end it with -all"
        )
    outside = [each for each in addresses if not any(ip_address(each) in net for net in networks)]
    if outside:
        return told(
            state=State.UNKNOWN,
            told=f"it does not name {sending.server} ({', '.join(outside)}): {found[0]}",
            cure="that is right only if this server hands mail on through others that it names",
        )
    return told(state=State.GOOD, told=found[0])


def _allowed(
    ask: Lookup, domain: str, record: str, depth: int = 0
) -> tuple[list[IPv4Network | IPv6Network], int]:
    """The addresses that a record lets pass, and how many lookups finding them takes."""
    networks: list[IPv4Network | IPv6Network] = []
    lookups = 0
    for term in record.lower().split()[1:]:
        name, _, value = term.lstrip("+").replace("redirect=", "include:").partition(":")
        if name in ("ip4", "ip6"):
            try:
                networks.append(ip_network(value, strict=False))
            except ValueError:
                raise DigestError(f"SPF of {domain}: {term} is no address: {record}") from None
            continue
        if name.partition("/")[0] in ("a", "mx", "include", "exists", "ptr"):
            lookups += 1
        if name in ("a", "mx"):
            hosts = ask.mx(value or domain) if name == "mx" else [value or domain]
            found = [each for host in hosts for each in ask.addresses(host)]
            networks += map(ip_network, found)
        if name == "include" and depth < _SPF_LOOKUPS:
            for text in ask.txt(value):
                if text.lower().startswith("v=spf1"):
                    more, deeper = _allowed(ask, value, text, depth + 1)
                    networks += more
                    lookups += deeper
    return networks, lookups


def _no_dkim() -> Finding:
    return Finding(
        subject="DKIM",
        state=State.UNKNOWN,
        told="digest does not sign; your mail server has to",
        cure="digest send-test ADDRESS, and look for a DKIM-Signature in what comes; "
        "where there is none: digest dkim-key",
    )


def _dkim(ask: Lookup, sending: Sending, domain: str, name: str, record: str) -> Finding:
    told = partial(Finding, subject=f"DKIM key {name}", dns=zone_line(name, record))
    tags = [_tags(text) for text in ask.txt(name)]
    published = {each["p"] for each in tags if "p" in each}
    if not published:
        return told(
            state=State.WRONG,
            told="its public half is not in DNS: our signatures count as broken",
            cure="put this into DNS",
        )
    if published != {_tags(record)["p"]}:
        return told(
            state=State.WRONG,
            told="DNS has another key: our signatures count as broken",
            cure="put this into DNS instead",
        )
    if not _aligned(domain, sending.domain):
        return told(
            state=State.ADVICE,
            told=f"it signs for {domain}, and mail is from {sending.domain}: DMARC does not count it",
            cure="sign for the domain of From",
            dns="",
        )
    return told(state=State.GOOD, told="DNS has our key", dns="")


def zone_line(name: str, record: str) -> str:
    """Write a TXT record for a zone file, in strings of at most 255 characters (RFC 1035 §3.3.14)."""
    strings = " ".join(f'"{record[at : at + 250]}"' for at in range(0, len(record), 250))
    return f"{name}. IN TXT ( {strings} )"


def _dmarc(ask: Lookup, sending: Sending) -> Finding:
    told = partial(Finding, subject=f"DMARC of {sending.domain}")
    labels = sending.domain.split(".")
    for start in range(len(labels) - 1):  # a domain without one has its parent's
        texts = ask.txt("_dmarc." + ".".join(labels[start:]))
        found = [text for text in texts if text.startswith("v=DMARC1")]
        if not found:
            continue
        policy = _tags(found[0]).get("p", "")
        if len(found) > 1 or policy not in ("none", "quarantine", "reject"):
            wrong = "there are two" if len(found) > 1 else "it has no p="
            return told(
                state=State.WRONG,
                told=f"{wrong}, so it does not count: {' | '.join(found)}",
                cure="keep one, with p=none, p=quarantine or p=reject",
            )
        return told(state=State.GOOD, told=found[0])
    return told(
        state=State.ADVICE,
        told="there is none; Gmail, Yahoo and Outlook demand one of whoever sends much",
        cure="put this into DNS",
        dns=f'_dmarc.{sending.domain}. IN TXT "v=DMARC1; p=none"',
    )


def _mx(ask: Lookup, sending: Sending) -> Finding:
    domain = sending.envelope_domain
    told = partial(Finding, subject=f"MX of {domain}")
    hosts = ask.mx(domain)
    if not hosts and ask.addresses(domain):
        return told(
            state=State.ADVICE,
            told="there is none; bounces go to the domain's own address",
            cure="name the server that takes its mail",
            dns=f"{domain}. IN MX 10 mail.{domain}.",
        )
    if not hosts or "" in hosts:
        return told(
            state=State.WRONG,
            told="the domain takes no mail: bounces and answers are lost, and many refuse such senders",
            cure="name the server that takes its mail",
            dns=f"{domain}. IN MX 10 mail.{domain}.",
        )
    lost = [host for host in hosts if not ask.addresses(host)]
    if lost:
        return told(
            state=State.WRONG if lost == hosts else State.ADVICE,
            told=f"{', '.join(lost)} has no address",
            cure="correct the name, or give it an A record",
        )
    return told(state=State.GOOD, told=", ".join(hosts))


def _ptr(ask: Lookup, sending: Sending) -> Finding:
    told = partial(Finding, subject=f"PTR of {sending.server or 'the mail server'}")
    addresses = _public(ask, sending.server)
    if not addresses:
        return told(
            state=State.UNKNOWN,
            told="from here we do not see the address that mail leaves from",
            cure="whoever runs that server gives its address a name (PTR) that leads back to it",
        )
    for address in addresses:
        names = ask.names(address)
        if not any(address in ask.addresses(name) for name in names):
            return told(
                state=State.ADVICE,
                told=f"{address} is called {' or '.join(names)}, which is another address"
                if names
                else f"{address} has no name",
                cure="whoever gave you the address can set it; Gmail refuses mail from one without",
            )
    return told(state=State.GOOD, told=", ".join(addresses))


def _public(ask: Lookup, host: str) -> list[str]:
    """The addresses of a host that others can see; none for this machine."""
    try:
        found = [str(ip_address(host))]
    except ValueError:
        found = ask.addresses(host) if host and host != "localhost" else []
    return [each for each in found if not ip_address(each).is_loopback]


def _aligned(one: str, other: str) -> bool:
    """Relaxed alignment, but for the list of public suffixes: one is the other, or a part of it."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in pairs if name.strip()}
