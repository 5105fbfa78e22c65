# Quantizes a GGUF file with llama.cpp's own quantizer: all matrices alike, or a mix of types as it is published.
# python3 llama-quantize.py FOLDER_WITH_NODE_MODULES IN.gguf OUT.gguf q8_0|q4_0|iq4_nl|q4_k_m
import ctypes, glob, os, sys

folder, source, target, name = sys.argv[1:]
file_type, tensor_type = {"q8_0": (7, 8), "q4_0": (2, 2), "iq4_nl": (25, 20), "q4_k_m": (15, None)}[name]  # enum llama_ftype, enum ggml_type
libraries = os.path.join(folder, "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64")
for pattern in ("libggml-base*.so*", "libggml*.so*"):
    for library in sorted(glob.glob(os.path.join(libraries, pattern))):
        try:
            ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
        except OSError:
            pass  # kernels for another processor
llama = ctypes.CDLL(sorted(glob.glob(os.path.join(libraries, "libllama.*so*")))[0], ctypes.RTLD_GLOBAL)


class Parameters(ctypes.Structure):  # llama_model_quantize_params of version 0.5.0, as far as it is set here
    _fields_ = [("nthread", ctypes.c_int32), ("ftype", ctypes.c_int32), ("output_tensor_type", ctypes.c_int32), ("token_embedding_type", ctypes.c_int32),
                ("allow_requantize", ctypes.c_bool), ("quantize_output_tensor", ctypes.c_bool), ("only_copy", ctypes.c_bool), ("pure", ctypes.c_bool), ("rest", ctypes.c_char * 200)]


llama.llama_model_quantize_default_params.restype = Parameters
llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
llama.llama_backend_init()
parameters = llama.llama_model_quantize_default_params()
parameters.ftype = file_type
if tensor_type is not None:
    parameters.output_tensor_type, parameters.token_embedding_type, parameters.pure = tensor_type, tensor_type, True
sys.exit(llama.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)))
