"""Write all-MiniLM-L6-v2 as ONNX from its safetensors file, without torch and without a download.

Why it exists: the only offline source of this model that states its licence carries safetensors, and the server runs
ONNX. The graph is the BERT encoder of the paper (post-norm, exact erf GELU), in plain operators of opset 17; the
output is `last_hidden_state`, pooling is the reader's. The same input and library versions give the same bytes:
`catalogue.json` pins their sha256, and `fetch_models.py` checks it.

    python minilm_to_onnx.py model.safetensors model.onnx
"""

import math
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

HEADS = 12
HIDDEN = 384
LAYERS = 6
EPSILON = 1e-12
OPSET = 17
# Added to the attention scores of padding: exp(-1e4) is 0 in f32, and no row becomes NaN as with infinity.
MASKED = -1e4


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__.strip().splitlines()[-1].strip())
    model = convert(load_file(sys.argv[1]))
    onnx.checker.check_model(model)
    with open(sys.argv[2], "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


def convert(weights):
    graph = Graph(weights)
    hidden = embeddings(graph)
    mask = attention_bias(graph)
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        attended = attention(graph, prefix + "attention.", hidden, mask)
        hidden = graph.norm(graph.add("Add", attended, hidden), prefix + "attention.output.LayerNorm")
        wide = gelu(graph, graph.linear(hidden, prefix + "intermediate.dense"))
        narrow = graph.linear(wide, prefix + "output.dense")
        hidden = graph.norm(graph.add("Add", narrow, hidden), prefix + "output.LayerNorm")
    graph.nodes.append(helper.make_node("Identity", [hidden], ["last_hidden_state"]))
    return graph.model()


def embeddings(graph):
    """Word, position and segment embeddings, summed and normalised."""
    words = graph.add("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    segments = graph.add("Gather", graph.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    length = graph.add("Slice", graph.add("Shape", "input_ids"), graph.integers([1]), graph.integers([2]))
    places = graph.add(
        "Slice", graph.weight("embeddings.position_embeddings.weight"), graph.integers([0]), length, graph.integers([0])
    )
    total = graph.add("Add", graph.add("Add", words, segments), places)
    return graph.norm(total, "embeddings.LayerNorm")


def attention_bias(graph):
    """0 where there is a token and MASKED where there is padding, shaped [batch, 1, 1, length]."""
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    mask = graph.add("Unsqueeze", mask, graph.integers([1, 2]))
    return graph.add("Mul", graph.add("Sub", graph.number(1.0), mask), graph.number(MASKED))


def attention(graph, prefix, hidden, mask):
    per_head = HIDDEN // HEADS
    split = graph.integers([0, 0, HEADS, per_head])

    def heads(name, order):
        projected = graph.linear(hidden, prefix + "self." + name)
        return graph.add("Transpose", graph.add("Reshape", projected, split), perm=order)

    query = heads("query", [0, 2, 1, 3])
    key = heads("key", [0, 2, 3, 1])
    value = heads("value", [0, 2, 1, 3])
    scores = graph.add("Mul", graph.add("MatMul", query, key), graph.number(1.0 / math.sqrt(per_head)))
    shares = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", shares, value), perm=[0, 2, 1, 3])
    return graph.linear(graph.add("Reshape", mixed, graph.integers([0, 0, HIDDEN])), prefix + "output.dense")


def gelu(graph, x):
    """x/2 (1 + erf(x / sqrt 2)), Hendrycks and Gimpel 2016."""
    erf = graph.add("Erf", graph.add("Div", x, graph.number(math.sqrt(2.0))))
    return graph.add("Mul", graph.add("Mul", x, graph.add("Add", erf, graph.number(1.0))), graph.number(0.5))


class Graph:
    """Nodes and constants under construction; `add` returns the name of the new value."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.constants = {}

    def add(self, operator, *inputs, **attributes):
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def linear(self, x, name):
        """x W^T + b: safetensors holds W as [out, in]."""
        transposed = self.constant(name + ".weight^T", np.ascontiguousarray(self.weights[name + ".weight"].T))
        return self.add("Add", self.add("MatMul", x, transposed), self.weight(name + ".bias"))

    def norm(self, x, name):
        scale, bias = self.weight(name + ".weight"), self.weight(name + ".bias")
        return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def number(self, value):
        return self.constant(f"number {value!r}", np.array(value, dtype=np.float32))

    def integers(self, values):
        return self.constant(f"integers {values!r}", np.array(values, dtype=np.int64))

    def constant(self, name, array):
        self.constants.setdefault(name, array)
        return name

    def model(self):
        def value(name, kind, last=()):
            return helper.make_tensor_value_info(name, kind, ["batch", "length", *last])

        graph = helper.make_graph(
            self.nodes,
            "all-MiniLM-L6-v2",
            [value(name, TensorProto.INT64) for name in ("input_ids", "attention_mask", "token_type_ids")],
            [value("last_hidden_state", TensorProto.FLOAT, (HIDDEN,))],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="engrain")
        made.ir_version = 8  # of opset 17's time: the helper's default follows the installed version
        return made


if __name__ == "__main__":
    main()
