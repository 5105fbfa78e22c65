#!/usr/bin/env python3
"""Counts the instructions of a decoded token, by function, with the linux-arm64 executable under qemu: no clock and no Arm machine.

  bench/arm/count.py DIR/qed MODEL.gguf [--cpu cortex-a72] [--prefill TOKENS]

Two runs of `qed logits` with one thread that differ by two tokens are subtracted, so that start-up drops out; with --prefill, prompts of
TOKENS and twice as many. What `qed logits` adds (hash, finite check) is left out. Prints Markdown.
"""
import argparse
import bisect
import collections
import os
import re
import subprocess

ROOT = "/usr/aarch64-linux-gnu"  # the cross compiler's C library
LOAD = 0x5500000000  # where qemu puts a position-independent executable
NOT_DECODING = ("XxHash", "FiniteCheck")


def execute(args, symbols, tokens):
    """{function: instructions executed}: qemu logs each translated block once and its address whenever it runs."""
    chunk = [] if args.prefill else ["--chunk", "1"]
    ids = ",".join(str(5 + i) for i in range(tokens))
    process = subprocess.Popen(["qemu-aarch64-static", "-L", ROOT, "-cpu", args.cpu, "-d", "in_asm,exec,nochain", args.executable, "logits",
                                "-m", args.model, "--tokens", ids, "-t", "1", *chunk], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    size, runs, block = {}, collections.Counter(), None
    address = re.compile(r"/([0-9a-f]{16})/")
    for line in process.stderr:
        if line.startswith("0x"):
            if block is None:
                block = int(line[2:line.index(":")], 16)
                size[block] = 0
            size[block] += 1
            continue
        block = None
        if line.startswith("Trace"):
            runs[int(address.search(line)[1], 16)] += 1
    if process.wait():
        raise SystemExit(f"qed logits failed with exit code {process.returncode}")
    counts, begins = collections.Counter(), [s[0] for s in symbols]
    for block, times in runs.items():
        i = bisect.bisect(begins, block - LOAD) - 1
        inside = i >= 0 and block - LOAD < symbols[i][1]
        counts[symbols[i][2] if inside else "libraries"] += size[block] * times
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("executable")
    parser.add_argument("model")
    parser.add_argument("--cpu", default="cortex-a72", help="cortex-a76 has the dot product")
    parser.add_argument("--prefill", type=int, default=0, metavar="TOKENS")
    args = parser.parse_args()
    names = args.executable + ".dbg" if os.path.exists(args.executable + ".dbg") else args.executable
    listed = subprocess.run(["llvm-nm", "-S", names], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=3) for line in listed.splitlines()]
    symbols = sorted((int(f[0], 16), int(f[0], 16) + int(f[1], 16), f[3]) for f in lines if len(f) == 4 and f[2] in "tTwW")

    few, many = (args.prefill, 2 * args.prefill) if args.prefill else (2, 4)
    counts = execute(args, symbols, many)
    counts.subtract(execute(args, symbols, few))
    counts = {name: count / (many - few) for name, count in counts.items() if count and not any(word in name for word in NOT_DECODING)}
    total = sum(counts.values())
    print(f"| function | thousand instructions a token ({args.cpu}) | share |\n|---|---:|---:|")
    print(f"| all, {total / os.path.getsize(args.model):.3f} a byte of the file | {total / 1e3:.0f} | 100 % |")
    for name, count in sorted(counts.items(), key=lambda item: -item[1])[:20]:
        print(f"| `{name.replace('QedEdge_QedEdge_', '')}` | {count / 1e3:.0f} | {100 * count / total:.1f} % |")


if __name__ == "__main__":
    main()
