# SPDX-License-Identifier: GPL-3.0-or-later
"""Where tests find and put things. Every path comes from the environment or this tree."""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
SRCDIR = os.environ.get("MCPTOP_SRCDIR") or os.path.abspath(os.path.join(HERE, "..", "..", ".."))
BUILDDIR = os.environ.get("MCPTOP_BUILDDIR") or \
    next((d for d in (os.path.join(SRCDIR, "build"), SRCDIR)
          if os.path.exists(os.path.join(d, "mcptop"))), SRCDIR)
MCPTOP = os.environ.get("MCPTOP") or os.path.join(BUILDDIR, "mcptop")
FIXTURES = os.path.join(SRCDIR, "tests", "fixtures")


def test_dir():
    """State of a run: the engine, the cases' directories. Short: unix sockets live in it."""
    path = os.environ.get("MCPTOP_TEST_DIR") or f"/tmp/mcptop-test-{os.getuid()}"
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path


def cache_dir():
    """What is slow to make and safe to keep between runs; no make target removes it."""
    path = os.environ.get("MCPTOP_TEST_CACHE") or \
        os.path.join(os.path.expanduser("~"), ".cache", "mcptop-test")
    os.makedirs(path, exist_ok=True)
    return path


def sanitized():
    """mcptop was built with a sanitizer: its memory is no measure."""
    with open(MCPTOP, "rb") as file:
        return b"__asan_init" in file.read()


def built(name):
    """A program built from tests/fixtures, such as `echo_server`."""
    return os.path.join(BUILDDIR, "tests", "fixtures", name)


def fixture(name):
    """A file of tests/fixtures."""
    return os.path.join(FIXTURES, name)
