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
import subprocess

LOAD = 0x5500000000  # where qemu puts a position-independent executable
NOT_DECODING = ("XxHash", "FiniteCheck")


def blocks(cpu, command):
    """{address: (instructions, how often it ran)} of each block of instructions that a command executes: qemu logs each translated block once and its address whenever it runs."""
    process = subprocess.Popen(["qemu-aarch64-static", "-cpu", cpu, "-d", "in_asm,exec,nochain", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    size, runs, block = {}, collections.Counter(), None
    for line in process.stderr:
        if line.startswith(b"Trace"):
            runs[line.split(b"/", 2)[1]] += 1
            block = None
        elif line.startswith(b"0x"):
            if block is None:
                block = line[2:line.index(b":")].zfill(16)
                size[block] = 0
            size[block] += 1
        else:
            block = None
    if process.wait():
        raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}")
    return {int(address, 16): (size[address], times) for address, times in runs.items()}


def execute(args, symbols, tokens):
    """{function: instructions executed} for a prompt of so many tokens."""
    chunk = [] if args.prefill else ["--chunk", "1"]
    ids = ",".join(str(5 + i) for i in range(tokens))
    counts, begins = collections.Counter(), [s[0] for s in symbols]
    for block, (size, times) in blocks(args.cpu, [args.executable, "logits", "-m", args.model, "--tokens", ids, "-t", "1", *chunk]).items():
        i = bisect.bisect(begins, block - LOAD) - 1
        inside = i >= 0 and block - LOAD < symbols[i][1]
        counts[symbols[i][2] if inside else "libraries"] += size * times
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
