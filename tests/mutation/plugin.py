"""A pytest plugin that runs no test as such: it tries mutants of modules, each in a child process of its own.

The tests are collected once and each is run once, to see which lines it executes and how long it takes. For a mutant
the child gets the mutated code in the place of the function's, and runs the tests that execute the changed line, until
one fails: first those that killed other mutants of the function, then the quickest. A mutant that no test reaches, or
that all tests pass, has survived.
"""

import gc
import importlib
import inspect
import json
import os
import signal
import struct
import sys
import time
import types
import zlib
from collections import Counter
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from mutation.mutants import mutants

ENOUGH_S = float(os.environ.get("MUTATION_SECONDS", "12"))  # of tests for one mutant; slower ones are left out
KILLED, SURVIVED = 1, 0  # how a child ends


class Trial:
    """Tries those mutants that `wanted(path, number, mutant)` names, and writes what came of each as lines of JSON.

    Ends by itself after `seconds`; `left` says how many mutants were not tried then.
    """

    def __init__(self, modules, wanted, out, seconds=None):
        self.modules, self.wanted, self.out = modules, wanted, out
        self.ends = None if seconds is None else time.monotonic() + seconds
        self.lines, self.took, self.killers = {}, {}, {}
        self.left = 0

    def pytest_runtestloop(self, session):
        self.learn(session.items)
        self.caches = [found for found in gc.get_objects() if type(found).__name__ == "_lru_cache_wrapper"]
        gc.collect()
        gc.freeze()
        with Path(self.out).open("a") as found:
            for line in self.tried():
                found.write(json.dumps(line) + "\n")
                found.flush()
        return True

    def learn(self, items):
        """Run each test once: which lines of the modules it executes, and how long it takes."""
        files = {str(Path(m).resolve()) for m in self.modules}
        failed = []
        for item in items:
            if self.is_late():
                return
            began = time.process_time()
            with Lines(files) as seen:
                reports = runtestprotocol(item, nextitem=None, log=False)
            self.took[item.nodeid] = time.process_time() - began
            failed += [item.nodeid for r in reports if r.failed]
            for line in seen:
                self.lines.setdefault(line, []).append(item)
        if failed:
            pytest.exit(f"without any mutant these fail: {failed[:5]}", returncode=3)

    def is_late(self):
        return self.ends is not None and time.monotonic() > self.ends

    def chosen(self):
        """The mutants to try with their numbers, mixed, so that those tried before the time is up are a fair sample."""
        all_of_them = [
            (zlib.crc32(f"{path}/{n}/{mutant.function}".encode()), path, n, mutant)
            for path in self.modules
            for n, mutant in enumerate(mutants(Path(path).read_text()))
            if self.wanted(path, n, mutant)
        ]
        return [one[1:] for one in sorted(all_of_them, key=lambda one: one[0])]

    def tried(self):
        """What came of each chosen mutant."""
        chosen = self.chosen()
        for done, (path, n, mutant) in enumerate(chosen):
            if self.is_late():
                self.left = len(chosen) - done
                return
            module = importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
            function, full = live_function(module, mutant.function), str(Path(path).resolve())
            if function is None:
                continue
            tests = self.ordered(full, mutant)
            code = code_of(compile(mutant.tree(), full, "exec"), mutant.function)
            result, by = self.attempt(function, code, tests) if tests and code else ("no test reaches it", None)
            if by is not None:
                self.killers.setdefault((full, mutant.function), Counter())[by.nodeid] += 1
            yield {"file": path, "number": n, "function": mutant.function, "line": mutant.line,
                   "change": mutant.change, "tests": len(tests), "result": result, "by": by and by.nodeid}  # fmt: skip

    def ordered(self, full, mutant):
        """Tests that execute what was changed, as many as fit into the time for one mutant."""
        reached = {item for line in mutant.lines for item in self.lines.get((full, line), ())}
        kills, chosen, took = self.killers.get((full, mutant.function), {}), [], 0.0
        for item in sorted(reached, key=lambda i: (-kills.get(i.nodeid, 0), self.took[i.nodeid], i.nodeid)):
            took += self.took[item.nodeid]
            if took > ENOUGH_S and chosen:
                break
            chosen.append(item)
        return chosen

    def attempt(self, function, code, tests):
        """Run the tests on the mutant in a child process; what came of it, and which test saw it."""
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                longest_s = 3 + 2 * sum(self.took[item.nodeid] for item in tests)
                os._exit(in_child(function, code, tests, self.caches, longest_s, tell))
            except BaseException:  # noqa: BLE001 -- whatever the mutant does, the child ends here
                os._exit(KILLED)
        os.close(tell)
        status = os.waitpid(child, 0)[1]
        number = os.read(told, 4)
        os.close(told)
        by = tests[struct.unpack("i", number)[0]] if number else None
        if os.WIFSIGNALED(status):
            return "killed (it hung)", by
        return ("survived", None) if os.WEXITSTATUS(status) == SURVIVED else ("killed", by)


class Lines(set):
    """The lines (file, number) of some files that are executed inside a `with`."""

    def __init__(self, files):
        super().__init__()
        self.files = files

    def __enter__(self):
        sys.settrace(self.entered)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def entered(self, frame, event, _):
        if frame.f_code.co_filename not in self.files:
            return None
        self.add((frame.f_code.co_filename, frame.f_lineno))
        return self.executed

    def executed(self, frame, event, _):
        if event == "line":
            self.add((frame.f_code.co_filename, frame.f_lineno))
        return self.executed


def live_function(module, name):
    """The function object under its qualified name, without what is wrapped around it."""
    found = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part, None)
        found = found.fget if isinstance(found, property) else found
        found = getattr(found, "__func__", found)
        found = getattr(found, "__wrapped__", found)
    return found if isinstance(found, types.FunctionType) else None


def code_of(code, name):
    """The code object of a function inside a compiled module."""
    for part in name.split("."):
        code = next((c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == part), None)
        if code is None:
            return None
    return code


def in_child(function, code, tests, caches, longest_s, tell):
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, longest_s)
    if code.co_freevars != function.__code__.co_freevars:
        return KILLED
    function.__code__ = code
    for cache in caches:  # whatever was remembered from before the mutant
        cache.cache_clear()
    for n, item in enumerate(tests):
        if any(report.failed for report in runtestprotocol(item, nextitem=None, log=False)):
            os.write(tell, struct.pack("i", n))
            return KILLED
    return SURVIVED
