#!/usr/bin/env python3
"""Lets every system call of every command fail, one at a time, with tests/native/faults.c; prints what ended badly.

A run ends well if it does what it does without the fault, or ends with exit code 1, 2 or 3 and one line that begins with "error: ";
and if nothing is left that the same command would not have left, but what a later run takes over. Faults before the program's own
first call are its runtime's: they may end it in any way but one: as if nothing had been.
"""
import argparse, collections, concurrent.futures, errno, json, os, shutil, signal, struct, subprocess, sys, tempfile, threading

E = errno
CALLS = {  # name: errors; 0 is half of the bytes
    "open": [E.EMFILE, E.EACCES, E.EINTR], "read": [E.EIO, E.EINTR, 0], "pread": [E.EIO, E.EINTR, 0],
    "write": [E.ENOSPC, E.EINTR, 0], "pwrite": [E.ENOSPC, E.EFBIG, E.EINTR, 0], "mmap": [E.ENOMEM], "fsync": [E.EIO, E.ENOSPC], "rename": [E.EACCES, E.ENOSPC],
    "ftruncate": [E.EIO], "malloc": [E.ENOMEM], "calloc": [E.ENOMEM], "pthread_create": [E.EAGAIN], "flock": [E.EWOULDBLOCK, E.ENOLCK],
    "pipe": [E.EMFILE], "close": [E.EIO], "fstat": [E.EIO], "readlink": [E.EACCES], "mkdir": [E.ENOSPC], "unlink": [E.EACCES],
    "link": [E.EPERM], "fallocate": [E.ENOSPC], "fchmod": [E.EPERM], "munmap": [E.ENOMEM], "madvise": [E.EINVAL], "mprotect": [E.ENOMEM], "sync_file_range": [E.EIO],
}
STEP = 37  # without --all: the first faults of each kind, then one in so many
PARTS = (".part", ".work")  # a later run goes on from these


