"""The forward pass of every family in float64, one token after the other, as docs/numerics.md (N1) and docs/families.md define it; no speed, no rounding, no cache."""
import math
from operator import mul


def dot(a, b):
    return sum(map(mul, a, b))


def add(a, b):
    return [p + q for p, q in zip(a, b)]


class Linear:
    """y = W x + b; W is rows of [outputs, inputs]."""

    def __init__(self, rows, bias=None):
        self.rows, self.bias = rows, bias

    def __call__(self, x):
        y = [dot(row, x) for row in self.rows]
        return y if self.bias is None else add(y, self.bias)


class RmsNorm:
    def __init__(self, gain, epsilon):
        self.gain, self.epsilon = gain, epsilon

    def __call__(self, x):
        factor = 1 / math.sqrt(dot(x, x) / len(x) + self.epsilon)
        return [value * factor * gain for value, gain in zip(x, self.gain)]


class LayerNorm:
    def __init__(self, gain, bias, epsilon):
        self.gain, self.bias, self.epsilon = gain, bias, epsilon

    def __call__(self, x):
        mean = sum(x) / len(x)
        centred = [value - mean for value in x]
        factor = 1 / math.sqrt(dot(centred, centred) / len(x) + self.epsilon)
        return [value * factor * gain + bias for value, gain, bias in zip(centred, self.gain, self.bias)]


class Rotary:
    """Half-split: of the first n values of a head pairs j and j + n/2 turn."""

    def __init__(self, size, theta, scaling=None):
        self.turns = [theta ** (-2 * j / size) for j in range(size // 2)]
        self.length = 1.0
        kind = (scaling or {}).get("rope_type", (scaling or {}).get("type", "default"))
        if kind == "linear":
            self.turns = [turn / scaling["factor"] for turn in self.turns]
        elif kind == "llama3":
            self.turns = [self._llama3(turn, scaling) for turn in self.turns]
        elif kind == "yarn":
            self._yarn(size, theta, scaling)
        elif kind != "default":
            raise ValueError(f"rope type {kind}")

    @staticmethod
    def _llama3(turn, scaling):
        turns = scaling["original_max_position_embeddings"] * turn / (2 * math.pi)
        share = (turns - scaling["low_freq_factor"]) / (scaling["high_freq_factor"] - scaling["low_freq_factor"])
        share = min(max(share, 0.0), 1.0)
        return share * turn + (1 - share) * turn / scaling["factor"]

    def _yarn(self, size, theta, scaling):
        def at(turns):
            return size * math.log(scaling["original_max_position_embeddings"] / (2 * math.pi * turns)) / (2 * math.log(theta))

        low = max(math.floor(at(scaling.get("beta_fast", 32))), 0)
        high = min(math.ceil(at(scaling.get("beta_slow", 1))), size - 1)
        for j, turn in enumerate(self.turns):
            divided = min(max((j - low) / (high - low or 0.001), 0.0), 1.0)
            self.turns[j] = (1 - divided) * turn + divided * turn / scaling["factor"]
        self.length = scaling.get("attention_factor", 0.1 * math.log(scaling["factor"]) + 1)

    def __call__(self, head, position):
        half = len(self.turns)
        y = list(head)
        for j, turn in enumerate(self.turns):
            cos, sin = math.cos(position * turn) * self.length, math.sin(position * turn) * self.length
            y[j] = head[j] * cos - head[j + half] * sin
            y[j + half] = head[j + half] * cos + head[j] * sin
        return y


def silu(x):
    return x / (1 + math.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def gelu_erf(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


ACTIVATIONS = {"silu": silu, "gelu": gelu_erf, "gelu_new": gelu_tanh, "gelu_pytorch_tanh": gelu_tanh}


class Layer:
    """What a family does not have stays None."""

    def __init__(self, **parts):
        self.query_norm = self.key_norm = self.rotary = self.window = self.post_attention = self.gate = self.post_feed_forward = None
        self.parallel = False
        self.__dict__.update(parts)

    def attention(self, hidden, mask, positions):
        queries = [self._heads(self.query(h), self.query_norm, p) for h, p in zip(hidden, positions)]
        keys = [self._heads(self.key(h), self.key_norm, p) for h, p in zip(hidden, positions)]
        values = [self._split(self.value(h)) for h in hidden]
        group = len(queries[0]) // len(keys[0])
        for i, heads in enumerate(queries):
            seen = [j for j in range(i + 1) if mask[j] and (self.window is None or i - j < self.window)]
            joined = []
            for number, query in enumerate(heads):
                scores = [self.scale * dot(query, keys[j][number // group]) for j in seen]
                largest = max(scores, default=0.0)
                weights = [math.exp(score - largest) for score in scores]
                total = sum(weights) or 1.0  # a token behind padding alone sees nothing, and what it gives means nothing
                shares = [weight / total for weight in weights]
                joined += [dot(shares, [values[j][number // group][column] for j in seen]) for column in range(self.head_size)]
            y = self.output(joined)
            yield y if self.post_attention is None else self.post_attention(y)

    def feed_forward(self, h):
        up = self.up(h)
        inner = [self.activation(u) for u in up] if self.gate is None else [self.activation(g) * u for g, u in zip(self.gate(h), up)]
        y = self.down(inner)
        return y if self.post_feed_forward is None else self.post_feed_forward(y)

    def _split(self, row):
        return [row[at:at + self.head_size] for at in range(0, len(row), self.head_size)]

    def _heads(self, row, norm, position):
        heads = self._split(row)
        if norm is not None:
            heads = [norm(head) for head in heads]
        return heads if self.rotary is None else [self.rotary(head, position) for head in heads]


class Model:
    """embedding: rows [V, D]; positions: rows of learned ones, or None."""

    def __init__(self, embedding, layers, norm, head, positions=None, scale=1.0):
        self.embedding, self.layers, self.norm, self.head, self.positions, self.scale = embedding, layers, norm, head, positions, scale

    def logits(self, ids, mask=None):
        """Rows [T, V]. Learned positions of a masked text are counted from its first token."""
        mask = mask or [1] * len(ids)
        positions = [max(sum(mask[:i + 1]) - 1, 0) for i in range(len(ids))]
        x = [[value * self.scale for value in self.embedding[token]] for token in ids]
        if self.positions is not None:
            x = [add(row, self.positions[position]) for row, position in zip(x, positions)]
        for layer in self.layers:
            branch = list(layer.attention([layer.attention_norm(row) for row in x], mask, positions))
            if layer.parallel:
                x = [add(row, add(y, layer.feed_forward(layer.feed_forward_norm(row)))) for row, y in zip(x, branch)]
            else:
                x = [add(row, y) for row, y in zip(x, branch)]
                x = [add(row, layer.feed_forward(layer.feed_forward_norm(row))) for row in x]
        return [self.head(self.norm(row)) for row in x]
