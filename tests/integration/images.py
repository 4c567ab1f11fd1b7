#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""images.py [NAME…]   loads the test images into the shared engine (started if need be)
images.py tools        makes the host's node and uvx; prints their directory"""

import sys

from harness import images, shared


def main(argv):
    if argv[1:] == ["tools"]:
        print(images.host_tools())
        return 0
    engine = shared.engine()
    images.ensure(engine.docker, *argv[1:])
    print(engine.docker.cli("images").stdout, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
