#!/usr/bin/env python3
"""Publishes what is shipped, prints its size as a Markdown table and fails where one is above its limit. The executables are those without a model."""
import argparse
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ARM64 = ["-p:CppCompilerAndLinker=clang", "-p:LinkerFlavor=lld", "-p:ObjCopyName=aarch64-linux-gnu-objcopy", "-p:SysRoot="]
PRODUCTS = [  # name, project, file, what distinguishes it, limit in bytes
    ("`qed` without a model", "src/QedEdge.Cli", "qed", ["-p:EmbeddedModel=none"], 4_000_000),
    ("`qed`, `-p:QedProfile=Tiny`", "src/QedEdge.Cli", "qed", ["-p:EmbeddedModel=none", "-p:QedProfile=Tiny"], 2_300_000),
    ("`libqed.so`", "src/QedEdge.Native", "libqed.so", [], 2_700_000),
]
# What a name in the map belongs to, the first that matches.
OWNERS = [
    ("kernels", r"^QedEdge_QedEdge_Kernels|^unbox_QedEdge_QedEdge_Kernels"),
    ("rest of the library", r"^QedEdge_QedEdge_"),
    ("command line, help, manual page, completions", r"^QedEdge_CommandLine_"),
    ("commands", r"^qed_"),
    ("LINQ", r"^System_Linq"),
    ("JSON", r"^System_Text_(Json|Encodings)"),
    ("type loader and reflection", r"^S_P_(TypeLoader|Reflection)|S_P_CoreLib_(System_Reflection|Internal_Reflection|Internal_Runtime_TypeLoader|Internal_TypeSystem)"),
    ("base library", r"^(S_P_|System_)"),
]


def publish(folder, runtime, project, options):
    command = ["dotnet", "publish", os.path.join(PROJECT, project), "-c", "Release", "-r", runtime, "-o", os.path.join(folder, "out"),
               "--artifacts-path", folder, "-nodeReuse:false", "-p:IlcGenerateMapFile=true", *options, *(ARM64 if runtime == "linux-arm64" else [])]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(result.stdout + result.stderr)


def parts(executable, map_file):
    """Bytes of the executable by what they are for, largest first; together all of it."""
    code, constants = {}, 0
    for entry in xml.etree.ElementTree.parse(map_file).getroot():
        name, size, kind = entry.get("Name") or "", int(entry.get("Length") or 0), entry.tag
        if kind in ("MethodCode", "UnboxingStub", "ReadyToRunHelper"):
            owner = next((title for title, pattern in OWNERS if re.search(pattern, name)), "base library")
            code[f"code: {owner}"] = code.get(f"code: {owner}", 0) + size
        elif kind in ("ArrayOfFrozenObjects", "FieldRvaData", "Blob", "MethodReadOnlyData", "ResourceData"):
            constants += size
    sections = {}
    for line in subprocess.run(["readelf", "-SW", executable], capture_output=True, text=True, check=True).stdout.splitlines():
        match = re.match(r"\s*\[ *\d+\] (\S+)\s+(\S+)\s+\S+ \S+ (\S+)", line)
        if match and match[2] != "NOBITS":
            sections[match[1]] = int(match[3], 16)
    native = sections[".text"] + sections.get(".plt", 0)
    unwind = sum(size for name, size in sections.items() if name.startswith((".eh_frame", ".dotnet_eh")))
    found = {**code, "code: runtime in C and C++ (collector, threads, C library's borders)": native, "tables for exceptions and stack walks": unwind}
    found["texts and other constants"] = constants
    found["types, metadata, tables of the runtime and padding"] = os.path.getsize(executable) - sum(found.values())
    return sorted(found.items(), key=lambda part: -part[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", action="store_true", help="add what qed for linux-x64 consists of")
    parser.add_argument("folder", nargs="?", default=os.path.join(PROJECT, "artifacts", "size"), metavar="DIR", help="where everything is built (artifacts/size if not given)")
    arguments = parser.parse_args()
    root = arguments.folder
    print("| | linux-x64 | linux-arm64 | limit |\n|---|---:|---:|---:|")
    failed = False
    for index, (title, project, file, options, limit) in enumerate(PRODUCTS):
        sizes = []
        for runtime in ("linux-x64", "linux-arm64"):
            folder = os.path.join(root, f"{index}-{runtime}")
            publish(folder, runtime, project, options)
            sizes.append(os.path.getsize(os.path.join(folder, "out", file)))
        failed = failed or max(sizes) > limit
        print(f"| {title} | {sizes[0]:,} | {sizes[1]:,} | {limit:,}{' **exceeded**' if max(sizes) > limit else ''} |", flush=True)
    if arguments.parts:
        folder = os.path.join(root, "0-linux-x64")
        executable = os.path.join(folder, "out", "qed")
        print(f"\n| part of `qed` for linux-x64 | bytes | share |\n|---|---:|---:|")
        for title, size in parts(executable, os.path.join(folder, "obj", "QedEdge.Cli", "release_linux-x64", "native", "qed.map.xml")):
            print(f"| {title} | {size:,} | {100 * size / os.path.getsize(executable):.1f} % |")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
