"""Compare ways of running a dynamically quantised embedder: speed of one thread, and recall on real questions.

Purpose: ADR 0006 chooses the shipped int8 graph with one text per run over the same weights dequantised to f32
and run in batches. This script measures both (and int8 in batches, to show why that one is out), so that the choice
can be checked again when the model or the runtime changes. It is a measurement, not part of the product.

Needs: pip install onnxruntime numpy onnx tokenizers. Data: a LongMemEval file (`.json` or `.json.gz`), never committed.

    python scripts/compare_quantisation.py MODEL_DIR longmemeval_oracle.json.gz --questions 40
"""

import argparse
import gzip
import hashlib
import json
import pathlib
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
import tokenizers
from onnx import helper, numpy_helper

QUERY_PREFIX = "Represent this sentence for searching relevant passages: "


def main():
    arguments = parse_arguments()
    turns, questions = sample(arguments.data, arguments.questions)
    directory = pathlib.Path(arguments.model)
    tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.enable_truncation(arguments.max_tokens)
    tokenizer.no_padding()
    shipped = session((directory / "model.onnx").read_bytes())
    dequantised = session(dequantise(onnx.load(directory / "model.onnx")))

    encoded = tokenizer.encode_batch([text for text, _ in turns])
    asked = tokenizer.encode_batch([QUERY_PREFIX + question for question, _ in questions])
    tokens = sum(len(e.ids) for e in encoded)
    print(f"{len(questions)} questions, {len(turns)} turns, {tokens} tokens, onnxruntime {onnxruntime.__version__}")
    reference = None
    for name, run, batch in (
        ("int8, one text per run", shipped, 1),
        ("int8, batches of 8", shipped, 8),
        ("dequantised, one text per run", dequantised, 1),
        ("dequantised, batches of 8", dequantised, 8),
    ):
        begun = time.process_time()
        passages = embed(run, encoded, batch)
        cpu_s = time.process_time() - begun
        queries = embed(run, asked, 1)
        reference = passages if reference is None else reference
        at = {k: recall(queries, passages, questions, k) for k in (5, 10, 20)}
        cosine = (passages * reference).sum(axis=1)
        print(
            f"{name:32} {tokens / cpu_s:7.0f} tokens/CPU-s"
            + "".join(f"  recall@{k} {value:.3f}" for k, value in at.items())
            + f"  cosine to the first row: min {cosine.min():.4f} mean {cosine.mean():.4f}",
            flush=True,
        )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder with model.onnx and tokenizer.json")
    parser.add_argument("data", help="LongMemEval json, plain or gzip")
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--max-tokens", type=int, default=256)
    return parser.parse_args()


def sample(path, count):
    """Evidence and filler turns of `count` questions in one pool: [(text, is evidence)], [(question, {turn number})]."""
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path, encoding="utf-8")
    with opened as file:
        cases = [case for case in json.load(file) if not case["question_id"].endswith("_abs")]
    cases.sort(key=lambda case: hashlib.sha256(case["question_id"].encode()).digest())
    turns, questions = [], []
    for case in cases:
        relevant = set()
        start = len(turns)
        for conversation in case["haystack_sessions"]:
            for turn in conversation:
                if turn["role"] != "user":
                    continue
                if turn.get("has_answer"):
                    relevant.add(len(turns))
                turns.append((turn["content"], bool(turn.get("has_answer"))))
        if not relevant:  # its evidence is in what the assistant said
            del turns[start:]
            continue
        questions.append((case["question"], relevant))
        if len(questions) == count:
            break
    return turns, questions


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def embed(run, encoded, batch):
    """Unit vectors in input order; batches are formed of texts of similar length."""
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
    rows = [None] * len(encoded)
    names = {put.name for put in run.get_inputs()}
    for start in range(0, len(order), batch):
        picked = order[start : start + batch]
        width = max(len(encoded[i].ids) for i in picked)
        ids = np.zeros((len(picked), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, i in enumerate(picked):
            length = len(encoded[i].ids)
            ids[row, :length] = encoded[i].ids
            mask[row, :length] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = run.run(None, {name: feed[name] for name in names})[0]
        pooled = hidden[:, 0] if hidden.ndim == 3 else hidden
        for row, i in enumerate(picked):
            rows[i] = pooled[row] / np.linalg.norm(pooled[row])
    return np.stack(rows)


def recall(queries, passages, questions, k):
    """Mean share of a question's evidence turns among the k nearest turns of the whole pool."""
    nearest = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :k]
    return float(np.mean([len(r & set(row.tolist())) / min(len(r), k) for (_, r), row in zip(questions, nearest)]))


def dequantise(model):
    """The same graph with f32 weights: DynamicQuantizeLinear + MatMulInteger + scaling become one MatMul."""
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    made_by = {output: node for node in model.graph.node for output in node.output}
    used_by = {}
    for node in model.graph.node:
        for name in node.input:
            used_by.setdefault(name, []).append(node)
    dropped, added, replaced = set(), [], 0
    for node in model.graph.node:
        if node.op_type != "MatMulInteger" or node.input[1] not in constants:
            continue
        source = made_by[node.input[0]]
        cast = used_by[node.output[0]][0]
        scaled = used_by[cast.output[0]][0]
        scale_name = next(name for name in scaled.input if name != cast.output[0])
        scale = weight_scale(scale_name, made_by, constants)
        zero = constants.get(node.input[3], 0) if len(node.input) > 3 else 0
        weights = (constants[node.input[1]].astype(np.float32) - np.asarray(zero, np.float32)) * scale
        name = node.input[1] + "_f32"
        model.graph.initializer.append(numpy_helper.from_array(weights.astype(np.float32), name))
        added.append((id(scaled), helper.make_node("MatMul", [source.input[0], name], [scaled.output[0]])))
        dropped.update((id(node), id(cast), id(scaled)))
        replaced += 1
    if not replaced:
        raise SystemExit("no dynamically quantised MatMul found in this graph")
    by_place = dict(added)
    nodes = [by_place.get(id(node), None if id(node) in dropped else node) for node in model.graph.node]
    kept = prune([node for node in nodes if node is not None], {o.name for o in model.graph.output})
    del model.graph.node[:]
    model.graph.node.extend(kept)
    wanted = {name for node in kept for name in node.input}
    initializers = [i for i in model.graph.initializer if i.name in wanted]
    del model.graph.initializer[:]
    model.graph.initializer.extend(initializers)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model, file.name)
        return pathlib.Path(file.name).read_bytes()


def weight_scale(name, made_by, constants):
    """The weights' scale, found in the product (activation scale x weight scale) that the graph computes."""
    product = made_by[name]
    return next(constants[i] for i in product.input if i in constants).astype(np.float32)


def prune(nodes, outputs):
    """Only the nodes whose results are used."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if any(output in needed for output in node.output):
            kept.append(node)
            needed.update(node.input)
    return kept[::-1]


if __name__ == "__main__":
    main()
