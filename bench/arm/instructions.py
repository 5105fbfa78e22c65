#!/usr/bin/env python3
"""Counts the instructions of a decoded token and of a prompt token with the linux-arm64 executable under qemu, for two processors.

  bench/arm/instructions.py DIR/qed MODEL.gguf [MODEL.gguf ...] [--check TABLE.md]

Runs of `qed generate` with one thread that differ by 16 prompt tokens, or by 4 new ones, are subtracted, so that start-up drops out. From run to run it changed by up to 0.3 %.
Prints Markdown. With --check it is compared with the table in a file: more than 1 % above ends with exit code 1. Where that is meant, the output of this program takes the table's place.
"""
import argparse
import pathlib
import sys

import count

PROCESSORS = ("cortex-a72", "cortex-a76")  # a Pi 4's, and a Pi 5's with the dot product; on a Zero 2 W's Cortex-A53 the code of the first runs
PROMPT, NEW = 16, 4
MARGIN = 1.01


def instructions(executable, model, processor, prompt, new):
    ids = ",".join(str(5 + i) for i in range(prompt))
    command = [executable, "generate", "-m", model, "--tokens", ids, "-n", str(new), "--ignore-eos", "--temp", "0", "-t", "1", "--print-ids"]
    return sum(size * times for size, times in count.blocks(processor, command).values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("executable")
    parser.add_argument("models", nargs="+", metavar="MODEL.gguf")
    parser.add_argument("--check", metavar="TABLE.md")
    args = parser.parse_args()
    allowed = {}
    if args.check:
        rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in open(args.check) if line.startswith("| ")]
        allowed = {(model, processor): (int(decode.replace(",", "")), int(prompt.replace(",", ""))) for model, processor, decode, prompt in rows[1:]}
    print("| model | processor | instructions of a decoded token | of a prompt token |\n|---|---|---:|---:|")
    above = []
    for model in args.models:
        for processor in PROCESSORS:
            name = pathlib.Path(model).stem
            base = instructions(args.executable, model, processor, PROMPT, 1)
            counted = ((instructions(args.executable, model, processor, PROMPT, 1 + NEW) - base) // NEW, (instructions(args.executable, model, processor, 2 * PROMPT, 1) - base) // PROMPT)
            print(f"| {name} | {processor} | {counted[0]:,} | {counted[1]:,} |", flush=True)
            for what, have, most in zip(("decoded", "prompt"), counted, allowed.get((name, processor), (0, 0)) if args.check else counted):
                if have > MARGIN * most:
                    above.append(f"{name}, {processor}: {have:,} instructions of a {what} token, {most:,} are recorded in {args.check}")
    print("\n".join(above), file=sys.stderr, end="\n" if above else "")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
