#!/usr/bin/env python3
"""Lets every system call of every command fail, one at a time, with tests/native/faults.c; prints what ended badly.

Without --all, of each kind of call the first ones of a command fail, the last one, and of those between the fewer the more there are (of the commands that take
long the first and the last); the first and the last with each error, those between with one each in turn. How many there are is counted in a run without faults.
The start of the runtime, which is the same in all commands, is tried with one of each program.

A run ends well if it does what it does without the fault, or ends with exit code 1, 2 or 3 and one line that begins with "error: ";
and if nothing is left that the same command would not have left, but what a later run takes over. Faults before the program's own
first call are its runtime's: they may end it in any way but one: as if nothing had been. Where no memory is given to the collector or to the start of a
thread, the runtime runs into an address that is none; managed code cannot, and so a SIGSEGV there is counted as the runtime's too.
"""
import argparse, collections, concurrent.futures, errno, json, os, re, shutil, signal, struct, subprocess, sys, tempfile, threading

E = errno
CALLS = {  # name: errors; 0 is half of the bytes
    "open": [E.EMFILE, E.EACCES, E.EINTR], "read": [E.EIO, E.EINTR, 0], "pread": [E.EIO, E.EINTR, 0],
    "write": [E.ENOSPC, E.EINTR, 0], "pwrite": [E.ENOSPC, E.EFBIG, E.EINTR, 0], "mmap": [E.ENOMEM], "fsync": [E.EIO, E.ENOSPC], "rename": [E.EACCES, E.ENOSPC],
    "ftruncate": [E.EIO], "malloc": [E.ENOMEM], "calloc": [E.ENOMEM], "pthread_create": [E.EAGAIN], "flock": [E.EWOULDBLOCK, E.ENOLCK],
    "realloc": [E.ENOMEM], "stat": [E.EIO, E.EACCES], "statx": [E.EIO, E.EACCES], "statfs": [E.EIO], "access": [E.EACCES], "lock": [E.EAGAIN, E.ENOLCK],
    "opendir": [E.EMFILE, E.EACCES], "readdir": [E.EIO], "getcwd": [E.ENOENT], "fopen": [E.EMFILE],
    "pipe": [E.EMFILE], "close": [E.EIO], "fstat": [E.EIO], "readlink": [E.EACCES], "mkdir": [E.ENOSPC], "unlink": [E.EACCES],
    "link": [E.EPERM], "fallocate": [E.ENOSPC], "fchmod": [E.EPERM], "munmap": [E.ENOMEM], "madvise": [E.EINVAL], "mprotect": [E.ENOMEM], "sync_file_range": [E.EIO],
}
ALWAYS = {"statx": [E.ENOSYS, E.EPERM]}  # sandboxes that do not know a call
STARTS = ("version", "convert version")  # commands in which the start of the runtime is tried without --all
LONG = ("bench", "calibrate", "convert for a size")  # commands of which the first and the last call of a kind are enough without --all
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
    open(f"{folder}/messages", "w").write('{"messages": [{"role": "user", "content": "Once"}]}')
    open(f"{folder}/ids", "w").write('{"ids": [5, 6]}\n')
    open(f"{folder}/defaults", "w").write('{"max-tokens": 2, "seed": 1}')
    open(f"{folder}/questions", "w").write(json.dumps({"ctx": "Once", "ctx_a": "Once", "ctx_b": "", "activity_label": "x", "endings": [" upon", " a", " the", " b"], "label": 0}) + "\n")
    run(qed, "bundle", "-m", f"{folder}/model.gguf", "-o", f"{folder}/bundle", "--defaults", f"{folder}/defaults")
    run(qed, "generate", "-m", f"{folder}/model.gguf", "--prompt-cache", f"{folder}/cache", "Once upon", "-n", "1")
    adapter(f"{folder}/adapter", f"{folder}/checkpoint", width)
    os.symlink("model.gguf", f"{folder}/link.gguf")
    os.makedirs(f"{folder}/tasks")
    shutil.copy(f"{folder}/questions", f"{folder}/tasks/hellaswag.jsonl")
    run(qed, "bake", "-m", f"{folder}/model.gguf", "Once", "-o", f"{folder}/baked.gguf")
    subprocess.run([qed, "chat", "-m", f"{folder}/model.gguf", "--greedy", "-n", "2"], check=True, input=f"Once\n/save {folder}/conversation\n".encode(), capture_output=True)
    parts(f"{folder}/checkpoint", f"{folder}/parts")


def parts(checkpoint, folder):
    """The checkpoint as a download has it: links into a store, and the tensors in a part that an index names."""
    os.makedirs(folder)
    for name in os.listdir(checkpoint):
        os.symlink(f"../checkpoint/{name}", f"{folder}/{'part.safetensors' if name == 'model.safetensors' else name}")
    with open(f"{checkpoint}/model.safetensors", "rb") as weights:
        names = json.loads(weights.read(struct.unpack("<Q", weights.read(8))[0]))
    json.dump({"weight_map": {name: "part.safetensors" for name in names if name != "__metadata__"}}, open(f"{folder}/model.safetensors.index.json", "w"))


