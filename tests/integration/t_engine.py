#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker/ of the program, as engine_client (C), against the shared engine. Its TAP is ours."""

import os
import sys

from harness import images, shared


def main():
    engine = shared.engine()
    images.ensure(engine.docker, "mcptop-test/busybox")
    program = os.path.join(os.environ.get("MCPTOP_BUILDDIR", "."), "tests/integration/engine_client")
    os.execve(program, [program], {**os.environ, "DOCKER_HOST": engine.host})


if __name__ == "__main__":
    sys.exit(main())
