"""Models of Marian and nematus: the numbers of their equations, written out here, from the same files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from nmt_attn.commands.import_model import import_model
from nmt_attn.data.codec import load_codecs
from nmt_attn.errors import DataError
from nmt_attn.model.store import load_model
from nmt_attn.options.models import ImportOptions
from nmt_attn.types import BOS, EOS

TOKENS = ["</s>", "<unk>", "a", "b", "c", "d", "e"]
V, E, H = len(TOKENS), 4, 3
Arrays = dict[str, np.ndarray]
GATES = {"gru": 3, "lstm": 4, "tanh": 1}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell_weights(name: str, cell: str, inputs: int) -> dict[str, tuple[int, int]]:
    """The shapes of one cell."""
    if cell != "gru":
        gates = GATES[cell] * H
        return {f"{name}_W": (inputs, gates), f"{name}_U": (H, gates), f"{name}_b": (1, gates)}
    shapes = {"W": (inputs, 2 * H), "U": (H, 2 * H), "b": (1, 2 * H), "Wx": (inputs, H), "Ux": (H, H), "bx": (1, H)}
    return {f"{name}_{part}": shape for part, shape in shapes.items()}


def stack_names(kind: str, depth: int) -> list[list[str]]:
    """The cells of the forward stack, of the backward one, and of what stands on both."""
    first = 1 if kind == "bi-unidirectional" else depth
    stacks = [[root, *(f"{root}_l{i}_cell1" for i in range(2, first + 1))] for root in ("encoder_bi", "encoder_bi_r")]
    return [*stacks, [f"encoder_l{i}_cell1" for i in range(first + 1, depth + 1)]]


def random_model(cell: str, kind: str, depth: int) -> Arrays:
    """Weights under Marian's names."""
    stacks = stack_names(kind, depth)
    context = H if stacks[2] else 2 * H
    shapes: dict[str, tuple[int, int]] = {"encoder_Wemb": (V, E), "decoder_Wemb": (V, E)}
    for stack in stacks[:2]:
        for i, name in enumerate(stack):
            shapes |= cell_weights(name, cell, H if i else E)
    for i, name in enumerate(stacks[2]):
        shapes |= cell_weights(name, cell, H if i else 2 * H)
    shapes |= cell_weights("decoder_cell1", cell, E) | cell_weights("decoder_cell2", cell, context)
    for i in range(2, depth + 1):
        shapes |= cell_weights(f"decoder_l{i}_cell1", cell, H)
    shapes |= {"decoder_ff_state_W": (context, H), "decoder_ff_state_b": (1, H), "decoder_U_att": (context, 1)}
    shapes |= {"decoder_W_comb_att": (H, context), "decoder_Wc_att": (context, context), "decoder_b_att": (1, context)}
    shapes |= {f"decoder_ff_logit_l1_W{i}": (size, E) for i, size in enumerate((E, H, context))}
    shapes |= {f"decoder_ff_logit_l1_b{i}": (1, E) for i in range(3)}
    shapes |= {"decoder_ff_logit_l2_Wt": (V, E), "decoder_ff_logit_l2_b": (1, V)}
    generator = np.random.default_rng(1)
    return {name: generator.normal(0, 0.7, shape).astype("float32") for name, shape in shapes.items()}


State = tuple[np.ndarray, np.ndarray]


