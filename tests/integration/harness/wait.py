# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for conditions. No test sleeps and hopes."""

import time


class Hopeless(Exception):
    """Raised by a condition that can never come true any more; wait_for() lets it through."""


def wait_for(condition, timeout=10, what=None, every=0.02, saw=None):
    """Calls condition() until it gives something true and returns that.

    An OSError, KeyError, AssertionError or the like inside counts as "not yet" and is
    shown when time is up. `saw` is a function whose result is shown then, too.
    """
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            result = condition()
            if result:
                return result
            last = repr(result)
        except (OSError, LookupError, ValueError, AssertionError, EOFError) as error:
            last = f"{type(error).__name__}: {error}"
        except Exception as error:  # http.client's own family
            if type(error).__module__ != "http.client":
                raise
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "condition")
            shown = f"; saw {saw()}" if saw else ""
            raise AssertionError(f"waited {timeout} s for {name}: last {last}{shown}")
        time.sleep(every)


def stays(condition, seconds, what=None, every=0.05):
    """The condition holds for the whole time (for things that must *not* happen)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError(f"did not hold for {seconds} s: {what or condition}")
        time.sleep(every)
