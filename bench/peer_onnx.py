"""The peer of the embedding benches: the same weights under ONNX Runtime.

The graph is written node by node from the folder's model.safetensors, with the
fused operators ONNX Runtime has for BERT (Attention, SkipLayerNormalization,
BiasGelu), which its own optimiser would put in, and with mean pooling and unit
length at its end; then quantize_dynamic makes the int8 one, weights by channel. Both are kept in
build/bench/onnx. Wants numpy, onnx, onnxruntime, sympy, tokenizers
(onnx==1.23.2 onnxruntime==1.32.0 tokenizers==0.23.3 sympy==1.14.0).

    python3 bench/peer_onnx.py     makes both, and says how far apart they are
"""

import json
import os
import struct
import sys

try:
    import numpy as np
except ImportError:
    np = None  # there() and tokenizer() do without

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.environ.get("MODEL_FOLDER",
                        os.path.join(ROOT, "build/model/all-MiniLM-L6-v2"))
MADE = os.path.join(ROOT, "build/bench/onnx")
BATCH_TOKENS = 4096


def there():
    """Whether the model's folder is there."""
    return os.path.isfile(os.path.join(FOLDER, "model.safetensors"))


def tensors(path):
    with open(path, "rb") as f:
        data = f.read()
    n, = struct.unpack_from("<Q", data)
    for name, t in json.loads(data[8:8 + n]).items():
        if name != "__metadata__" and t["dtype"] == "F32":
            a, b = t["data_offsets"]
            yield name, np.frombuffer(data[8 + n + a:8 + n + b],
                                      "<f4").reshape(t["shape"])


class Graph:
    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, name, value):
        import onnx
        self.weights.append(onnx.numpy_helper.from_array(
            np.ascontiguousarray(value), name))
        return name

    def node(self, op, inputs, outputs=1, domain="", **attributes):
        import onnx
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(onnx.helper.make_node(
            op, inputs, names, name=f"{op}_{len(self.nodes)}", domain=domain,
            **attributes))
        return names[0]


