"""Photos from the web: redirects are followed one by one, and not to where they may not lead."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from hotelviz.errors import RemoteError

#: May say that servers may send on to this machine and its network.
ALLOW_VARIABLE = "HOTELVIZ_ALLOW_PRIVATE_REDIRECTS"
#: Redirects that are followed.
_HOPS = 5
#: IPv6 networks whose addresses hold an IPv4 one: its bits from the right.
_EMBEDDED = (
    (ipaddress.ip_network("::ffff:0:0/96"), 0),
    (ipaddress.ip_network("64:ff9b::/96"), 0),
    (ipaddress.ip_network("::/96"), 0),
    (ipaddress.ip_network("2002::/16"), 80),
)


async def stream(system: Any, url: str, bound: int, private: bool | None) -> bytes:
    """Read a web page's bytes up to one more than the bound: a server may send without end.

    Parameters
    ----------
    system
        fsspec's file system of the web, with the user's settings.
    url
        Where to begin; this address itself may be anywhere.
    bound
        Bytes.
    private
        Whether redirects may lead to this machine or its network; None asks `ALLOW_VARIABLE`.
    """
    if private is None:
        private = os.environ.get(ALLOW_VARIABLE, "") not in {"", "0"}
    session = await system.set_session()
    at = str(system.encode_url(url))
    async with AsyncExitStack() as stack:
        for hop in range(_HOPS + 1):
            if hop == 1 and not private:
                connector = aiohttp.TCPConnector(resolver=_PublicResolver())
                session = await stack.enter_async_context(
                    aiohttp.ClientSession(connector=connector)
                )
            try:
                async with session.get(system.encode_url(at), allow_redirects=False) as response:
                    if not 300 <= response.status < 400 or "Location" not in response.headers:
                        return await _body(response, bound)
                    at = urljoin(at, response.headers["Location"])
            except _PrivateHostError as error:
                raise _refused(str(error)) from None
            _check_hop(at, private)
    raise RemoteError(f"sends on more than {_HOPS} times")


def _check_hop(url: str, private: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise RemoteError(f"sends on to {parts.scheme or 'nowhere'}:, which is refused")
    if private:
        return
    host = (parts.hostname or "").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(host))  # 2130706433, 127.1, 0177.0.0.1
        except OSError:
            return  # A name: the resolver looks at what it leads to.
    if not _is_public(address):
        raise _refused(str(parts.hostname))


def _refused(host: str) -> RemoteError:
    return RemoteError(
        f"sends on to {host}, which is this machine or its own network: refused; set "
        f"{ALLOW_VARIABLE}=1 if that is meant"
    )


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        for network, shift in _EMBEDDED:
            if address in network:
                return _is_public(ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast


class _PrivateHostError(Exception):
    """A name leads to this machine or its network; no OSError, or it would be tried again."""


class _PublicResolver(ThreadedResolver):
    """A resolver that refuses addresses that are not public."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        for one in found:
            if not _is_public(ipaddress.ip_address(one["host"].partition("%")[0])):
                raise _PrivateHostError(host)
        return found


async def _body(response: aiohttp.ClientResponse, bound: int) -> bytes:
    if response.status in {401, 403}:
        raise PermissionError(errno.EACCES, f"status {response.status}")
    if response.status in {404, 410}:
        raise FileNotFoundError(errno.ENOENT, "missing")
    if response.status >= 500 or response.status == 429:
        raise OSError(f"the server answers with status {response.status}")
    if response.status >= 300:
        raise RemoteError(f"the server answers with status {response.status}")
    data = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > bound:
            break
    kind = response.content_type
    if bytes(data[:64]).lstrip()[:1] in {b"<", b"{"} and not kind.startswith("image/"):
        # A page to log in, or an error that does not say so: nothing of the photo.
        raise RemoteError(f"the server answers with {kind}, not with a photo")
    return bytes(data)
