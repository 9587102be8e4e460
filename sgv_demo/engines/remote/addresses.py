"""Addresses of servers: what is one, and which lie inside this network."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from urllib.parse import urlsplit

import httpx2

from sgv_demo.errors import EngineError, SettingsError


def checked(url: str) -> str:
    """
    Raises:
        SettingsError: not http or https, no host, or with a password in it.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable:
        raise SettingsError(f"{url[:80]!r} is no server's address; give one like http://127.0.0.1:8000/v1.")
    if parts.username or parts.password:
        raise SettingsError("A server's address must not hold a password; put the key into SGV_API_KEY.")
    # People paste the address of an endpoint; the paths are added when one is asked.
    return re.sub(r"/(?:chat/)?(?:completions|models)/*$", "", url.rstrip("/")).rstrip("/")


def checked_key(key: str) -> str:
    """
    Raises:
        SettingsError: it holds what no key holds, such as the quotes that a text processor makes.
    """
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(
            "The key in SGV_API_KEY holds characters that no key has, such as typographic quotes; copy it again."
        )
    return key


class OutsideOnly(httpx2.AsyncHTTPTransport):
    """Connects to public addresses alone: each name is resolved once, checked, and connected to by that number, so
    that neither a redirect nor a second look-up leads inside."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        address = await asyncio.to_thread(public_address, host, request.url.port or 443)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return await super().handle_async_request(request)


def public_address(host: str, port: int) -> str:
    """The first address of `host`, all of whose addresses are public.

    Raises:
        EngineError: one of them is inside (loopback, private, link-local, …), or there is none.
    """
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise EngineError(f"The server {host} can't be found; check its address.") from error
    if not found or not all(is_public(text) for text in found):
        raise EngineError(f"The server {host} lies inside this network; only public addresses may be given here.")
    return sorted(found)[0]


def is_public(text: str) -> bool:
    """Whether an address lies outside, and so does every IPv4 address that a gateway would read out of it."""
    try:
        number = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    inner = _inner(number) if isinstance(number, ipaddress.IPv6Address) else []
    # What carries an inner address is judged by that one alone where it is nothing but its wrapping (::ffff:…).
    outer = [] if isinstance(number, ipaddress.IPv6Address) and number.ipv4_mapped else [number]
    return all(address.is_global and not address.is_multicast for address in (*outer, *inner))


def _inner(number: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses in one of IPv6: mapped, compatible, translated, NAT64 (RFC 6052, 8215), 6to4, Teredo, ISATAP."""
    low = ipaddress.IPv4Address(int(number) & 0xFFFF_FFFF)
    found = [address for address in (number.ipv4_mapped, number.sixtofour, *(number.teredo or ())) if address]
    if any(number in network for network in _LOW) or (int(number) >> 32) & 0xFCFF_FFFF == 0x5EFE:
        found.append(low)
    return found


_LOW = [ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")]
"""Networks whose addresses hold one of IPv4 in their last 32 bits."""
