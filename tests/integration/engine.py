#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that integration tests share, from a shell.

engine.py start [IDLE_S]   start it unless it runs; it ends after IDLE_S seconds without a
                           test (0, the default here: only by `stop`)
engine.py stop             remove its containers, end it, wait
engine.py wipe             the same, and remove its images
engine.py status           exit status 0 if it runs
engine.py env              a line for `eval`: DOCKER_HOST
"""

import sys

from harness import shared


def main(argv):
    verb = argv[1] if len(argv) > 1 else ""
    one = shared.Engine(shared.directory())
    if verb == "start":
        one = shared.start(int(argv[2]) if len(argv) > 2 else 0)
        print(f"engine: pid {one.pid()}, {one.host}")
    elif verb == "stop":
        shared.stop()
    elif verb == "wipe":
        shared.wipe()
    elif verb == "status":
        print(f"engine: pid {one.pid()}, {one.host}" if one.running() else "engine: not running")
        return 0 if one.running() else 1
    elif verb == "env":
        print(f"export DOCKER_HOST={one.host}")
    else:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
