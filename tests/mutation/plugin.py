"""A pytest plugin that runs no test as such: it tries mutants of one module, each in a child process of its own.

The tests are collected once and each is run once, to see which functions it calls and how long it takes. For a mutant
the child gets the mutated code in the place of the function's, and runs the tests that call it, the quickest first,
until one fails. A mutant that no test calls, or that all tests pass, has survived.
"""

import gc
import importlib
import inspect
import json
import os
import signal
import sys
import time
import types
import zlib
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from mutation.mutants import mutants

ENOUGH_S = float(os.environ.get("MUTATION_SECONDS", "12"))  # of tests for one mutant; slower ones are left out
LONGEST_S = 5 * ENOUGH_S + 20  # of CPU time for one mutant; what takes longer hangs, and counts as killed
KILLED, SURVIVED = 1, 0  # how a child ends


class Trial:
    """Tries the mutants of modules, and writes what came of each as lines of JSON."""

    def __init__(self, modules, share, out):
        self.modules, self.share, self.out = modules, share, out
        self.calls, self.took = {}, {}

    def pytest_runtestloop(self, session):
        self.learn(session.items)
        with Path(self.out).open("a") as found:
            for module in self.modules:
                for line in self.tried(module, session.items):
                    found.write(json.dumps(line) + "\n")
                    found.flush()
        return True

    def learn(self, items):
        """Run each test once: which functions of the modules it calls, and how long it takes."""
        files = {str(Path(m).resolve()) for m in self.modules}
        failed = []
        for item in items:
            seen = set()

            def note(frame, event, _, seen=seen):
                code = frame.f_code
                if event == "call" and code.co_filename in files:
                    seen.add((code.co_filename, code.co_qualname if hasattr(code, "co_qualname") else code.co_name))

            began = time.process_time()
            sys.setprofile(note)
            try:
                reports = runtestprotocol(item, nextitem=None, log=False)
            finally:
                sys.setprofile(None)
            self.took[item.nodeid] = time.process_time() - began
            failed += [item.nodeid for r in reports if r.failed]
            for function in seen:
                self.calls.setdefault(function, []).append(item)
        if failed:
            pytest.exit(f"without any mutant these fail: {failed[:5]}", returncode=3)

    def tried(self, path, items):
        """What came of each chosen mutant of one module."""
        source, full = Path(path).read_text(), str(Path(path).resolve())
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        for n, mutant in enumerate(mutants(source)):
            if zlib.crc32(f"{path}/{n}/{mutant.function}".encode()) % 100 >= self.share:
                continue
            function = live_function(module, mutant.function)
            if function is None:
                continue
            tests = self.quickest(self.calls.get((full, mutant.function), []))
            code = code_of(compile(mutant.tree, full, "exec"), mutant.function)
            result = attempt(function, code, tests) if tests and code else "no test calls it"
            yield {"file": path, "function": mutant.function, "line": mutant.line, "change": mutant.change,
                   "tests": len(tests), "result": result}  # fmt: skip

    def quickest(self, tests):
        """The tests in order of the time that they take, as many as fit into the time for one mutant."""
        chosen, took = [], 0.0
        for item in sorted(tests, key=lambda i: self.took[i.nodeid]):
            took += self.took[item.nodeid]
            if took > ENOUGH_S and chosen:
                break
            chosen.append(item)
        return chosen


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


def attempt(function, code, tests):
    """Run the tests on the mutant in a child process; what came of it."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(in_child(function, code, tests))
        except BaseException:  # noqa: BLE001 -- whatever the mutant does, the child ends here
            os._exit(KILLED)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "killed (it hung)"
    return "survived" if os.WEXITSTATUS(status) == SURVIVED else "killed"


def in_child(function, code, tests):
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    if code.co_freevars != function.__code__.co_freevars:
        return KILLED
    function.__code__ = code
    forget()
    for item in tests:
        if any(report.failed for report in runtestprotocol(item, nextitem=None, log=False)):
            return KILLED
    return SURVIVED


def forget():
    """Whatever was remembered from before the mutant."""
    for found in gc.get_objects():
        if type(found).__name__ == "_lru_cache_wrapper":
            found.cache_clear()
