#!/usr/bin/env python3
"""Predicts QED-75M's speed on Raspberry Pis from the hot loops of the linux-arm64 executable; no Arm machine is needed.

  dotnet publish src/QedEdge.Cli -c Release -r linux-arm64 -o DIR
  bench/arm/predict.py DIR/qed [--object FILE.o SYMBOL q4_0|iq4_nl|q8_0[:TOKENS]]...

Finds each kernel's hot loop by symbol and backward branch, counts its instructions and multiplications, lets llvm-mca count cycles,
and prints Markdown. --object puts other compiled kernels beside ours. The section "Arm" of docs/performance.md says what is assumed.
"""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys

# models: llvm-mca's scheduling models, the last one is trusted most. It has none for Cortex-A72 and A76 but takes Cortex-A57's (3 instructions
# and one load a cycle); from LLVM 17 it has Neoverse N1's, which is a Cortex-A76 for servers. For the in-order Cortex-A53 it lets
# instructions end in order too, which the processor does not: the time is an upper bound and "issue", the busiest unit alone, a lower one.
# ipc: assumed for what is not in hot loops. read: plain read of one core in GB/s, lowest and highest measured.
Board = collections.namedtuple("Board", "name isa models ghz cores ipc read")
BOARDS = [
    Board("Zero 2 W", "neon", ["cortex-a53 issue", "cortex-a53"], 1.0, 4, 0.7, (2.2, 2.4)),
    Board("Pi 4", "neon", ["cortex-a72"], 1.8, 4, 1.2, (3.7, 4.4)),
    Board("Pi 5", "neon-dp", ["cortex-a76", "neoverse-n1"], 2.4, 4, 2.0, (14.0, 14.9)),
]

# How a format's blocks are stored, what scales them, and bits of a weight with its share of the scales. Formats that are not named
# share a kernel with one that is.
Format = collections.namedtuple("Format", "block scales bits")
FORMATS = {
    "q4_0": Format("NibbleBlock", "HalfScales", 4.5),
    "iq4_nl": Format("TableBlock", "HalfScales", 4.5),
    "q8_0": Format("ByteBlock", "HalfScales", 8.5),
    "q4_1": Format("NibbleBlock", "HalfScalesAndMins", 5),
    "q4_k": Format("NibbleBlock", "ByteScalesAndMins", 4.625),
    "q5_0": Format("FiveBlock", "HalfScales", 5.5),
    "q5_1": Format("FiveBlock", "HalfScalesAndMins", 6),
    "q5_k": Format("FiveBlock", "ByteScalesAndMins", 5.625),
    "q6_k": Format("SixBlock", "HalfBlockScales", 6.5625),
    "iq4_xs": Format("TableBlock", "ByteScales", 4.3125),
    "q3_k": Format("NibbleBlock", "HalfBlockScales", 4.5625),
    "q2_k": Format("NibbleBlock", "HalfBlockScalesAndMins", 4.625),
    "iq2_xs": Format("TableBlock", "HalfBlockScales", 4.5625),
    "nvfp4": Format("TableBlock", "HalfBlockHalves", 5),
}
WRITTEN = ("q4_0", "iq4_nl", "q8_0")  # the formats that we write, whose models' speed is predicted

# One line a kernel; a kernel that shares weights between tokens adds a line with use "prefill" at the end, where the last one counts.
# macs: multiplications for one block of the row groups and tokens taken at once; a loop that does less is repeated as the loop around it
# does. tokens: how many share a weight.
Kernel = collections.namedtuple("Kernel", "use isa format symbol macs tokens")
KERNELS = [Kernel(use, isa, fmt, rf"NeonKernels\w*<\w*{dot}>__Alone<\w*_Arm_{f.block}__\w*_Arm_{f.scales}>$", 256, 1) for use in ("decode", "prefill")
           for isa, dot in (("neon", "WideningDot"), ("neon-dp", "DotProductDot")) for fmt, f in FORMATS.items()]
KERNELS += [Kernel("prefill", "neon-dp", fmt, rf"BlockTile\w*<\w*_Arm_{f.block}__\w*_Arm_{f.scales}>__Tile$", 1024, 8) for fmt, f in FORMATS.items()]

LAYERS, HIDDEN, FEED_FORWARD, VOCABULARY = 32, 384, 1024, 49152
BODY = LAYERS * (4 * HIDDEN * HIDDEN + 3 * HIDDEN * FEED_FORWARD)
HEAD = VOCABULARY * HIDDEN
PROMPT = 512
# Million instructions a token outside the hot loops, by bench/arm/count.py: at depth 0, and the mean of a prompt of 512 extrapolated from
# prompts of 16, 32 and 48 with the dot product (2.2 + 0.0092 · tokens, the second part attention: half of it values, 37 % scores).
REST = {"decode": 3.0, "prefill": 6.9}

