"""Small models of the BERT family with random weights, as Hugging Face folders:
for tests that want a second model, not a good one."""

import json
import random
import struct

VOCAB = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] +
         [chr(c) for c in range(33, 127) if not chr(c).isupper()] +
         ["##" + chr(c) for c in range(48, 123)
          if chr(c).isdigit() or chr(c).islower()])


def shapes(hidden, layers, intermediate, positions):
    yield "embeddings.word_embeddings.weight", (len(VOCAB), hidden)
    yield "embeddings.position_embeddings.weight", (positions, hidden)
    yield "embeddings.token_type_embeddings.weight", (2, hidden)
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        at = f"encoder.layer.{i}."
        norms += [at + "attention.output.LayerNorm", at + "output.LayerNorm"]
        for name, out, into in (
                ("attention.self.query", hidden, hidden),
                ("attention.self.key", hidden, hidden),
                ("attention.self.value", hidden, hidden),
                ("attention.output.dense", hidden, hidden),
                ("intermediate.dense", intermediate, hidden),
                ("output.dense", hidden, intermediate)):
            yield at + name + ".weight", (out, into)
            yield at + name + ".bias", (out,)
    for name in norms:
        yield name + ".weight", (hidden,)
        yield name + ".bias", (hidden,)


def safetensors(tensors):
    """(name, shape, values) as a file."""
    header, data = {"__metadata__": {"format": "pt"}}, bytearray()
    for name, shape, values in tensors:
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape),
                        "data_offsets": [begin, len(data)]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes(data)


def make(folder, seed=1, hidden=64, layers=2, heads=2, intermediate=128,
         positions=256):
    """Writes the folder; gives it back."""
    rng, tensors = random.Random(seed), []
    for name, shape in shapes(hidden, layers, intermediate, positions):
        n = 1
        for side in shape:
            n *= side
        # Norms that scale by 1, so that no random layer dies out.
        middle = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        tensors.append((name, shape,
                        [rng.gauss(middle, 0.1) for _ in range(n)]))
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n")
    for name, content in (
            ("config.json", {
                "architectures": ["BertModel"], "model_type": "bert",
                "vocab_size": len(VOCAB), "hidden_size": hidden,
                "num_hidden_layers": layers, "num_attention_heads": heads,
                "intermediate_size": intermediate, "hidden_act": "gelu",
                "max_position_embeddings": positions, "type_vocab_size": 2,
                "layer_norm_eps": 1e-12,
                "position_embedding_type": "absolute"}),
            ("tokenizer_config.json", {
                "do_lower_case": True, "tokenize_chinese_chars": True,
                "strip_accents": None, "tokenizer_class": "BertTokenizer"}),
            ("sentence_bert_config.json", {"max_seq_length": positions,
                                           "do_lower_case": False}),
            ("1_Pooling/config.json", {
                "word_embedding_dimension": hidden,
                "pooling_mode_cls_token": False,
                "pooling_mode_mean_tokens": True}),
            ("modules.json", [
                {"idx": i, "name": str(i), "path": path,
                 "type": "sentence_transformers.models." + kind}
                for i, (path, kind) in enumerate((
                    ("", "Transformer"), ("1_Pooling", "Pooling"),
                    ("2_Normalize", "Normalize")))])):
        (folder / name).write_text(json.dumps(content))
    return folder