def check_names(qed, convert, listed):
    """Ends the run where a command of the programs is not among those tried."""
    tried = {tuple(os.path.basename(word) if word in (qed, convert) else word for word in (command[0] if isinstance(command, tuple) else command)[:2]) for command in listed.values()}
    manual = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/cli.md")).read()
    missing = [f"{program} {name}" for program, name in re.findall(r"^#+ (qed|qed-convert) (\S+)$", manual, re.MULTILINE) if (program, name) not in tried]
    if missing:
        sys.exit(f"not among the commands that are tried: {', '.join(missing)}")


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
        "generate by a link": q("generate", "-m", f"{d}/link.gguf", "Once", *greedy), "generate from a baked prefix": q("generate", "-m", f"{d}/baked.gguf", "upon", *greedy),
        "generate into memory": q("generate", *m, "--load", "ram", "-f", f"{d}/text", *greedy),
        "generate from a pipe": (q("generate", *m, "-", *greedy, "--json", "--logprobs", "1", "--digest"), "Once upon"),
        "generate with a cache": q("generate", *m, "--prompt-cache", "cache", "Once upon", *greedy),
        "generate from a cache": q("generate", *m, "--prompt-cache", f"{d}/cache", "Once upon", *greedy),
        "chat": (q("chat", *m, *greedy), "Once\n/save conversation\n/reset\nupon\n"),
        "chat goes on": (q("chat", *m, *greedy, "--load-session", f"{d}/conversation"), "upon\n"),
        "score": q("score", *m, "Once upon a time", "--html", "page"), "choose": q("choose", *m, "Once", "--choice", " upon", "--choice", " a"),
        "batch": q("batch", *m, "-i", f"{d}/lines", "-o", "records"), "batch from a pipe": (q("batch", *m, "-i", "-"), open(f"{d}/lines").read()),
        "eval": q("eval", *m, "--task", f"hellaswag={d}/questions", "-o", "records"),
        "eval of a folder": q("eval", *m, f"{d}/tasks", "--resume", "-o", "records"), "batch resumed": q("batch", *m, "-i", f"{d}/lines", "-o", "records", "--resume"),
        "perplexity": q("perplexity", *m, "-f", f"{d}/text", "-c", "64", "--plot", "plot"), "compare": q("compare", *m, *m, "-f", f"{d}/text", "-c", "64"),
        "plan": q("plan", *m), "inspect": q("inspect", *m), "verify": q("verify", *m), "verify a bundle": q("verify", "-m", f"{d}/bundle"), "bench": q("bench", *m, "-p", "2", "-n", "1", "-r", "1", "--plot", "plot"),
        "bake": q("bake", *m, "Once", "-o", "baked"), "bundle": q("bundle", *m, "-o", "bundle"), "extract": q("bundle", "--extract", f"{d}/bundle", "-o", "parts"),
        "a bundle": [f"{d}/bundle", "Once"],
        "logits": q("logits", *m, "--tokens", "1,5", "-o", "logits"), "tokenize": q("tokenize", *m, "--jsonl", f"{d}/texts"), "detokenize": q("detokenize", *m, "--jsonl", f"{d}/ids"),
        "render": q("render", *m, f"{d}/messages"),
        "convert version": c("--version"), "convert man": c("man"), "convert completion": c("completion", "bash"), "convert help": c("--help"),
        "convert parts": c(f"{d}/parts", "-o", "model", "--arch", "qwen2"), "convert for a size": c(f"{d}/checkpoint", "-o", "model", "--calibrate", f"{d}/text", "--type", "q4_0", "--target-bpw", "7"),
        "convert": c(f"{d}/checkpoint", "-o", "model", "-t", "3", "--card", "card"), "convert with an adapter": c(f"{d}/checkpoint", "-o", "model", "--lora", f"{d}/adapter", "--type", "f16"),
        "calibrate": c(f"{d}/checkpoint", "-o", "model", "--type", "q4_0", "--calibrate", f"{d}/text", "--measure", f"{d}/text"),
        "repack": c("repack", f"{d}/model.gguf", "-o", "model", "--layout", "plain"), "random": c("random", f"{d}/checkpoint/config.json", "-o", "model"),
    }


class Outcome:
    def __init__(self, code, output, error, files, phase):
        self.code, self.output, self.error, self.files, self.phase = code, output, error, files, phase


