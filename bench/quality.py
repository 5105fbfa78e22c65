#!/usr/bin/env python3
"""Quality by type and method: converts a checkpoint in every way and prints what each file says of itself, as a Markdown table.

  bench/quality.py CHECKPOINT CALIBRATION.txt HELDOUT.txt [ONLY]

QED_CONVERT and QED name the programs (default: those on the path). ONLY picks rows whose name contains it. The perplexity and the divergence from the float32
weights are those of the file as it runs, int8 activations and cache included.
"""
import json
import os
import shlex
import subprocess
import sys
import tempfile

ROWS = [  # name, options
    ("q8_0", "--type q8_0"),
    ("q8_0 gptq", "--type q8_0 --calibrate"),
    ("q4_0, embedding too", "--type q4_0 --embedding-type q4_0"),
    ("q4_0", "--type q4_0"),
    ("q4_0 search", "--type q4_0 --method search"),
    ("q4_0 search, importance", "--type q4_0 --method search --calibrate"),
    ("q4_0 gptq", "--type q4_0 --calibrate"),
    ("iq4_nl", "--type iq4_nl"),
    ("iq4_nl search", "--type iq4_nl --method search"),
    ("iq4_nl search, importance", "--type iq4_nl --method search --calibrate"),
    ("iq4_nl gptq, embedding too", "--type iq4_nl --embedding-type iq4_nl --calibrate"),
    ("iq4_nl gptq", "--type iq4_nl --calibrate"),
    ("iq4_nl gptq, 4.8 bits", "--type iq4_nl --target-bpw 4.8 --calibrate"),
]


def run(program, *arguments):
    command = shlex.split(os.environ.get(program.upper().replace("-", "_"), program)) + list(arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    checkpoint, calibration, heldout = sys.argv[1:4]
    only = sys.argv[4] if len(sys.argv) > 4 else ""
    print("| type, method | bits/weight (layers) | file | perplexity | KL mean | median | 99 % | same top token |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, options in ROWS:
            if only not in name:
                continue
            file = os.path.join(folder, "model.gguf")
            options = options.replace("--calibrate", "--calibrate " + shlex.quote(calibration))
            run("qed-convert", checkpoint, "-o", file, "--measure", heldout, "--force", *shlex.split(options))
            about = json.loads(run("qed", "inspect", "--json", "-m", file))
            says = {key[len("qed.measured."):]: float(value) for key, value in about["metadata"].items() if key.startswith("qed.measured.") and "text" not in key}
            layers = [tensor for tensor in about["tensors"] if tensor["name"].startswith("blk.") and len(tensor["shape"]) == 2]
            bits = 8 * sum(tensor["bytes"] for tensor in layers) / sum(tensor["shape"][0] * tensor["shape"][1] for tensor in layers)
            print(f"| {name} | {bits:.2f} | {about['bytes'] / 1e6:.2f} MB | {says['perplexity']:.3f} | {says['kl_mean']:.5f} | {says['kl_median']:.5f} "
                  f"| {says['kl_99']:.4f} | {100 * says['same_top1']:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
