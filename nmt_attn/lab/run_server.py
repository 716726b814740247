"""Starts the lab's server; the one module that knows uvicorn."""

import socket
import sys
import webbrowser
from collections.abc import Callable

import uvicorn

from nmt_attn.errors import ConfigError
from nmt_attn.files import reason
from nmt_attn.lab.server import make_app
from nmt_attn.lab.service import Lab
from nmt_attn.memory import keep_for_good

SWITCH_SECONDS = 2e-4
"""How long the thread that has the models may keep the one that answers waiting for the interpreter."""


def serve_lab(lab: Lab, host: str, port: int, token: str | None, *, opens: bool, say: Callable[[str], object]) -> None:
    """Serves until it is interrupted. Raises ConfigError if the address cannot be had."""
    server_socket = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{server_socket.getsockname()[1]}/" + (f"#token={token}" if token else "")
    config = uvicorn.Config(
        make_app(lab, host, token),
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # a client is who it is, not who it says it is
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    say(address)
    if opens:
        webbrowser.open(address)
    sys.setswitchinterval(SWITCH_SECONDS)
    keep_for_good()
    try:
        uvicorn.Server(config).run([server_socket])
    finally:
        server_socket.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except (OSError, OverflowError) as error:
        bound.close()
        found = reason(error) if isinstance(error, OSError) else str(error)
        raise ConfigError(f"--host, --port: expected an address that is free, got {host}:{port} ({found})") from error
    return bound