Loop = collections.namedtuple("Loop", "body macs loads")
BRANCH = re.compile(r"b$|b\.|cbn?z|tbn?z")


def run(*command, text=None):
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def disassemble(code, symbols, pattern):
    """[(address, instruction, operands)] of the function whose name matches."""
    functions = [line.split(maxsplit=3) for line in run("llvm-nm", "-S", symbols).splitlines()]
    found = {f[0]: f for f in functions if len(f) == 4 and f[2] in "tT" and re.search(pattern, f[3])}
    if len(found) != 1:
        sys.exit(f"{symbols}: {len(found)} functions match '{pattern}'")
    begin, size = (int(x, 16) for x in next(iter(found.values()))[:2])
    text = run("llvm-objdump", "-d", "--no-show-raw-insn", "--mattr=+dotprod,+fullfp16", f"--start-address={begin}",
               f"--stop-address={begin + size}", code)
    return [(int(a, 16), name, operands) for a, name, operands in re.findall(r"^ *([0-9a-f]+):[ \t]+(\S+)[ \t]*(.*?)(?: <.*)?$", text, re.M)]


def each_block(body):
    """Without what a forward branch leaps over: factors of the scales, which are read once in eight blocks."""
    end, kept = 0, []
    for address, name, operands in body:
        if address < end:
            continue
        kept.append((address, name, operands))
        target = re.search(r"0x([0-9a-f]+)$", operands)
        if target and BRANCH.match(name) and address < int(target[1], 16) <= body[-1][0]:
            end = int(target[1], 16)
    return kept


def multiplications(name, operands):
    """Integer products of an instruction: four to a lane of sdot, one to a lane that the others write."""
    lanes = re.match(r"v\d+\.(\d+)", operands)
    if not lanes:
        return 0
    if name in ("sdot", "udot"):
        return int(lanes[1]) * 4
    return int(lanes[1]) if re.match(r"[su]ml[as]l2?$|[su]mull2?$|mul$|ml[as]$", name) else 0


def loaded(name, operands):
    """Bytes loaded into vector registers, without scalars and constants beside the code."""
    if not name.startswith("ld") or "[" not in operands:
        return 0
    if re.match(r"ld[1-4]", name):
        lanes, bits = re.search(r"\.(\d*)([bhsd])", operands).groups()
        size = {"b": 1, "h": 2, "s": 4, "d": 8}[bits]
        return size if name.endswith("r") or not lanes else size * int(lanes) * len(re.findall(r"v\d+\.", operands))
    return len(re.findall(r"\bq\d+", operands)) * 16 + len(re.findall(r"\bd\d+", operands)) * 8


