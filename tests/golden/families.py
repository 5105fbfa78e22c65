"""The families' checkpoints: which tensors a config.json asks for, and the model that they make. A new family is a function here and a line in FAMILIES."""
import math

from reference import ACTIVATIONS, Layer, LayerNorm, Linear, Model, RmsNorm, Rotary


class Tensors:
    """Takes tensors by name and shape. Of values that are given (a checkpoint's), or made up as they are asked for."""

    def __init__(self, given=None, make=None):
        self.given, self.make, self.made = given, make, {}

    def take(self, name, *shape):
        """A vector, or rows."""
        values = self.make(name, shape) if self.given is None else self.given[name]
        count = math.prod(shape)
        if len(values) != count:
            raise ValueError(f"{name}: {len(values)} values instead of {count}")
        self.made[name] = (shape, values)
        return values if len(shape) == 1 else [values[at:at + shape[1]] for at in range(0, count, shape[1])]

    def linear(self, name, outputs, inputs, bias=False):
        return Linear(self.take(f"{name}.weight", outputs, inputs), self.take(f"{name}.bias", outputs) if bias else None)

    def conv1d(self, name, inputs, outputs):
        """GPT-2's: stored [inputs, outputs]."""
        rows = self.take(f"{name}.weight", inputs, outputs)
        return Linear([list(row) for row in zip(*rows)], self.take(f"{name}.bias", outputs))

    def layer_norm(self, name, width, epsilon):
        return LayerNorm(self.take(f"{name}.weight", width), self.take(f"{name}.bias", width), epsilon)


def llama(config, tensors, query_bias=None, output_bias=None, query_key_norm=False):
    """Llama, and by what they add to it SmolLM3, Qwen2 and Qwen3."""
    width, heads, epsilon = config["hidden_size"], config["num_attention_heads"], config["rms_norm_eps"]
    shared, size, inner = config.get("num_key_value_heads", heads), config.get("head_dim") or width // heads, config["intermediate_size"]
    attention_bias, feed_forward_bias = config.get("attention_bias", False), config.get("mlp_bias", False)
    query_bias, output_bias = attention_bias if query_bias is None else query_bias, attention_bias if output_bias is None else output_bias
    rotary = Rotary(size, config["rope_theta"], config.get("rope_scaling"))
    rotated = config.get("no_rope_layers") or [1] * config["num_hidden_layers"]

    def norm(name, columns=width):
        return RmsNorm(tensors.take(f"{name}.weight", columns), epsilon)

    embedding = tensors.take("model.embed_tokens.weight", config["vocab_size"], width)
    layers = []
    for i, turns in enumerate(rotated):
        at = f"model.layers.{i}."
        layers.append(Layer(
            head_size=size, scale=size ** -0.5, rotary=rotary if turns else None, activation=ACTIVATIONS[config["hidden_act"]],
            attention_norm=norm(at + "input_layernorm"),
            query=tensors.linear(at + "self_attn.q_proj", heads * size, width, query_bias),
            key=tensors.linear(at + "self_attn.k_proj", shared * size, width, query_bias),
            value=tensors.linear(at + "self_attn.v_proj", shared * size, width, query_bias),
            query_norm=norm(at + "self_attn.q_norm", size) if query_key_norm else None,
            key_norm=norm(at + "self_attn.k_norm", size) if query_key_norm else None,
            output=tensors.linear(at + "self_attn.o_proj", width, heads * size, output_bias),
            feed_forward_norm=norm(at + "post_attention_layernorm"),
            gate=tensors.linear(at + "mlp.gate_proj", inner, width, feed_forward_bias),
            up=tensors.linear(at + "mlp.up_proj", inner, width, feed_forward_bias),
            down=tensors.linear(at + "mlp.down_proj", width, inner, feed_forward_bias)))
    head = Linear(embedding) if config["tie_word_embeddings"] else tensors.linear("lm_head", config["vocab_size"], width)
    return Model(embedding, layers, norm("model.norm"), head)


def qwen2(config, tensors):
    return llama(config, tensors, query_bias=True, output_bias=False)


def qwen3(config, tensors):
    return llama(config, tensors, query_key_norm=True)


def qed(config, tensors):
    width, heads, inner, bias = config["d_model"], config["n_heads"], config["ffn_hidden_dim"], config["bias"]
    size = width // heads
    rotary = Rotary(size, config["rope_theta"])

    def norm(name):
        return RmsNorm(tensors.take(f"{name}.weight", width), config["rms_norm_eps"])

    embedding = tensors.take("model.embed_tokens.weight", config["vocab_size"], width)
    layers = []
    for i in range(config["n_layers"]):
        at = f"model.layers.{i}."
        query, key, value, output = (tensors.linear(f"{at}attention.{name}_proj", width, width, bias) for name in "qkvo")
        layers.append(Layer(
            head_size=size, scale=size ** -0.5, rotary=rotary, activation=ACTIVATIONS["silu"], query=query, key=key, value=value, output=output,
            attention_norm=norm(at + "input_norm"), feed_forward_norm=norm(at + "post_attn_norm"),
            gate=tensors.linear(at + "mlp.gate_proj", inner, width, bias), up=tensors.linear(at + "mlp.up_proj", inner, width, bias),
            down=tensors.linear(at + "mlp.down_proj", width, inner, bias)))
    rows = embedding if config["tie_word_embeddings"] else tensors.take("lm_head.weight", config["vocab_size"], width)
    return Model(embedding, layers, norm("model.norm"), Linear(rows, tensors.take("lm_head.bias", config["vocab_size"])))


