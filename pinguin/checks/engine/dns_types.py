"""The record types that can be asked for, by name: the usual ones first, then all others that dnspython knows."""

from __future__ import annotations

from typing import Literal

# fmt: off
RecordType = Literal[
    "A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT",
    "A6", "AFSDB", "AMTRELAY", "APL", "AVC", "CDNSKEY", "CDS", "CERT", "CSYNC", "DHCID", "DLV", "DNAME", "DNSKEY", "DS",
    "DSYNC", "EUI48", "EUI64", "GPOS", "HINFO", "HIP", "HTTPS", "IPSECKEY", "ISDN", "KEY", "KX", "L32", "L64", "LOC",
    "LP", "MB", "MD", "MF", "MG", "MINFO", "MR", "NAPTR", "NID", "NINFO", "NSAP", "NSAP-PTR", "NSEC", "NSEC3",
    "NSEC3PARAM", "NULL", "NXT", "OPENPGPKEY", "PX", "RESINFO", "RP", "RRSIG", "RT", "SIG", "SMIMEA", "SPF", "SSHFP",
    "SVCB", "TA", "TLSA", "UNSPEC", "URI", "WALLET", "WKS", "X25", "ZONEMD",
]
# fmt: on
