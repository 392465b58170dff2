"""The protocol version this package speaks, and what it agrees to speak with."""

PROTOCOL_VERSION = "1.0"
SUPPORTED_VERSIONS = (PROTOCOL_VERSION,)
PACKAGE_VERSION = "0.1.0"
