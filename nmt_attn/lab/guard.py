"""Guard: what stands before the lab's server. Who may ask, how much, and with which headers it is answered.

Host is checked, as a page of another name may point it at this address (DNS rebinding); Origin, as a page of another
site may post here; on an address that others reach, a token.
"""

import asyncio
import hmac
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nmt_attn.lab.batcher import Limits
from nmt_attn.lab.requests import MAX_BODY_BYTES

LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN_PATHS = ("/healthz", "/")
"""What needs no token: nothing of a model is in it. Nor do the files of the page."""
TOO_LARGE = f"body: expected at most {MAX_BODY_BYTES} bytes, got more"
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RefusedError(Exception):
    """An answer other than the one asked for: a status, and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass
class Guard:
    """The application behind it sees only requests that are let in. `hosts` None: any name, for there is a token."""

    app: ASGIApp
    hosts: tuple[str, ...] | None
    token: str | None
    limits: Limits
    _running: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else ""
        answering = _Answering(send)
        try:
            self._admit(scope, client)
            self._running[client] += 1
            try:
                async with asyncio.timeout(self.limits.timeout_seconds):
                    await self.app(scope, _limited(receive), answering)
            finally:
                self._running[client] -= 1
                self._running += Counter()  # drops clients that have none
        except RefusedError as error:
            await answering.refuse(error.status, error.sentence, scope, receive)
        except TimeoutError:
            sentence = f"the server is busy: no answer within {self.limits.timeout_seconds:g} seconds"
            await answering.refuse(503, sentence, scope, receive)
        except Exception:
            logging.getLogger("nmt_attn.lab").exception("fault in %s", scope["path"])
            await answering.refuse(500, "a fault in the server; its terminal says more", scope, receive)

    def _admit(self, scope: Scope, client: str) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            raise RefusedError(403, f"host: expected one of {', '.join(self.hosts)}, got {host[:80]!r}")
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope['scheme']}://{host}":
            raise RefusedError(403, f"origin: expected this server's own page, got {origin[:80]!r}")
        path = scope["path"]
        if self.token is not None and path not in OPEN_PATHS and not path.startswith("/static/"):
            given = headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                raise RefusedError(
                    401, "token: expected the header 'Authorization: Bearer TOKEN' of this server, got another"
                )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > MAX_BODY_BYTES:
            raise RefusedError(413, TOO_LARGE)
        if self._running[client] >= self.limits.per_client:
            raise RefusedError(
                429, f"requests: expected at most {self.limits.per_client} at a time from one client, got more"
            )
        if self._running.total() >= self.limits.queue:
            raise RefusedError(503, f"the server is busy: {self.limits.queue} requests wait already")


@dataclass
class _Answering:
    """Sends, with the headers that every answer has; knows whether an answer has begun."""

    send: Send
    has_begun: bool = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
        await self.send(message)

    async def refuse(self, status: int, sentence: str, scope: Scope, receive: Receive) -> None:
        """An error as JSON, unless another answer has begun."""
        if not self.has_begun:
            await JSONResponse({"error": sentence}, status)(scope, receive, self)


def _limited(receive: Receive) -> Receive:
    """The same body, given up as soon as it is too large."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY_BYTES:
            raise RefusedError(413, TOO_LARGE)
        return message

    return limited


def allowed_hosts(host: str, token: str | None) -> tuple[str, ...] | None:
    """Names under which a server on `host` may be asked: any where a token guards it, else those of the loopback."""
    return None if token is not None and host not in LOOPBACK else tuple(dict.fromkeys((host, *LOOPBACK)))


def _name(host: str) -> str:
    """`[::1]:8000` -> `::1`; `localhost:8000` -> `localhost`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def names(found: Iterable[str]) -> str:
    """`'a', 'b'`."""
    return ", ".join(repr(name) for name in found)