def hot_loop(code, kernel):
    """The innermost loop with most multiplications that loads the weights it multiplies."""
    position = {address: i for i, (address, _, _) in enumerate(code)}
    spans = []
    for i, (address, name, operands) in enumerate(code):
        target = re.search(r"0x([0-9a-f]+)$", operands)
        if target and BRANCH.match(name) and int(target[1], 16) <= address and int(target[1], 16) in position:
            spans.append((position[int(target[1], 16)], i + 1))

    def within(inner, outer):
        return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]

    def count(body):
        return sum(multiplications(name, operands) for _, name, operands in body)

    found = []
    for span in spans:
        body = each_block(code[slice(*span)])
        if not count(body) or any(within(other, span) for other in spans):
            continue
        around = [other for other in spans if within(span, other)]
        if count(body) < kernel.macs and around:
            begin, end = min(around, key=lambda s: s[1] - s[0])
            before, after = code[begin:span[0]], code[span[1]:end]
            body = before + body * ((kernel.macs - count(before) - count(after)) // count(body)) + after
        loop = Loop(body, count(body), sum(loaded(name, operands) for _, name, operands in body))
        if loop.macs % kernel.macs == 0 and loop.loads >= weight_bytes(kernel, loop):
            found.append(loop)
    if not found:
        sys.exit(f"{kernel.symbol}: no loop does blocks of {kernel.macs} multiplications and loads their weights")
    return max(found, key=lambda loop: loop.macs)


def weight_bytes(kernel, loop):
    return loop.macs / kernel.tokens * FORMATS[kernel.format].bits / 8


def cycles(loop, mca, model):
    """Cycles of one iteration when many follow one another."""
    text = ".Lloop:\n"
    for _, name, operands in loop.body:
        address = BRANCH.match(name) or name.startswith("ld") and "[" not in operands
        text += f"{name} {re.sub('0x[0-9a-f]+$', '.Lloop', operands) if address else operands}\n"
    cpu, _, issue = model.partition(" ")
    report = run(mca, "-mtriple=aarch64", f"-mcpu={cpu}", "-mattr=+dotprod,+fullfp16", "-iterations=200", "-instruction-info=0",
                 "-resource-pressure=0", text=text)
    return float(re.search(r"Block RThroughput: +([\d.]+)", report)[1]) if issue else int(re.search(r"Total Cycles: +(\d+)", report)[1]) / 200


def known(mca, model):
    """Without a model of its own, Neoverse N1 does not dispatch 8 instructions a cycle."""
    return model != "neoverse-n1" or "Dispatch Width:    8" in run(mca, "-mtriple=aarch64", f"-mcpu={model}", text="nop\n")


def table(title, head, rows):
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|---|{'---:|' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("executable", help="the published linux-arm64 executable, its .dbg file beside it")
    parser.add_argument("--object", nargs=3, action="append", default=[], metavar=("FILE", "SYMBOL", "FORMAT"),
                        help="another kernel: q4_0 or q8_0, :4 behind it when four tokens share a weight")
    parser.add_argument("--mca", default="llvm-mca", help="the llvm-mca to use; 17 or newer knows more cores")
    args = parser.parse_args()
    for tool in ("llvm-nm", "llvm-objdump", args.mca):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed (Debian: llvm)")

    symbols = args.executable + ".dbg" if os.path.exists(args.executable + ".dbg") else args.executable
    boards = [board._replace(models=[model for model in board.models if known(args.mca, model)]) for board in BOARDS]
    models = [model for board in boards for model in board.models]
    kernels = [(f"{k.isa} {k.format}" + (f" × {k.tokens}" if k.tokens > 1 else ""), k, args.executable, symbols) for k in KERNELS]
    for file, symbol, fmt in args.object:
        fmt, _, tokens = fmt.partition(":")
        kernels.append((f"{os.path.basename(file)} {symbol}", Kernel("", "", fmt, f"^{symbol}$", 1, int(tokens or 1)), file, file))
    rate, rows = {}, {}  # rate: multiplications a cycle
    for name, kernel, code, names in kernels:
        loop, row = hot_loop(disassemble(code, names, kernel.symbol), kernel), []
        size = weight_bytes(kernel, loop)
        for model in models:
            time = cycles(loop, args.mca, model)
            rate[kernel.use, kernel.isa, kernel.format, model] = loop.macs / time
            row.append(f"{time:.0f} ({size / time:.2f})")
        rows[name] = [f"`{name}`", f"{size:g}", str(len(loop.body)), f"{len(loop.body) / size:.2f}", *row]
    table("Hot loops: cycles of an iteration (weight bytes a cycle)", ["loop", "weight bytes", "instructions", "a byte", *models], rows.values())

    rows = []
    for board, fmt, model in ((b, f, m) for b in boards for f in WRITTEN for m in b.models):
        size, read = (BODY + HEAD) * FORMATS[fmt].bits / 8e9, sum(board.read) / 2
        row = [f"{board.name}, {model}", fmt, f"{read / size:.0f}"]
        for cores in (1, board.cores):  # the rest as if every core did all of it
            time = (BODY + HEAD) / rate["decode", board.isa, fmt, model] / cores + REST["decode"] * 1e6 / board.ipc
            compute = board.ghz * 1e9 / time
            row += [f"{compute:.0f}", f"**{min(compute, read / size):.0f}** ({100 * min(compute * size / read, 1):.0f} %)"]
        rows.append(row)
    table("Decode at depth 0, tokens/s: the lower of compute and memory, and its share of memory",
          ["board, model", "format", "memory", "1 core", "predicted", "4 cores", "predicted"], rows)

    rows = []
    for board, fmt, model in ((b, f, m) for b in boards for f in WRITTEN for m in b.models):
        matrices = (BODY + HEAD / PROMPT) / rate["prefill", board.isa, fmt, model]
        one, both = (board.ghz * 1e9 / time for time in (matrices, matrices + REST["prefill"] * 1e6 / board.ipc))
        rows.append([f"{board.name}, {model}", fmt, f"{one:.0f}", f"{one * board.cores:.0f}", f"{both:.0f}", f"**{both * board.cores:.0f}**"])
    table(f"Prefill of {PROMPT} tokens, tokens/s: matrices alone, and all",
          ["board, model", "format", "1 core", "4 cores", "all, 1 core", "all, 4 cores"], rows)


if __name__ == "__main__":
    main()