def make(path):
    """The fp32 graph: ids and mask [batch, tokens] int64 to [batch, dims]."""
    import onnx
    from onnx import TensorProto as tp
    with open(os.path.join(FOLDER, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    w = {name.removeprefix("bert."): t for name, t in
         tensors(os.path.join(FOLDER, "model.safetensors"))}
    eps, heads = config["layer_norm_eps"], config["num_attention_heads"]
    g = Graph()
    own = "com.microsoft"

    def norm(x, skip, name, bias=None):
        more = [] if bias is None else [g.weight(bias, w[bias])]
        return g.node("SkipLayerNormalization",
                      [x, skip, g.weight(name + ".weight", w[name + ".weight"]),
                       g.weight(name + ".bias", w[name + ".bias"]), *more],
                      domain=own, epsilon=eps)

    def linear(x, name):
        return g.node("MatMul", [x, g.weight(name, w[name + ".weight"].T)])

    mask32 = g.node("Cast", ["mask"], to=tp.INT32)
    words = g.node("Gather", [g.weight("words",
                                       w["embeddings.word_embeddings.weight"]),
                              "ids"])
    tokens = g.node("Shape", ["ids"], start=1, end=2)
    places = g.node("Slice", [
        g.weight("places", w["embeddings.position_embeddings.weight"] +
                 w["embeddings.token_type_embeddings.weight"][0]),
        g.weight("zero", np.array([0])), tokens])
    places = g.node("Expand", [places, g.node(
        "Concat", [g.node("Shape", ["ids"]),
                   g.weight("width", np.array([config["hidden_size"]]))],
        axis=0)])
    x = norm(words, places, "embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{i}."
        parts = [at + "attention.self." + p for p in ("query", "key", "value")]
        a = g.node("Attention", [
            x, g.weight(at + "qkv", np.concatenate(
                [w[p + ".weight"].T for p in parts], axis=1)),
            g.weight(at + "qkv.bias",
                     np.concatenate([w[p + ".bias"] for p in parts])),
            mask32], domain=own, num_heads=heads)
        out = at + "attention.output."
        x = norm(linear(a, out + "dense"), x, out + "LayerNorm",
                 out + "dense.bias")
        up = g.node("BiasGelu", [linear(x, at + "intermediate.dense"), g.weight(
            at + "up.bias", w[at + "intermediate.dense.bias"])], domain=own)
        x = norm(linear(up, at + "output.dense"), x, at + "output.LayerNorm",
                 at + "output.dense.bias")
    one = g.weight("one", np.array([1]))
    weights = g.node("Unsqueeze", [g.node("Cast", ["mask"], to=tp.FLOAT),
                                   g.weight("two", np.array([2]))])
    mean = g.node("Div", [
        g.node("ReduceSum", [g.node("Mul", [x, weights]), one], keepdims=0),
        g.node("ReduceSum", [weights, one], keepdims=0)])
    g.nodes.append(onnx.helper.make_node(
        "Div", [mean, g.node("ReduceL2", [mean, one], keepdims=1)],
        ["vectors"]))
    text = ["batch", "tokens"]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            g.nodes, "bert",
            [onnx.helper.make_tensor_value_info(n, tp.INT64, text)
             for n in ("ids", "mask")],
            [onnx.helper.make_tensor_value_info(
                "vectors", tp.FLOAT, ["batch", config["hidden_size"]])],
            g.weights),
        opset_imports=[onnx.helper.make_opsetid("", 18),
                       onnx.helper.make_opsetid(own, 1)])
    model.ir_version = 9
    onnx.save(model, path)


def files():
    """(fp32, int8), made where they are not there yet."""
    paths = [os.path.join(MADE, name) for name in ("fp32.onnx", "int8.onnx")]
    if not all(map(os.path.isfile, paths)):
        from onnxruntime.quantization import QuantType, quantize_dynamic
        os.makedirs(MADE, exist_ok=True)
        make(paths[0])
        part = paths[1] + ".part"
        # One scale a tensor is as fast and far worse: cosine 0.936, not 0.994.
        quantize_dynamic(paths[0], part, weight_type=QuantType.QInt8,
                         per_channel=True,
                         extra_options={"DefaultTensorType": 1})  # FLOAT
        os.rename(part, paths[1])
    return paths


def tokenizer():
    import tokenizers
    t = tokenizers.Tokenizer.from_file(os.path.join(FOLDER, "tokenizer.json"))
    with open(os.path.join(FOLDER, "sentence_bert_config.json"),
              encoding="utf-8") as f:
        t.enable_truncation(json.load(f)["max_seq_length"])
    t.no_padding()
    return t


class Embedder:
    """Texts, or ids with their special tokens, to vectors of unit length."""

    def __init__(self, path, threads=1):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = ort.InferenceSession(path, options,
                                            ["CPUExecutionProvider"])
        self.tokenizer = tokenizer()

    def embed(self, texts):
        return self.embed_ids([e.ids for e in
                               self.tokenizer.encode_batch(texts)])

    def embed_ids(self, lists):
        """In batches of about BATCH_TOKENS, sorted by length, so that little
        is padding."""
        order = sorted(range(len(lists)), key=lambda i: len(lists[i]))
        out = [None] * len(lists)
        while order:
            # The longest first: its length times the number is the size.
            n = max(1, BATCH_TOKENS // len(lists[order[-1]]))
            group, order = order[-n:], order[:-n]
            for i, v in zip(group, self.run([lists[i] for i in group])):
                out[i] = v
        return np.array(out)

    def run(self, lists):
        ids = np.zeros((len(lists), max(map(len, lists))), np.int64)
        mask = np.zeros_like(ids)
        for i, one in enumerate(lists):
            ids[i, :len(one)] = one
            mask[i, :len(one)] = 1
        return self.session.run(None, {"ids": ids, "mask": mask})[0]


def main():
    if not there():
        sys.exit(f"no model in {FOLDER}")
    fp32, int8 = files()
    texts = ["What is a segment?", "Vectors outlive every index format. " * 30,
             "Ein Satz.", "x"]
    a, b = (Embedder(p).embed(texts) for p in (fp32, int8))
    print(fp32, int8, "cosine of int8 to fp32:",
          " ".join(f"{c:.4f}" for c in (a * b).sum(axis=1)))


if __name__ == "__main__":
    main()
