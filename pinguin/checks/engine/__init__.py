"""What check types share: looking up names, connecting, TLS, HTTP/1.1, ICMP. No module here is a check type."""