def places(calls, first):
    """Of so many calls those that fail: the first ones, behind them one after ever larger gaps, and the last."""
    at, chosen = 1, set()
    while at <= calls:
        chosen.add(at)
        at += max(1, at // first) if first else calls
    return sorted(chosen | {calls} - {0})


class Runner:
    def __init__(self, shim, folder, timeout):
        self.shim, self.folder, self.timeout = shim, folder, timeout

    def run(self, command, call="", at=0, error=0, phase="r"):
        """Runs a command with one fault; without a call it has none, and the outcome's phase is how often it makes each kind of call."""
        words, text = command if isinstance(command, tuple) else (command, "")
        place = tempfile.mkdtemp(dir=self.folder)
        heard, told = os.pipe()
        environment = dict(os.environ, LD_PRELOAD=self.shim, FAULT_CALL=call, FAULT_AT=str(at), FAULT_ERROR=str(error), FAULT_PHASE=phase, FAULT_REPORT=str(told))
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
            came = os.read(heard, 1 if call else 1 << 16).decode()
            files = {os.path.relpath(os.path.join(at, name), place): open(os.path.join(at, name), "rb").read() for at, _, names in os.walk(place) for name in names}
            return Outcome(code, output, line.decode(errors="replace"), files, came)
        finally:
            os.close(heard)
            shutil.rmtree(place)


def fell_in_runtime(fault, call):
    """Whether the runtime itself does not survive that there is no memory: it runs into an address that is none."""
    return call in ("malloc", "calloc", "realloc") and fault.code == -signal.SIGSEGV


def judge(name, sound, fault, call):
    """What is wrong with a run, or None."""
    if call in ("unlink", "flock"):  # what cannot be removed, or has been locked by another, stays
        fault.files = {f: content for f, content in fault.files.items() if f in sound.files}
    # A chat goes on after an error of one of its commands; what is printed of times and of free memory differs anyway, and the limits of the machine
    # are those that can be read.
    if name == "chat" and fault.code == 0 and "error: " in fault.error and "unexpected:" not in fault.error and not fault.files.keys() - sound.files.keys():
        return None
    same = fault.code == sound.code and (fault.output == sound.output or name in ("bench", "info", "plan", "generate from a pipe")) and fault.files.keys() == sound.files.keys() \
        and all(fault.files[f] == sound.files[f] for f in sound.files if name != "bench")
    if fault.phase == "r":
        return None if same or fault.code not in (0, "hangs") else f"exit {fault.code} in the runtime's start"
    if same or fell_in_runtime(fault, call):
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
    arguments.add_argument("--all", action="store_true", help="every fault")
    arguments.add_argument("--first", type=int, default=20, help="how many first calls of a kind fail one by one; behind them the gaps grow by one in so many; 0: the first and the last")
    arguments.add_argument("--only", default="", help="commands, comma-separated")
    arguments.add_argument("--calls", default="", help="calls, comma-separated")
    arguments.add_argument("--timeout", type=float, default=60)
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    given = arguments.parse_args()
    inputs = f"{given.folder}/inputs"
    os.makedirs(inputs)
    prepare(given.qed, given.convert, given.sample, inputs)
    runner = Runner(given.shim, given.folder, given.timeout)
    listed = commands(given.qed, given.convert, inputs)
    check_names(given.qed, given.convert, listed)
    counts, problems, entry = collections.Counter(), [], threading.Lock()

    def judged(name, command, sound, call, error, at, phase):
        """Runs a command with one fault; None where it did not come."""
        fault = runner.run(command, call, at, error, phase)
        if not fault.phase and fault.code != "hangs":
            return None
        problem = judge(name, sound, fault, call)
        where = "start" if fault.phase == "r" else "runtime" if fell_in_runtime(fault, call) else "program"
        with entry:
            counts[where] += 1
            counts[f"exit {fault.code} ({where})"] += 1
            if problem:
                problems.append(f"{name}: {call} {at}{phase} {E.errorcode.get(error, 'half')}: {problem}: {fault.error.strip()[:300]}")
                print(problems[-1], flush=True)
        return fault

    def all_of(name, command, sound, call, error, phase):
        at = 1
        while (fault := judged(name, command, sound, call, error, at, phase)) and (phase == "p" or fault.phase == "r"):
            at += 1

    def some_of(name, command, sound, call, errors, calls):
        chosen = places(calls, 0 if name in LONG else given.first)
        for i, at in enumerate(chosen):
            for error in errors if at in (1, calls) else [errors[i % len(errors)]]:
                judged(name, command, sound, call, error, at, "p")

    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        work = []
        for name, command in listed.items():
            if given.only and name not in given.only.split(","):
                continue
            counts["command lines"] += 1
            sound = runner.run(command)
            if sound.code != 0:
                sys.exit(f"{name}: exit {sound.code} without a fault: {sound.error}")
            made = dict(line.split() for line in sound.phase.splitlines())
            for call, errors in CALLS.items():
                if not given.calls or call in given.calls.split(","):
                    if given.all:
                        work += [pool.submit(all_of, name, command, sound, call, error, "p") for error in errors]
                    else:
                        work += [pool.submit(some_of, name, command, sound, call, errors, int(made.get(call, 0)))]
                    if given.all or name in STARTS:
                        work += [pool.submit(all_of, name, command, sound, call, error, "r") for error in errors]
                    work += [pool.submit(judged, name, command, sound, call, error, 0, "p") for error in ALWAYS.get(call, [])]
        for one in work:
            one.result()
    total = sum(counts[where] for where in ("program", "runtime", "start"))
    ends = ", ".join(f"{key}: {value}" for key, value in sorted(counts.items()) if key.startswith("exit"))
    print(f"{total} faults of {len(CALLS)} functions in {counts['command lines']} command lines, {counts['start']} before the program's own start, {counts['runtime']} that the runtime does not survive; {ends}; {len(problems)} ended badly")
    sys.exit(1 if problems else 0)


main()
