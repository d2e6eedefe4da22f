"""Where the server listens: the address and port that were asked for, judged without a look-up."""

import ipaddress
import socket
from contextlib import suppress

from core.errors import InvalidSpecification

HERE = "127.0.0.1"
MOST_PORT = 65_535
BACKLOG = 2_048  # connections that wait to be taken
NOWHERE = ("192.0.2.1", 9)  # an address kept for examples (RFC 5737)


def address_of(host: str) -> str:
    """The numeric address that ``--host`` means. Raises InvalidSpecification for a name, which
    could only be known by asking others for it."""
    if host == "localhost":
        return HERE
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        raise InvalidSpecification(
            f"found --host {host!r:.60}; expected an address in numbers: 127.0.0.1 for this "
            "machine only, 0.0.0.0 for all that reach it, or one of its own"
        ) from None


def is_loopback(host: str) -> bool:
    """Whether this machine alone reaches the address."""
    return ipaddress.ip_address(host).is_loopback


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens there; without a port, or at 0, at one that is free.

    Raises InvalidSpecification for a port or an address that cannot be had.
    """
    if port is not None and not 0 <= port <= MOST_PORT:
        raise InvalidSpecification(
            f"found port {port}; expected 1 to {MOST_PORT:,}: leave --port out and a free one is "
            "chosen"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listening.bind((host, port or 0))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise InvalidSpecification(
            f"found {host} port {port or 'of its own choice'} not usable "
            f"({error.strerror or error}); expected an address of this machine and a free port: "
            "leave --port out and a free one is chosen"
        ) from None
    return listening


def outward_address(host: str) -> str:
    """The address to tell others: of a server on all of them, the one that faces outwards.

    The routing table knows it; a datagram socket that is only connected sends nothing.
    """
    if not ipaddress.ip_address(host).is_unspecified:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
        asking.connect(NOWHERE)
        return str(asking.getsockname()[0])
    return HERE


def url_of(host: str, port: int) -> str:
    """
    >>> url_of("::1", 8501), url_of("127.0.0.1", 80)
    ('http://[::1]:8501', 'http://127.0.0.1:80')
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
