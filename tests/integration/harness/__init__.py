# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests are made of. Python 3.9 and its standard library only.

tap       the runner and Case (own directory, time limit, engine, mcptop, terminal)
mcptop    `mcptop serve` under test; fixture() and echo() for its config
mcp       MCP clients: Stdio and Endpoint (HTTP)
http      HTTP and server-sent events over unix sockets and TCP
docker    an engine's API and CLI       engine   a private dockerd
shared    the one engine of a run       images   real images, made here
tmux      a real terminal               proc     processes
registry  image registries, and a gate before them
terminal  a bare pseudo terminal whose reader can stop
wait      wait_for(), stays()           paths    where things are
"""

from .mcp import Endpoint, RpcError, Stdio
from .mcptop import Api, Mcptop, echo, elapsed, fixture, full, modern_server
from .tap import Skip, limit
from .wait import stays, wait_for

__all__ = ["Api", "Endpoint", "Mcptop", "RpcError", "Skip", "Stdio", "echo", "elapsed",
           "fixture", "full", "modern_server", "limit", "stays", "wait_for"]
