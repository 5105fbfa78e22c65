#!/usr/bin/env python3
"""Golden cases: small random checkpoints with float64 logits. README.md says how the ones here were made.

make.py new MODEL_TYPE FOLDER [--seed N] [--set KEY=JSON ...]   writes a case: config.json, model.safetensors, expected.json, logits.f32, logits_padded.f32
make.py check FOLDER ...                                        computes the cases' logits anew and compares them
"""
import argparse
import array
import glob
import json
import math
import os
import random
import struct
import sys

sys.dont_write_bytecode = True  # a folder here is a case

from families import FAMILIES, Tensors

TOKENS, PADDING, PROMPT, CONTINUATION = 24, 5, 6, 8
LARGEST_DIFFERENCE = 2e-6  # of logits that were rounded to float32


def write_floats(path, rows):
    with open(path, "wb") as file:
        for row in rows:
            file.write(struct.pack(f"<{len(row)}f", *row))


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        part = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """Name and values; buffers of other types are left out."""
    with open(path, "rb") as file:
        content = file.read()
    length, = struct.unpack_from("<Q", content)
    for name, entry in json.loads(content[8:8 + length]).items():
        if name == "__metadata__" or entry["dtype"] not in ("F32", "F16", "BF16"):
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        data = content[begin:end]
        if entry["dtype"] == "BF16":  # the upper halves of float32
            data = struct.pack(f"<{len(data) // 2}I", *(half << 16 for half, in struct.iter_unpack("<H", data)))
        code = "e" if entry["dtype"] == "F16" else "f"
        yield name, struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)


def read_checkpoint(folder):
    """The configuration and the model."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    build, prefix, _ = FAMILIES[config["model_type"]]
    tensors = {}
    for part in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        for name, values in read_safetensors(part):
            has_prefix = name.startswith((prefix, "lm_head.", "embed_out."))
            tensors[name if has_prefix else prefix + name] = values
    return config, build(config, Tensors(given=tensors))


def made_up(rng, norms_plus_one):
    """Values as a trained model's: large enough that every part of it moves the logits, rounded as they are stored."""
    def make(name, shape):
        if len(shape) == 2:
            middle, deviation = 0.0, 1.5 / math.sqrt(shape[1])
        else:
            middle, deviation = 0.0 if name.endswith(".bias") or norms_plus_one else 1.0, 0.3
        return array.array("f", (rng.gauss(middle, deviation) for _ in range(math.prod(shape)))).tolist()

    return make


def greedy(model, prompt):
    """The continuation, and the smallest lead of a token over the next best."""
    ids, margin = list(prompt), math.inf
    for _ in range(CONTINUATION):
        row = model.logits(ids)[-1]
        first, second = sorted(row, reverse=True)[:2]
        margin = min(margin, first - second)
        ids.append(row.index(first))
    return ids[len(prompt):], margin


def negative_log_likelihood(row, token):
    largest = max(row)
    return math.log(sum(math.exp(value - largest) for value in row)) + largest - row[token]


def new(family, folder, seed, changes):
    build, _, config = FAMILIES[family]
    config = {"model_type": family} | config | changes | {"torch_dtype": "float32"}
    rng = random.Random(seed)
    tensors = Tensors(make=made_up(rng, family == "gemma3_text"))
    model = build(config, tensors)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
    write_safetensors(os.path.join(folder, "model.safetensors"), tensors.made)

    ids = [rng.randrange(3, config["vocab_size"]) for _ in range(TOKENS)]
    padded, mask = [0] * PADDING + ids[:-PADDING], [0] * PADDING + [1] * (TOKENS - PADDING)
    logits = model.logits(ids)
    write_floats(os.path.join(folder, "logits.f32"), logits)
    write_floats(os.path.join(folder, "logits_padded.f32"), model.logits(padded, mask))
    continuation, margin = greedy(model, ids[:PROMPT])
    expected = {
        "input_ids": ids, "logits_file": "logits.f32", "shape": [TOKENS, config["vocab_size"]], "argmax": [row.index(max(row)) for row in logits],
        "mean_nll": sum(negative_log_likelihood(row, token) for row, token in zip(logits, ids[1:])) / (TOKENS - 1),
        "padded": {"input_ids": padded, "attention_mask": mask, "logits_file": "logits_padded.f32"},
        "greedy": {"prompt": ids[:PROMPT], "continuation": continuation, "smallest_margin": margin},
    }
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
        json.dump(expected, file)


def difference(path, rows, mask):
    """The largest one of a logit that has a meaning."""
    with open(path, "rb") as file:
        stored = struct.unpack(f"<{len(rows) * len(rows[0])}f", file.read())
    width = len(rows[0])
    return max(abs(a - b) for t, row in enumerate(rows) if mask is None or mask[t] for a, b in zip(row, stored[t * width:(t + 1) * width]))


def check(folder):
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)
    _, model = read_checkpoint(folder)
    largest = difference(os.path.join(folder, "logits.f32"), model.logits(expected["input_ids"]), None)
    if "padded" in expected:
        padded = expected["padded"]
        rows = model.logits(padded["input_ids"], padded["attention_mask"])
        largest = max(largest, difference(os.path.join(folder, "logits_padded.f32"), rows, padded["attention_mask"]))
    print(f"{folder}: {largest:.2g}")
    return largest <= LARGEST_DIFFERENCE


def change(text):
    key, _, value = text.partition("=")
    return key, json.loads(value)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
commands = parser.add_subparsers(dest="command", required=True)
making = commands.add_parser("new")
making.add_argument("family", choices=FAMILIES)
making.add_argument("folder")
making.add_argument("--seed", type=int, default=1)
making.add_argument("--set", type=change, action="append", default=[])
checking = commands.add_parser("check")
checking.add_argument("folders", nargs="+")
arguments = parser.parse_args()
if arguments.command == "new":
    new(arguments.family, arguments.folder, arguments.seed, dict(arguments.set))
elif not all([check(folder) for folder in arguments.folders]):
    sys.exit("logits differ")
