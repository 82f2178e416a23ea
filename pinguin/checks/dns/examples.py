"""What a DNS check may look like."""

from __future__ import annotations

from pinguin.fields import Examples

EXAMPLES: Examples = [
    ("A name that has an address.", {"name": "example.org"}),
    (
        "These mail servers and no others, asked of one name server.",
        {
            "name": "example.org",
            "record_type": "MX",
            "expected": ["10 mx1.example.org.", "20 mx2.example.org."],
            "match": "exact",
            "resolver": "192.0.2.53",
        },
    ),
    (
        "The same serial on all servers of a zone.",
        {
            "name": "example.org",
            "record_type": "SOA",
            "resolver": "ns1.example.org",
            "compare_with": ["ns2.example.org", "ns3.example.org"],
            "recursion": False,
            "require_aa": True,
        },
    ),
    (
        "Over TLS, with DNSSEC verified.",
        {"name": "example.org", "resolver": "dns.example.org", "transport": "tls", "require_ad": True},
    ),
    ("A name that must not exist.", {"name": "old.example.org", "rcode": "NXDOMAIN"}),
]
