# SPDX-License-Identifier: GPL-3.0-or-later
"""TAP for integration tests. A test file is

    from harness import tap

    def test_something(t):          # t is a Case
        t.eq(1 + 1, 2, "adds")

    if __name__ == "__main__":
        tap.main(__name__)

Each test_* function has its own directory, a hard time limit (@tap.limit(seconds)) and prints
what it saw when it fails. `python3 t_x.py test_something` runs one of them. A test that cannot
run raises Skip; a test that asserts nothing counts as one `ok` if it ends.
"""

import faulthandler
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

from . import images, paths, proc, shared
from .engine import unavailable
from .wait import wait_for

DEFAULT_LIMIT_S = 60


class Skip(Exception):
    pass


class OutOfTime(BaseException):
    """Not an Exception: what a test catches must not swallow its time limit."""


def limit(seconds):
    def mark(function):
        function.limit_s = seconds
        return function
    return mark


class Case:
    def __init__(self, tap_, name):
        self._tap = tap_
        self.name = name
        self.failed = False
        self.count = 0
        self._cleanups = []
        self._artefacts = []
        # Short on purpose: a unix socket's path has 107 bytes.
        self.dir = tempfile.mkdtemp(prefix="c-", dir=paths.test_dir())

    # -- assertions: none of them raises, so one run shows every failure ----------------

    def ok(self, condition, name, saw=None):
        self.count += 1
        self._tap.line(bool(condition), f"{self.name}: {name}")
        if not condition:
            self.failed = True
            if saw is not None:
                self.diag(f"saw {saw!r}"[:4000])
        return bool(condition)

    def eq(self, got, want, name):
        if not self.ok(got == want, name):
            self.diag(f"got  {got!r}"[:4000], f"want {want!r}"[:4000])
        return got == want

    def has(self, text, pattern, name):
        """The regular expression is found in the text."""
        return self.ok(re.search(pattern, text, re.M), f"{name} [{pattern}]", saw=text)

    def need(self, condition, name, saw=None):
        """Like ok(), but the rest of the test makes no sense without it."""
        if not self.ok(condition, name, saw):
            raise Stop()

    def diag(self, *lines):
        for line in lines:
            for part in str(line).splitlines() or [""]:
                print(f"# {part}", flush=True)

    # -- belongings -------------------------------------------------------------------

    def cleanup(self, function, *args):
        """Called in reverse order at the end, whatever happened."""
        self._cleanups.append((function, args))

    def artefact(self, path):
        """A file whose end is shown when the test fails."""
        self._artefacts.append(path)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    # -- real parts -------------------------------------------------------------------

    def engine(self, *image_names):
        """The shared engine with these images in it."""
        reason = unavailable()
        if reason:
            raise Skip(reason)
        one = shared.engine()
        images.ensure(one.docker, *(image_names or ("mcptop-test/busybox:latest",)))
        return one

    def own_engine(self, *image_names):
        """An engine that this test may stop, kill and restart (slower: images are loaded)."""
        from .engine import Engine
        reason = unavailable()
        if reason:
            raise Skip(reason)
        one = Engine(self.path("e")).start()
        self.cleanup(one.wipe)
        images.ensure(one.docker, *(image_names or ("mcptop-test/busybox:latest",)))
        return one

    def mcptop(self, config=None, **kw):
        """A running `mcptop serve` of this test alone; see mcptop.Mcptop."""
        from .mcptop import Mcptop
        one = Mcptop(self, config, **kw)
        return one.start()

    def tmux(self, **kw):
        from .tmux import Tmux
        return Tmux(self, **kw)

    # -- the end ----------------------------------------------------------------------

    def show_artefacts(self):
        for path in self._artefacts:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    tail = file.read()[-6000:].splitlines()[-40:]
            except OSError:
                continue
            self.diag(f"---- {path}")
            self.diag(*[line[:300] for line in tail])

    def finish(self):
        while self._cleanups:
            function, args = self._cleanups.pop()
            try:
                function(*args)
            except Exception as error:  # the other belongings must go, too
                self.failed = True
                self._tap.line(False, f"{self.name}: cleans up")
                self.diag(f"{getattr(function, '__qualname__', function)}: "
                          f"{type(error).__name__}: {error}")
        if self.failed:
            self.show_artefacts()
        try:  # what was killed a moment ago may still be on its way out
            wait_for(lambda: not proc.mentioning(self.dir), 2)
        except AssertionError:
            pass
        for pid in proc.mentioning(self.dir):
            self._tap.line(False, f"{self.name}: leaves no process")
            self.diag(f"left over, now killed: {pid} {proc.cmdline(pid)}")
            proc.kill(pid, signal.SIGKILL)
        if not (self.failed and os.environ.get("MCPTOP_TEST_KEEP")):
            shutil.rmtree(self.dir, ignore_errors=True)


class Stop(Exception):
    """The test ends here; what is wrong has been printed."""


class Tap:
    def __init__(self):
        self.count = 0
        self.failures = 0

    def line(self, passed, name, directive=""):
        self.count += 1
        self.failures += not passed
        name = name.replace("#", "\\#").replace("\n", " ")
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}{directive}", flush=True)

    def run(self, name, function):
        seconds = getattr(function, "limit_s", DEFAULT_LIMIT_S)
        case = Case(self, name)
        start = time.monotonic()

        def on_alarm(_signal, _frame):
            raise OutOfTime(f"over its limit of {seconds} s")

        signal.signal(signal.SIGALRM, on_alarm)
        # What hangs in a place that no signal reaches ends the whole file, with its stack.
        faulthandler.dump_traceback_later(seconds + 60, exit=True)
        signal.alarm(seconds)
        try:
            function(case)
            if case.count == 0:
                self.line(True, name)
        except Stop:
            pass
        except Skip as reason:
            self.line(True, name, f" # SKIP {reason}")
        except (Exception, OutOfTime) as error:
            case.failed = True
            self.line(False, f"{name}: {type(error).__name__}")
            case.diag(traceback.format_exc())
        finally:  # an interrupted run cleans up, too
            signal.alarm(45)
            try:
                case.finish()
            except OutOfTime:
                self.line(False, f"{name}: cleans up in 45 s")
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
        case.diag(f"{name}: {time.monotonic() - start:.1f} s")


def main(module):
    """Runs the test_* functions of a module, in the order they stand in."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # cleanups run
    tests = {name: function for name, function in vars(sys.modules[module]).items()
             if name.startswith("test_") and callable(function)}
    tap = Tap()
    for name, function in tests.items():
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            tap.run(name, function)
    print(f"1..{tap.count}", flush=True)
    sys.exit(1 if tap.failures or not tap.count else 0)
