"""QedEdge in Python, with nothing but ctypes: copy this file beside your program.

    import qed

    with qed.Model("model.gguf") as model, model.session() as session:
        for piece in session.generate("Once upon a time", max_tokens=50):
            print(piece, end="", flush=True)

The library is dist/libqed.so, or what the variable LIBQED names.
"""
import ctypes
import json
import os
import queue
import threading
from ctypes import byref, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p, sizeof

_VERSION = 1 << 16 | 1
_lib = ctypes.CDLL(os.environ.get("LIBQED", "dist/libqed.so"))
_lib.qed_last_error.restype = c_char_p
for _name in ("qed_chat", "qed_chat_stop", "qed_tokenize", "qed_detokenize"):
    getattr(_lib, _name).restype = c_int64
_Receiver = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_int32)


class Error(Exception):
    """What the library said, in one line."""


class _Sampling(ctypes.Structure):  # qed_sampling_options
    _fields_ = [("size", c_size_t), ("temperature", c_float), ("top_k", c_int32), ("top_p", c_float), ("min_p", c_float),
                ("typical_p", c_float), ("repeat_penalty", c_float), ("presence_penalty", c_float),
                ("frequency_penalty", c_float), ("penalty_window", c_int32), ("reserved", c_int32), ("seed", c_uint64),
                ("logit_bias", c_void_p), ("logit_bias_count", c_size_t), ("penalize_new", c_int32), ("reserved_2", c_int32)]


class _Options(ctypes.Structure):  # qed_generate_options
    _fields_ = [("size", c_size_t), ("sampling", c_void_p), ("max_tokens", c_int32), ("ignore_eos", c_int32),
                ("stop", c_void_p), ("stop_count", c_size_t), ("seed", c_uint64)]


class _SessionOptions(ctypes.Structure):  # qed_session_options
    _fields_ = [("size", c_size_t), ("threads", c_int32), ("context_length", c_int32), ("kv_type", c_int32),
                ("overflow", c_int32), ("sinks", c_int32), ("reserved", c_int32)]


def _check(result):
    if result < 0:
        raise Error(_lib.qed_last_error().decode())
    return result


def _read(function, kind, *arguments):
    """What a function writes into a buffer, which it is asked the length of first."""
    buffer = (kind * (_check(function(*arguments, None, c_size_t(0))) + 1))()
    return buffer, _check(function(*arguments, buffer, c_size_t(len(buffer))))


class _Handle:
    """Something that is open until it is closed, or its with statement ends."""

    def __init__(self, close):
        self._handle, self._close = c_void_p(), close

    def close(self):
        handle, self._handle = self._handle, c_void_p()
        _check(self._close(handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Model(_Handle):
    """A model file. Any number of threads and sessions may use it."""

    def __init__(self, path):
        super().__init__(_lib.qed_close)
        _check(_lib.qed_check_version(_VERSION))
        _check(_lib.qed_open(os.fsencode(path), None, byref(self._handle)))

    def session(self, threads=0, context_length=0, slides=False):
        """A context of its own; 0 threads are one per core, a context of 0 tokens the model's."""
        return Session(self, _SessionOptions(sizeof(_SessionOptions), threads, context_length, 0, int(slides)))

    def tokenize(self, text):
        """The ids of a prompt."""
        data = text.encode()
        ids, count = _read(_lib.qed_tokenize, c_int32, self._handle, data, c_size_t(len(data)), c_int32(8))
        return ids[:count]

    def detokenize(self, ids):
        """The text of ids."""
        text, length = _read(_lib.qed_detokenize, ctypes.c_char, self._handle, (c_int32 * len(ids))(*ids), c_size_t(len(ids)), c_int32(0))
        return text[:length].decode()


class Session(_Handle):
    """One context. It belongs to one thread at a time."""

    def __init__(self, model, options):
        super().__init__(_lib.qed_session_close)
        self.model = model
        _check(_lib.qed_session_open(model._handle, byref(options), byref(self._handle)))

    def generate(self, prompt, **options):
        """Yields the text that follows a prompt, piece by piece: max_tokens, seed, temperature, top_k, top_p, min_p,
        repeat_penalty, stop (texts), ignore_eos."""
        data = prompt.encode()
        return self._stream(_lib.qed_generate, data, len(data), **options)

    def chat(self, messages, tools=None, stop=(), **options):
        """Yields the answer to a conversation: [{"role": "user", "content": "Hello"}, …] in OpenAI's form."""
        data = json.dumps({"messages": messages, **({"tools": tools} if tools else {})}).encode()
        ids, count = _read(_lib.qed_chat, c_int32, self.model._handle, data, c_size_t(len(data)))
        stops = list(stop)
        while text := _read(_lib.qed_chat_stop, ctypes.c_char, self.model._handle, c_size_t(len(stops) - len(stop)))[0].value:
            stops.append(text.decode())
        self.reset()
        return self._stream(_lib.qed_generate_ids, ids, count, stop=stops, **options)

    def reset(self):
        """Forgets everything."""
        _check(_lib.qed_rollback(self._handle, c_int32(0)))

    def _stream(self, function, prompt, length, max_tokens=256, stop=(), seed=0, ignore_eos=False, **sampling):
        """A thread generates, the caller reads; a caller that reads no further stops it."""
        chosen = _Sampling(sizeof(_Sampling))
        _check(_lib.qed_sampling_defaults(self.model._handle, byref(chosen)))
        for name, value in sampling.items():
            if not hasattr(chosen, name):
                raise TypeError(f"there is no option {name}")
            setattr(chosen, name, value)
        chosen.seed = seed
        stops = (c_char_p * len(stop))(*(text.encode() for text in stop))
        options = _Options(sizeof(_Options), ctypes.addressof(chosen), max_tokens, int(ignore_eos), ctypes.addressof(stops), len(stop), seed)
        pieces, stopped = queue.Queue(), threading.Event()

        @_Receiver
        def receive(_, text, count, token):
            if count:
                pieces.put(ctypes.string_at(text, count).decode())
            return int(stopped.is_set())

        def run():
            result = function(self._handle, prompt, c_size_t(length), byref(options), receive, None, None)
            pieces.put(Error(_lib.qed_last_error().decode()) if result < 0 else None)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, Error):
                    raise piece
                yield piece
        finally:
            stopped.set()
            thread.join()
