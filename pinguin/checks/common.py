"""Options that several check types have, each with its words and limits once: `slow_ms: SlowMs = 0`."""

from __future__ import annotations

from typing import Annotated, Any

from pinguin.checks.engine import resolve, secure
from pinguin.checks.verdict import wrong_host
from pinguin.fields import field

Host = Annotated[
    str, field("Host", "A name or an address.", placeholder="db.example.org", min_length=1, max_length=253)
]
Port = Annotated[int, field("Port", ge=1, le=65535)]
SlowMs = Annotated[
    int, field("Slow above", "A check that takes longer is degraded. 0 is no limit.", unit="ms", ge=0, le=600_000)
]
AdvancedSlowMs = Annotated[
    int,
    field(
        "Slow above",
        "A check that takes longer is degraded. 0 is no limit.",
        unit="ms",
        advanced=True,
        ge=0,
        le=600_000,
    ),
]
CertificateDays = Annotated[
    int,
    field(
        "Warn before the certificate ends",
        "With fewer days left, of it or of one above it, the monitor is degraded. 0 turns this off.",
        unit="days",
        advanced=True,
        ge=0,
        le=365,
    ),
]
VerifyTls = Annotated[bool, field("Verify the certificate", "Its authority, its dates and its names.", advanced=True)]
Authorities = Annotated[
    str,
    field(
        "Own authorities",
        "Certificates in PEM form, trusted beside the system's.",
        widget="textarea",
        advanced=True,
        max_length=100_000,
    ),
]
ServerName = Annotated[
    str,
    field(
        "Server name",
        "Asked for in TLS (SNI), and the name that the certificate must be for. Empty: the host.",
        placeholder="www.example.org",
        advanced=True,
        max_length=253,
    ),
]
TlsMinimum = Annotated[
    secure.TlsVersion, field("Oldest TLS version", "A server that speaks only older ones is down.", advanced=True)
]
ClientCertificate = Annotated[
    str,
    field(
        "Client certificate",
        "In PEM form, with those above it, for servers that demand one.",
        widget="textarea",
        advanced=True,
        max_length=100_000,
    ),
]
ClientKey = Annotated[
    str,
    field(
        "Client key",
        "The certificate's private key in PEM form, not encrypted.",
        widget="textarea",
        secret=True,
        advanced=True,
        max_length=20_000,
    ),
]
IpVersion = Annotated[resolve.IpVersion, field("IP version", "Which addresses of the name to use.", advanced=True)]


def wrong_tls(options: Any) -> dict[str, str | None]:
    """What is wrong with those of the options above that are about TLS, by name."""
    name = options.server_name
    identity = (getattr(options, "client_certificate", ""), getattr(options, "client_key", ""))
    return {
        "ca_certificates": secure.wrong_pem(options.ca_certificates),
        "server_name": wrong_host(name) if name else None,
        **secure.wrong_identity(*identity),
    }