def adapter(folder, checkpoint, width):
    """A LoRA adapter of rank 1 for a checkpoint's first query matrix."""
    with open(f"{checkpoint}/model.safetensors", "rb") as weights:
        names = json.loads(weights.read(struct.unpack("<Q", weights.read(8))[0]))
    matrix = min(name for name in names if name.endswith("q_proj.weight")).removesuffix(".weight")
    os.makedirs(folder)
    json.dump({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["q_proj"]}, open(f"{folder}/adapter_config.json", "w"))
    tensors, offset = {}, 0
    for name, shape in (("lora_A", [1, width]), ("lora_B", [width, 1])):
        tensors[f"base_model.model.{matrix}.{name}.weight"] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + 4 * width]}
        offset += 4 * width
    header = json.dumps(tensors).encode()
    open(f"{folder}/adapter_model.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + struct.pack("<f", 0.01) * (2 * width))


def prepare(qed, convert, sample, folder):
    """Inputs of the commands: the sample's tokenizer, and a model so small that a run takes milliseconds."""
    run = lambda *words: subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    width = 32
    config = json.load(open(f"{sample}/config.json")) | {"d_model": width, "n_layers": 1, "n_heads": 1, "ffn_hidden_dim": 32, "max_seq_len": 128}
    json.dump(config, open(f"{folder}/config.json", "w"))
    run(convert, "random", f"{folder}/config.json", "-o", f"{folder}/checkpoint")
    for name in ("generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(f"{sample}/{name}", f"{folder}/checkpoint")
    run(convert, f"{folder}/checkpoint", "-o", f"{folder}/model.gguf", "--type", "q8_0")
    text = open(f"{sample}/heldout.txt").read()[:200]
    open(f"{folder}/text", "w").write(text)
    open(f"{folder}/lines", "w").write("".join(json.dumps({"prompt": "Once upon", "max_tokens": 2, "seed": i}) + "\n" for i in range(3)))
    open(f"{folder}/texts", "w").write('{"text": "Once"}\n')
    open(f"{folder}/ids", "w").write('{"ids": [5, 6]}\n')
    open(f"{folder}/defaults", "w").write('{"max-tokens": 2, "seed": 1}')
    open(f"{folder}/questions", "w").write(json.dumps({"ctx": "Once", "ctx_a": "Once", "ctx_b": "", "activity_label": "x", "endings": [" upon", " a", " the", " b"], "label": 0}) + "\n")
    run(qed, "bundle", "-m", f"{folder}/model.gguf", "-o", f"{folder}/bundle", "--defaults", f"{folder}/defaults")
    run(qed, "generate", "-m", f"{folder}/model.gguf", "--prompt-cache", f"{folder}/cache", "Once upon", "-n", "1")
    adapter(f"{folder}/adapter", f"{folder}/checkpoint", width)


def commands(qed, convert, d):
    """Name: command line in a folder of its own, what is on standard input, exit codes of a run without a fault."""
    m = ["-m", f"{d}/model.gguf"]
    q = lambda *words: [qed, *words]
    c = lambda *words: [convert, *words]
    greedy = ["--greedy", "-n", "2"]
    return {
        "version": q("--version"), "help": q("generate", "--help"), "info": q("info"), "man": q("man"), "completion": q("completion", "bash"),
        "generate built-in": q("generate", "Once", *greedy),
        "generate": q("generate", *m, "Once", *greedy, "-t", "3"),
        "generate into memory": q("generate", *m, "--load", "ram", "-f", f"{d}/text", *greedy),
        "generate from a pipe": (q("generate", *m, "-", *greedy, "--json", "--logprobs", "1", "--digest"), "Once upon"),
        "generate with a cache": q("generate", *m, "--prompt-cache", "cache", "Once upon", *greedy),
        "generate from a cache": q("generate", *m, "--prompt-cache", f"{d}/cache", "Once upon", *greedy),
        "chat": (q("chat", *m, *greedy), "Once\n/save conversation\n/reset\nupon\n"),
        "score": q("score", *m, "Once upon a time", "--html", "page"), "choose": q("choose", *m, "Once", "--choice", " upon", "--choice", " a"),
        "batch": q("batch", *m, "-i", f"{d}/lines", "-o", "records"), "batch from a pipe": (q("batch", *m, "-i", "-"), open(f"{d}/lines").read()),
        "eval": q("eval", *m, "--task", f"hellaswag={d}/questions", "-o", "records"),
        "perplexity": q("perplexity", *m, "-f", f"{d}/text", "-c", "64", "--plot", "plot"), "compare": q("compare", *m, *m, "-f", f"{d}/text", "-c", "64"),
        "plan": q("plan", *m), "inspect": q("inspect", *m), "verify": q("verify", *m), "bench": q("bench", *m, "-p", "2", "-n", "1", "-r", "1", "--plot", "plot"),
        "bake": q("bake", *m, "Once", "-o", "baked"), "bundle": q("bundle", *m, "-o", "bundle"), "extract": q("bundle", "--extract", f"{d}/bundle", "-o", "parts"),
        "a bundle": [f"{d}/bundle", "Once"],
        "logits": q("logits", *m, "--tokens", "1,5", "-o", "logits"), "tokenize": q("tokenize", *m, "--jsonl", f"{d}/texts"), "detokenize": q("detokenize", *m, "--jsonl", f"{d}/ids"),
        "convert version": c("--version"), "convert man": c("man"),
        "convert": c(f"{d}/checkpoint", "-o", "model", "-t", "3", "--card", "card"), "convert with an adapter": c(f"{d}/checkpoint", "-o", "model", "--lora", f"{d}/adapter", "--type", "f16"),
        "calibrate": c(f"{d}/checkpoint", "-o", "model", "--type", "q4_0", "--calibrate", f"{d}/text", "--measure", f"{d}/text"),
        "repack": c("repack", f"{d}/model.gguf", "-o", "model", "--layout", "plain"), "random": c("random", f"{d}/checkpoint/config.json", "-o", "model"),
    }


class Outcome:
    def __init__(self, code, output, error, files, phase):
        self.code, self.output, self.error, self.files, self.phase = code, output, error, files, phase


class Runner:
    def __init__(self, shim, folder, timeout):
        self.shim, self.folder, self.timeout = shim, folder, timeout

    def run(self, command, call=None, at=0, error=0):
        words, text = command if isinstance(command, tuple) else (command, "")
        place = tempfile.mkdtemp(dir=self.folder)
        heard, told = os.pipe()
        environment = dict(os.environ)
        if call:
            environment.update(LD_PRELOAD=self.shim, FAULT_CALL=call, FAULT_AT=str(at), FAULT_ERROR=str(error), FAULT_REPORT=str(told))
        try:
            process = subprocess.Popen(words, cwd=place, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[told])
            os.close(told)
            try:
                output, line = process.communicate(text.encode(), timeout=self.timeout)
                code = process.returncode
            except subprocess.TimeoutExpired:
                process.kill()
                output, line = process.communicate()
                code = "hangs"
            phase = os.read(heard, 1).decode()
            files = {os.path.relpath(os.path.join(at, name), place): open(os.path.join(at, name), "rb").read() for at, _, names in os.walk(place) for name in names}
            return Outcome(code, output, line.decode(errors="replace"), files, phase)
        finally:
            os.close(heard)
            shutil.rmtree(place)


def judge(name, sound, fault, call):
    """What is wrong with a run, or None."""
    if call in ("unlink", "flock"):  # what cannot be removed, or has been locked by another, stays
        fault.files = {f: content for f, content in fault.files.items() if f in sound.files}
    # A chat goes on after an error of one of its commands; what is printed of times and of free memory differs anyway.
    if name == "chat" and fault.code == 0 and "error: " in fault.error and "unexpected:" not in fault.error and not fault.files.keys() - sound.files.keys():
        return None
    same = fault.code == sound.code and (fault.output == sound.output or name in ("bench", "plan", "generate from a pipe")) and fault.files.keys() == sound.files.keys() \
        and all(fault.files[f] == sound.files[f] for f in sound.files if name != "bench")
    if fault.phase == "r":
        return None if same or fault.code not in (0, "hangs") else f"exit {fault.code} in the runtime's start"
    if same:
        return None
    if fault.code == "hangs":
        return "hangs"
    lines = fault.error.splitlines()
    # What only saves time (a prompt cache) may fail: the result is there, and one line says what is not.
    more = [line for line in lines if line not in sound.error.splitlines()]
    if fault.code == sound.code == 0 and fault.output == sound.output and len(more) == 1 and more[0].startswith("warning: ") and "unexpected:" not in more[0] \
            and all(sound.files.get(f) == content for f, content in fault.files.items()):
        return None
    errors = [line for line in lines if line.startswith("error: ")]
    if fault.code not in (1, 2, 3):
        return f"exit {fault.code}"
    if "unexpected:" in fault.error:
        return "unexpected"
    others = [line for line in lines if line not in errors and line not in sound.error.splitlines()]
    if (len(errors) != 1 and not (call == "write" and not errors)) or any("   at " in line for line in others):
        return f"{len(errors)} error lines"
    half = [f for f in fault.files if f not in sound.files and not f.endswith(PARTS) or f in sound.files and fault.files[f] != sound.files[f]]
    if half:
        return f"leaves {', '.join(half)}"
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    for option in ("--qed", "--convert", "--sample", "--shim", "--folder"):
        arguments.add_argument(option, required=True)
    arguments.add_argument("--all", action="store_true", help="every fault, not the first ones of each kind and a spread of the rest")
    arguments.add_argument("--first", type=int, default=60, help="how many first faults of each kind")
    arguments.add_argument("--only", default="", help="commands, comma-separated")
    arguments.add_argument("--calls", default="", help="calls, comma-separated")
    arguments.add_argument("--timeout", type=float, default=60)
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    given = arguments.parse_args()
    inputs = f"{given.folder}/inputs"
    os.makedirs(inputs)
    prepare(given.qed, given.convert, given.sample, inputs)
    runner = Runner(given.shim, given.folder, given.timeout)
    counts, problems, entry = collections.Counter(), [], threading.Lock()

    def series(name, command, sound, call, error):
        at = 1
        while True:
            fault = runner.run(command, call, at, error)
            if not fault.phase and fault.code != "hangs":
                return
            problem = judge(name, sound, fault, call)
            with entry:
                counts["runtime" if fault.phase == "r" else "program"] += 1
                counts[f"exit {fault.code} ({'runtime' if fault.phase == 'r' else 'program'})"] += 1
                if problem:
                    problems.append(f"{name}: {call} {at} {E.errorcode.get(error, 'half')}: {problem}: {fault.error.strip()[:300]}")
                    print(problems[-1], flush=True)
            at += 1 if given.all or at < given.first else STEP

    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        work = []
        for name, command in commands(given.qed, given.convert, inputs).items():
            if given.only and name not in given.only.split(","):
                continue
            sound = runner.run(command)
            if sound.code != 0:
                sys.exit(f"{name}: exit {sound.code} without a fault: {sound.error}")
            for call, errors in CALLS.items():
                if not given.calls or call in given.calls.split(","):
                    work += [pool.submit(series, name, command, sound, call, error) for error in errors]
        for one in work:
            one.result()
    print(f"{counts['program'] + counts['runtime']} faults, {counts['runtime']} of them before the program's own start; {', '.join(f'{key}: {value}' for key, value in sorted(counts.items()) if key.startswith('exit'))}; {len(problems)} ended badly")
    sys.exit(1 if problems else 0)


main()
