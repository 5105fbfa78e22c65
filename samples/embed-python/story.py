"""Tells a story with libqed: story.py MODEL.gguf [PROMPT [SEED]]"""
import ctypes
import os
import sys
from ctypes import c_char_p, c_int32, c_size_t, c_uint64, c_void_p

qed = ctypes.CDLL(os.environ.get("LIBQED", "dist/libqed.so"))
qed.qed_last_error.restype = c_char_p

Callback = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_int32)

class Options(ctypes.Structure):  # qed_generate_options
    _fields_ = [("size", c_size_t), ("sampling", c_void_p), ("max_tokens", c_int32), ("ignore_eos", c_int32),
                ("stop", c_void_p), ("stop_count", c_size_t), ("seed", c_uint64)]

def check(result):
    if result < 0:
        sys.exit("error: " + qed.qed_last_error().decode())

@Callback
def show(user, text, length, token):
    print(ctypes.string_at(text, length).decode(), end="", flush=True)
    return 0  # anything else would stop

if len(sys.argv) < 2:
    sys.exit(__doc__)
prompt = (sys.argv[2] if len(sys.argv) > 2 else "Once upon a time").encode()
model, session = c_void_p(), c_void_p()
check(qed.qed_check_version(1 << 16))
check(qed.qed_open(os.fsencode(sys.argv[1]), None, ctypes.byref(model)))
check(qed.qed_session_open(model, None, ctypes.byref(session)))
options = Options(size=ctypes.sizeof(Options), max_tokens=50, seed=int(sys.argv[3]) if len(sys.argv) > 3 else 0)
check(qed.qed_generate(session, prompt, c_size_t(len(prompt)), ctypes.byref(options), show, None, None))
print()
check(qed.qed_session_close(session))
check(qed.qed_close(model))