def step(p: Arrays, name: str, cell: str, x: np.ndarray, state: State, *, is_final: bool = False) -> State:
    """One cell: r, z and the candidate of a GRU, or f, i, g, o of an LSTM."""
    s, c = state
    if cell == "tanh":
        return np.tanh(x @ p[f"{name}_W"] + s @ p[f"{name}_U"] + p[f"{name}_b"][0]), c
    if cell == "lstm":
        f, i, g, o = np.split(x @ p[f"{name}_W"] + s @ p[f"{name}_U"] + p[f"{name}_b"][0], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    r, z = np.split(sigmoid(x @ p[f"{name}_W"] + s @ p[f"{name}_U"] + p[f"{name}_b"][0]), 2)
    inputs, recurrent, bias = x @ p[f"{name}_Wx"], s @ p[f"{name}_Ux"], p[f"{name}_bx"][0]
    n = np.tanh(inputs + (recurrent + bias) * r) if is_final else np.tanh(inputs + recurrent * r + bias)
    return (1 - z) * n + z * s, c


class Shape(NamedTuple):
    """Which model it is."""

    cell: str = "gru"
    kind: str = "bidirectional"
    depth: int = 1
    skip: bool = False


def encode(p: Arrays, shape: Shape, ids: list[int]) -> np.ndarray:
    """[S, M]."""
    cell, kind = shape.cell, shape.kind
    first, second, above = stack_names(kind, shape.depth)
    tops = [p["encoder_Wemb"][ids]] * 2
    for which, stack in enumerate((first, second)):
        for layer, name in enumerate(stack):
            is_backward = (which + layer * (kind == "alternating")) % 2 == 1
            outputs = run(p, name, cell, tops[which], is_backward=is_backward)
            tops[which] = outputs + tops[which] if shape.skip and layer else outputs
    states = np.concatenate(tops, 1)
    for name in above:
        states = run(p, name, cell, states, is_backward=False)
    return states


def run(p: Arrays, name: str, cell: str, inputs: np.ndarray, *, is_backward: bool) -> np.ndarray:
    state, outputs = (np.zeros(H), np.zeros(H)), []
    for x in inputs[::-1] if is_backward else inputs:
        state = step(p, name, cell, x, state)
        outputs.append(state[0])
    return np.stack(outputs[::-1] if is_backward else outputs)


def log_probs(p: Arrays, shape: Shape, source: list[int], target: list[int]) -> np.ndarray:
    """[T, V]; before the first word there is 0."""
    p = {name: each.astype("float64") for name, each in p.items()}
    states, cell, depth = encode(p, shape, source), shape.cell, shape.depth
    first = np.tanh(states.mean(0) @ p["decoder_ff_state_W"] + p["decoder_ff_state_b"][0])
    layers: list[State] = [(first, first)] * depth
    keys, rows = states @ p["decoder_Wc_att"] + p["decoder_b_att"], []
    for word in [None, *target]:
        y = np.zeros(E) if word is None else p["decoder_Wemb"][word]
        between = step(p, "decoder_cell1", cell, y, layers[0])
        scores = np.tanh(keys + between[0] @ p["decoder_W_comb_att"]) @ p["decoder_U_att"][:, 0]
        weights = np.exp(scores) / np.exp(scores).sum()
        context = weights @ states
        layers[0] = step(p, "decoder_cell2", cell, context, between, is_final=True)
        top = layers[0][0]
        for i in range(1, depth):
            layers[i] = step(p, f"decoder_l{i + 1}_cell1", cell, top, layers[i])
            top = layers[i][0] + top if shape.skip else layers[i][0]
        parts = [each @ p[f"decoder_ff_logit_l1_W{i}"] for i, each in enumerate((y, top, context))]
        hidden = np.tanh(sum(parts) + sum(p[f"decoder_ff_logit_l1_b{i}"][0] for i in range(3)))
        scores = hidden @ p["decoder_ff_logit_l2_Wt"].T + p["decoder_ff_logit_l2_b"][0]
        rows.append(scores - np.log(np.exp(scores).sum()))
    return np.stack(rows)


def write_marian(folder: Path, arrays: Arrays, **options: object) -> Path:
    """FILE.npz with its options, beside the vocabulary that FILE.npz.yml names."""
    given = {
        "type": "s2s",
        "dim-rnn": H,
        "dim-emb": E,
        **{key.replace("_", "-"): each for key, each in options.items()},
    }
    text = json.dumps(given).encode() + b"\0"
    np.savez(folder / "m.npz", **{**arrays, "special:model.yml": np.frombuffer(text, "int8")})  # type: ignore[arg-type]
    (folder / "v.yml").write_text("".join(f"{json.dumps(token)}: {i}\n" for i, token in enumerate(TOKENS)))
    (folder / "m.npz.yml").write_text(json.dumps({"vocabs": ["elsewhere/v.yml", "elsewhere/v.yml"]}))
    return folder / "m.npz"


def ours(folder: Path, source: str, target: str) -> np.ndarray:
    """log p of the imported model in the order of `TOKENS`, which are all that can be written."""
    model, codecs = load_model(folder), load_codecs(folder / "vocab")
    table = []
    with torch.no_grad():
        ids = torch.tensor([[*codecs.source.encode(source), EOS]])
        memory = model.encode(ids, torch.tensor([ids.shape[1]]))
        state = model.start(memory)
        for word in [BOS, *codecs.target.encode(target)]:
            made = model.step(torch.tensor([word]), state, memory)
            table.append(made.log_probs[0])
            state = made.state
    order = [codecs.target.vocabulary.tokens.index(token) for token in TOKENS]
    return torch.stack(table)[:, order].numpy()


def expected(arrays: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    ids = [TOKENS.index(token) for token in ("a", "e", "<unk>", "b", "</s>")]
    return log_probs(dict(arrays), shape, ids, [TOKENS.index("c"), TOKENS.index("a")])


@pytest.mark.parametrize(
    ("kind", "depth", "skip"),
    [
        ("bidirectional", 1, False),
        ("bidirectional", 2, True),
        ("bidirectional", 3, False),
        ("alternating", 2, True),
        ("alternating", 3, False),
        ("bi-unidirectional", 3, False),
    ],
)
@pytest.mark.parametrize("cell", GATES)
def test_a_model_of_marian_gives_its_numbers(cell: str, kind: str, depth: int, skip: bool, tmp_path: Path) -> None:
    shape = Shape(cell, kind, depth, skip)
    arrays = random_model(cell, kind, depth)
    cells = {"enc_cell": cell, "dec_cell": cell}
    file = write_marian(tmp_path, arrays, enc_type=kind, enc_depth=depth, dec_depth=depth, skip=skip, **cells)
    import_model(ImportOptions(file, tmp_path / "out"))
    found = ours(tmp_path / "out", "a e x b", "c a")
    np.testing.assert_allclose(found, expected(arrays, shape), rtol=0, atol=1e-5)
    names = load_model(tmp_path / "out").state_dict()
    assert not any((weight == 0).all() for weight in names.values() if weight.dim() == 2 and weight.numel())


def nematus_name(name: str) -> str:
    """Marian's name of a weight -> that of nematus, whose layers have the name of the way in which they read."""
    for layer in (2, 3):
        roots = ("encoder_", "encoder_r_") if layer == 3 else ("encoder_r_", "encoder_")
        for stack, root in zip(("encoder_bi_", "encoder_bi_r_"), roots, strict=True):
            name = name.replace(f"{stack}l{layer}_cell1_", f"{root}{layer}_")
        name = name.replace(f"decoder_l{layer}_cell1_", f"decoder_{layer}_")
    name = name.replace("_Wt", "_W").replace("encoder_bi_", "encoder_")
    for i, part in enumerate(("prev", "lstm", "ctx")):
        for kind in "Wb":
            name = name.replace(f"decoder_ff_logit_l1_{kind}{i}", f"ff_logit_{part}_{kind}")
    name = name.replace("decoder_ff_logit_l2", "ff_logit").replace("decoder_ff_state", "ff_state")
    name = name.replace("decoder_cell1_", "decoder_")
    for ours, theirs in (("W", "Wc"), ("Wx", "Wcx"), ("U", "U_nl"), ("Ux", "Ux_nl"), ("b", "b_nl"), ("bx", "bx_nl")):
        name = f"decoder_{theirs}" if name == f"decoder_cell2_{ours}" else name
    return {"encoder_Wemb": "Wemb", "decoder_Wemb": "Wemb_dec"}.get(name, name)


def of_context(arrays: Arrays) -> Arrays:
    """With the two halves of all that reads the encoder's states exchanged."""
    reads = ("_ff_state_W", "_Wc_att", "_logit_l1_W2", "_cell2_W", "_cell2_Wx")
    return {
        name: np.concatenate(np.split(each, 2)[::-1]) if name.endswith(reads) else each for name, each in arrays.items()
    }


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_model_of_nematus_gives_its_numbers(depth: int, tmp_path: Path) -> None:
    arrays = random_model("gru", "alternating", depth)
    wanted = expected(arrays, Shape("gru", "alternating", depth, skip=True))
    if depth % 2 == 0:  # nematus has what was read forward first, Marian the stack that began forward
        arrays = of_context(arrays)
    theirs = {nematus_name(name): each.T if name.endswith("Wt") else each for name, each in arrays.items()}
    theirs = {name: each[0] if each.shape[0] == 1 else each for name, each in theirs.items()}
    np.savez(tmp_path / "n.npz", **theirs, decoder_c_tt=np.ones(1), uidx=np.array(3))  # type: ignore[arg-type]
    (tmp_path / "d.json").write_text(json.dumps({"eos": 0, "UNK": 1} | {t: i for i, t in enumerate(TOKENS) if i > 1}))
    options = {"dictionaries": ["d.json", "d.json"], "use_layernorm": False, "enc_depth": depth, "dec_depth": depth}
    (tmp_path / "n.npz.json").write_text(json.dumps({**options, "enc_depth_bidirectional": depth}))
    import_model(ImportOptions(tmp_path / "n.npz", tmp_path / "out"))
    found = ours(tmp_path / "out", "a e x b", "c a")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    refused = {"enc_depth_bidirectional": depth + 1, "use_dropout": True, "output_hidden_activation": "relu"}
    (tmp_path / "n.npz.json").write_text(json.dumps({**options, **refused}))
    with pytest.raises(DataError, match=rf"bidirectional {depth + 1}; output_hidden_activation relu; old_dropout True"):
        import_model(ImportOptions(tmp_path / "n.npz", tmp_path / "out"))


def test_what_marian_has_and_nothing_here_stands_for_is_said(tmp_path: Path) -> None:
    arrays = random_model("gru", "bidirectional", 1)
    file = write_marian(tmp_path, arrays, enc_cell="sru", dec_attention_heads=4, type="transformer")
    with pytest.raises(DataError, match=r"m\.npz: expected .* type transformer; .*dec-attention-heads 4; enc-cell sru"):
        import_model(ImportOptions(file, tmp_path / "out"))


def test_vocabularies_that_nothing_names_are_asked_for(tmp_path: Path) -> None:
    file = write_marian(tmp_path, random_model("gru", "bidirectional", 1))
    (tmp_path / "m.npz.yml").unlink()
    with pytest.raises(DataError, match=r"m\.npz: expected its vocabularies as --vocab"):
        import_model(ImportOptions(file, tmp_path / "out"))
    (tmp_path / "lines.txt").write_text("\n".join(TOKENS) + "\n")
    import_model(ImportOptions(file, tmp_path / "out", vocab=(tmp_path / "lines.txt",)))
    assert load_codecs(tmp_path / "out" / "vocab").source.vocabulary.tokens[4:] == tuple(TOKENS[2:])


def test_other_archives_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", a=np.zeros(2))
    with pytest.raises(
        DataError, match=r"o\.npz: expected a recurrent model of Marian or nematus, got one without dec"
    ):
        import_model(ImportOptions(tmp_path / "o.npz", tmp_path / "out"))
    np.savez(tmp_path / "p.npz", a=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"p\.npz: expected arrays of NumPy, got .*allow_pickle"):
        import_model(ImportOptions(tmp_path / "p.npz", tmp_path / "out"))
