#!/usr/bin/env python3
"""Times a program from its start to its end, and its largest resident memory.

  bench/start.py dist/qed generate -m q4_0.gguf --tokens 1 -n 1

Runs it 21 times (the first, which warms the file's pages, is not counted) and prints medians, least and most.
"""
import os
import statistics
import sys
import time


def run(command):
    null = os.open(os.devnull, os.O_RDWR)
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
    _, status, usage = os.wait4(child, 0)
    elapsed = time.perf_counter() - start
    os.close(null)
    if status:
        sys.exit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}; try it without bench/start.py")
    return elapsed * 1e3, usage.ru_maxrss * 1024 / 1e6


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f}, {max(values):.1f})"


if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
    sys.exit(__doc__)
runs = [run(sys.argv[1:]) for _ in range(21)][1:]
print(f"start to end {spread([ms for ms, _ in runs])} ms, peak resident {spread([mb for _, mb in runs])} MB")