def gemma3(config, tensors):
    width, heads, shared, size, inner = (config[key] for key in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size"))
    wide = Rotary(size, config["rope_theta"], config.get("rope_scaling"))
    narrow = Rotary(size, config["rope_local_base_freq"])

    def norm(name, columns=width):
        return RmsNorm([1 + gain for gain in tensors.take(f"{name}.weight", columns)], config["rms_norm_eps"])

    embedding = tensors.take("model.embed_tokens.weight", config["vocab_size"], width)
    layers = []
    for i, kind in enumerate(config["layer_types"]):
        at, is_local = f"model.layers.{i}.", kind == "sliding_attention"
        layers.append(Layer(
            head_size=size, scale=config["query_pre_attn_scalar"] ** -0.5, rotary=narrow if is_local else wide, window=config["sliding_window"] if is_local else None,
            activation=ACTIVATIONS[config["hidden_activation"]],
            attention_norm=norm(at + "input_layernorm"), query_norm=norm(at + "self_attn.q_norm", size), key_norm=norm(at + "self_attn.k_norm", size),
            query=tensors.linear(at + "self_attn.q_proj", heads * size, width), key=tensors.linear(at + "self_attn.k_proj", shared * size, width),
            value=tensors.linear(at + "self_attn.v_proj", shared * size, width), output=tensors.linear(at + "self_attn.o_proj", width, heads * size),
            post_attention=norm(at + "post_attention_layernorm"), feed_forward_norm=norm(at + "pre_feedforward_layernorm"),
            gate=tensors.linear(at + "mlp.gate_proj", inner, width), up=tensors.linear(at + "mlp.up_proj", inner, width), down=tensors.linear(at + "mlp.down_proj", width, inner),
            post_feed_forward=norm(at + "post_feedforward_layernorm")))
    return Model(embedding, layers, norm("model.norm"), Linear(embedding), scale=math.sqrt(width))


def parted(joined, width):
    """Queries, keys and values of one matrix that has them one after another."""
    return [Linear(joined.rows[at:at + width], joined.bias[at:at + width]) for at in range(0, 3 * width, width)]


def gpt2(config, tensors):
    width, inner, epsilon = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"], config["layer_norm_epsilon"]
    size = width // config["n_head"]
    embedding = tensors.take("transformer.wte.weight", config["vocab_size"], width)
    positions = tensors.take("transformer.wpe.weight", config["n_positions"], width)
    layers = []
    for i in range(config["n_layer"]):
        at = f"transformer.h.{i}."
        query, key, value = parted(tensors.conv1d(at + "attn.c_attn", width, 3 * width), width)
        layers.append(Layer(
            head_size=size, scale=size ** -0.5, activation=ACTIVATIONS[config["activation_function"]], query=query, key=key, value=value,
            attention_norm=tensors.layer_norm(at + "ln_1", width, epsilon), output=tensors.conv1d(at + "attn.c_proj", width, width),
            feed_forward_norm=tensors.layer_norm(at + "ln_2", width, epsilon), up=tensors.conv1d(at + "mlp.c_fc", width, inner), down=tensors.conv1d(at + "mlp.c_proj", inner, width)))
    return Model(embedding, layers, tensors.layer_norm("transformer.ln_f", width, epsilon), Linear(embedding), positions)


def gpt_neo(config, tensors):
    width, inner, epsilon = config["hidden_size"], config.get("intermediate_size") or 4 * config["hidden_size"], config["layer_norm_epsilon"]
    kinds = [kind for names, times in config["attention_types"] for kind in names * times]
    embedding = tensors.take("transformer.wte.weight", config["vocab_size"], width)
    positions = tensors.take("transformer.wpe.weight", config["max_position_embeddings"], width)
    layers = []
    for i, kind in enumerate(kinds):
        at = f"transformer.h.{i}."
        query, key, value = (tensors.linear(f"{at}attn.attention.{name}_proj", width, width) for name in "qkv")
        layers.append(Layer(
            head_size=width // config["num_heads"], scale=1.0, window=config["window_size"] if kind == "local" else None, activation=ACTIVATIONS[config["activation_function"]],
            query=query, key=key, value=value, output=tensors.linear(at + "attn.attention.out_proj", width, width, True),
            attention_norm=tensors.layer_norm(at + "ln_1", width, epsilon), feed_forward_norm=tensors.layer_norm(at + "ln_2", width, epsilon),
            up=tensors.linear(at + "mlp.c_fc", inner, width, True), down=tensors.linear(at + "mlp.c_proj", width, inner, True)))
    return Model(embedding, layers, tensors.layer_norm("transformer.ln_f", width, epsilon), Linear(embedding), positions)


def braided(joined, size):
    """Queries, keys and values of one matrix that has them head by head."""
    def rows(values, which):
        return [value for at in range(0, len(values), 3 * size) for value in values[at + which * size:at + (which + 1) * size]]

    return [Linear(rows(joined.rows, which), rows(joined.bias, which)) for which in range(3)]


def gpt_neox(config, tensors):
    width, inner, epsilon = config["hidden_size"], config["intermediate_size"], config["layer_norm_eps"]
    size = width // config["num_attention_heads"]
    rotary = Rotary(int(size * config["rotary_pct"]), config["rotary_emb_base"], config.get("rope_scaling"))
    embedding = tensors.take("gpt_neox.embed_in.weight", config["vocab_size"], width)
    layers = []
    for i in range(config["num_hidden_layers"]):
        at = f"gpt_neox.layers.{i}."
        query, key, value = braided(tensors.linear(at + "attention.query_key_value", 3 * width, width, True), size)
        layers.append(Layer(
            head_size=size, scale=size ** -0.5, rotary=rotary, parallel=config["use_parallel_residual"], activation=ACTIVATIONS[config["hidden_act"]],
            query=query, key=key, value=value, output=tensors.linear(at + "attention.dense", width, width, True),
            attention_norm=tensors.layer_norm(at + "input_layernorm", width, epsilon), feed_forward_norm=tensors.layer_norm(at + "post_attention_layernorm", width, epsilon),
            up=tensors.linear(at + "mlp.dense_h_to_4h", inner, width, True), down=tensors.linear(at + "mlp.dense_4h_to_h", width, inner, True)))
    return Model(embedding, layers, tensors.layer_norm("gpt_neox.final_layer_norm", width, epsilon), tensors.linear("embed_out", config["vocab_size"], width))


# model_type: how it is built, what names begin with, and the config.json of a small one.
LLAMA = {"hidden_act": "silu", "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 80, "vocab_size": 101,
         "max_position_embeddings": 64, "rms_norm_eps": 3e-4, "rope_theta": 10000.0, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2}
FAMILIES = {
    "qed": (qed, "model.", {"d_model": 48, "n_heads": 4, "n_layers": 2, "ffn_hidden_dim": 80, "vocab_size": 101, "max_seq_len": 64, "rms_norm_eps": 3e-4, "rope_theta": 10000.0,
                            "bias": False, "tie_word_embeddings": True, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}),
    "llama": (llama, "model.", LLAMA | {"tie_word_embeddings": False}),
    "smollm3": (llama, "model.", LLAMA | {"no_rope_layers": [1, 0]}),
    "qwen2": (qwen2, "model.", LLAMA | {"num_key_value_heads": 1, "use_sliding_window": False}),
    "qwen3": (qwen3, "model.", LLAMA | {"head_dim": 16, "rope_theta": 1e6}),
    "gemma3_text": (gemma3, "model.", {key: value for key, value in LLAMA.items() if key not in ("hidden_act", "tie_word_embeddings")} | {
        "hidden_activation": "gelu_pytorch_tanh", "num_key_value_heads": 1, "head_dim": 16, "query_pre_attn_scalar": 16, "rope_theta": 1e6, "rope_local_base_freq": 10000.0,
        "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"], "bos_token_id": 2, "eos_token_id": 1}),
    "gpt2": (gpt2, "transformer.", {"activation_function": "gelu_new", "n_embd": 48, "n_head": 4, "n_layer": 2, "n_positions": 64, "vocab_size": 101, "layer_norm_epsilon": 3e-4,
                                    "bos_token_id": 1, "eos_token_id": 1}),
    "gpt_neo": (gpt_neo, "transformer.", {"activation_function": "gelu_new", "hidden_size": 48, "num_heads": 4, "num_layers": 2, "attention_types": [[["global", "local"], 1]],
                                          "window_size": 5, "max_position_embeddings": 64, "vocab_size": 101, "layer_norm_epsilon": 3e-4, "bos_token_id": 1, "eos_token_id": 1}),
    "gpt_neox": (gpt_neox, "gpt_neox.", {"hidden_act": "gelu", "hidden_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 192, "vocab_size": 101,
                                         "max_position_embeddings": 64, "rotary_pct": 0.5, "rotary_emb_base": 10000, "use_parallel_residual": True, "layer_norm_eps": 3e-4,
                                         "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 0}),
}
