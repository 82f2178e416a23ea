"""Which addresses checks and channels may connect to. Asked about the very address, after the name was looked up.

`PINGUIN_PRIVATE_TARGETS=deny` refuses whatever is not a public address; `PINGUIN_PRIVATE_NETWORKS` are exceptions.
Where clouds keep their machines' credentials is refused in any case, if it is no exception: nobody monitors that.

An address that stands for another one (IPv4 within IPv6, 6to4, Teredo, NAT64) is judged as that one too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pinguin.settings import Settings

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # most clouds
            "169.254.169.253", "169.254.169.123",  # Amazon: name servers, time
            "169.254.170.2", "169.254.170.23",  # Amazon: credentials of containers
            "169.254.42.42",  # Scaleway
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
            "168.63.129.16",  # Azure: the host, at an address that looks public
            "fd00:ec2::254", "fd00:ec2::23",  # Amazon
            "fd20:ce::254",  # Google
            "fd00:42::42",  # Scaleway
            "fe80::a9fe:a9fe",  # OpenStack
        ),
    )
)  # fmt: skip

PRIVATE = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
"""Of IPv4, what is not public: IANA's registry of special-purpose addresses, and multicast."""

GLOBAL = ip_network("2000::/3")
"""Of IPv6, all that is public, but for these:"""
SPECIAL = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "3fff::/20")))

_OWN_NAT64 = ip_network("64:ff9b:1::/48")
_EMBEDDING = (*map(ip_network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")), _OWN_NAT64)
"""IPv4 in the last 32 bits: compatible, mapped, translated, NAT64."""
_ISATAP = (0x5EFE, 0x2005EFE)
MOST_KEPT = 20_000


def in_words(host: str, what: str) -> str:
    """what: as `Guard.refusal` says it. The address stays unsaid: it is no business of whoever typed the name."""
    return f"{host} leads to {what}; whoever runs Pinguin can allow that with PINGUIN_PRIVATE_NETWORKS"


class Guard:
    """Remembers its verdicts: to ask again costs a look into a dictionary."""

    def __init__(self, *, deny: bool = False, allowed: Sequence[Network] = ()) -> None:
        self.deny = deny
        self._allowed = tuple(allowed)
        self._verdicts: dict[str, str] = {}

    @classmethod
    def of(cls, settings: Settings) -> Guard:
        return _guard(settings.private_targets == "deny", settings.private_networks)

    def refusal(self, ip: str) -> str:
        """What `ip` is, in words, where it may not be connected to; else "". ip: as the socket module writes it."""
        verdict = self._verdicts.get(ip)
        if verdict is None:
            if len(self._verdicts) >= MOST_KEPT:
                self._verdicts.clear()
            verdict = self._verdicts[ip] = self._judge(ip_address(ip.partition("%")[0]))
        return verdict

    def _judge(self, address: Ip) -> str:
        meant = [each for each in (address, *embedded(address)) if not self._is_allowed(each)]
        if not METADATA.isdisjoint(meant):
            return "the metadata of a cloud's machines"
        return "a private address" if self.deny and any(map(_is_private, meant)) else ""

    def _is_allowed(self, address: Ip) -> bool:
        return any(address in network for network in self._allowed)


@lru_cache(maxsize=16)
def _guard(deny: bool, networks: str) -> Guard:
    return Guard(deny=deny, allowed=[ip_network(item) for item in networks.split(",") if item])


def _is_private(address: Ip) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in PRIVATE)
    if any(True for _ in embedded(address)):  # it is judged as what it stands for
        return _is_local_prefix(address)
    return address not in GLOBAL or any(address in network for network in SPECIAL)


def _is_local_prefix(address: IPv6Address) -> bool:
    """A network's own NAT64, and ISATAP within a private network: they lead into it whatever they stand for."""
    interface = (int(address) >> 32) & 0xFFFFFFFF
    return address in _OWN_NAT64 or (interface in _ISATAP and address not in GLOBAL)


def embedded(address: Ip) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    last = IPv4Address(number & 0xFFFFFFFF)
    if any(address in network for network in _EMBEDDING) and number > 1:
        yield last
    elif address.sixtofour:
        yield address.sixtofour
    elif address.teredo:
        yield from address.teredo
    elif (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield last
