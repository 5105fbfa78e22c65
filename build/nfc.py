#!/usr/bin/env python3
"""Writes src/QedEdge/Text/NfcData.cs from tests/unicode/unicode9.json.gz: combining classes, full decompositions and pairs of Unicode 9.0 (Hangul is by rule)."""
import gzip
import json
import os
import unicodedata

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
with gzip.open(f"{root}/tests/unicode/unicode9.json.gz") as file:
    tables = json.load(file)
classes = {int(point): value for point, value in tables["ccc"].items()}
full = {int(point): value for point, value in tables["decomposition"].items()}
pairs = {(first, second): joined for first, second, joined in tables["composition"]}

packed = bytearray()


def put(value):
    """A number in groups of seven bits, the lowest first."""
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)


def put_signed(value):
    put(value << 1 if value >= 0 else -value * 2 - 1)


runs = []
for point in sorted(classes):
    if runs and runs[-1][1] == point and runs[-1][2] == classes[point]:
        runs[-1][1] += 1
    else:
        runs.append([point, point + 1, classes[point]])
put(len(runs))
at = 0
for start, end, value in runs:
    put(start - at)
    put(end - start)
    put(value)
    at = end


def decompose(point):
    """Into two, or one and none: pairs have not changed since Unicode 9.0, which the check below proves."""
    parts = [int(part, 16) for part in unicodedata.decomposition(chr(point)).split()]
    return parts + [0] * (2 - len(parts))


def expand(point):
    return [part for half in decompose(point) if half for part in expand(half)] if point in full else [point]


put(len(full))
at = before = behind = 0
for point in sorted(full):
    first, second = decompose(point)
    assert expand(point) == full[point], hex(point)
    primary = pairs.get((first, second)) == point
    put(point - at << 1 | primary)
    put_signed(first - before)
    put_signed(second - behind)
    at, before, behind = point, first, second
assert sum(pairs.get(tuple(decompose(point))) == point for point in full) == len(pairs)

with open(f"{root}/src/QedEdge/Text/NfcData.cs", "w", encoding="utf-8", newline="\n") as out:
    out.write("namespace QedEdge.Text;\n\n/// <summary>Written by build/nfc.py, read by <see cref=\"NfcTables\"/>.</summary>\ninternal static class NfcData\n{\n")
    out.write("    /// <summary>Runs of combining classes (gap, length, class), then decompositions (twice the gap + whether it is composed again, first, second: signed steps); varints.</summary>\n")
    out.write("    public static ReadOnlySpan<byte> Packed =>\n    [\n")
    for line in range(0, len(packed), 64):
        out.write("        " + ", ".join(str(value) for value in packed[line:line + 64]) + ",\n")
    out.write("    ];\n}\n")
print(len(packed), "bytes")
