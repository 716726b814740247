"""Models of Marian and nematus: the numbers of their equations, written out here, from the same files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from marian_equations import (
    GATES,
    TOKENS,
    Arrays,
    E,
    H,
    Shape,
    base_names,
    expected,
    high_names,
    random_model,
    stack_names,
)

from nmt_attn.commands.import_model import import_model
from nmt_attn.data.codec import load_codecs
from nmt_attn.errors import DataError
from nmt_attn.model.store import load_model
from nmt_attn.options.models import ImportOptions
from nmt_attn.types import BOS, EOS


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


SHAPES = [
    *(
        Shape(cell, kind, depth, skip)
        for cell in GATES
        for kind, depth, skip in (
            ("bidirectional", 1, False),
            ("bidirectional", 2, True),
            ("bidirectional", 3, False),
            ("alternating", 2, True),
            ("alternating", 3, False),
            ("bi-unidirectional", 3, False),
        )
    ),
    *(Shape(cell, encoder_row=2, base_row=4) for cell in GATES),
    *(Shape(cell, "alternating", 3, True, 3, 3, 2) for cell in GATES),
    Shape("gru", "bi-unidirectional", 2, False, 2, 2, 3),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape)))
def test_a_model_of_marian_gives_its_numbers(shape: Shape, tmp_path: Path) -> None:
    arrays = random_model(shape)
    import_model(ImportOptions(write_marian(tmp_path, arrays, **shape.options()), tmp_path / "out"))
    np.testing.assert_allclose(ours(tmp_path / "out", "a e x b", "c a"), expected(arrays, shape), rtol=0, atol=1e-5)
    weights = load_model(tmp_path / "out").state_dict().values()
    assert not any((weight == 0).all() for weight in weights if weight.dim() == 2 and weight.numel())


def nematus_cells(shape: Shape) -> dict[str, str]:
    """Marian's name of each cell -> nematus's names of its parts, `{}` for the part; there each layer has its way."""
    rows = {"decoder_cell1": "decoder_{}"}
    for which, stack in enumerate(stack_names(shape)[:2]):
        for layer, names in enumerate(stack):
            root = ("encoder", "encoder_r")[(which + layer) % 2] + (f"_{layer + 1}" if layer else "")
            rows |= {name: f"{root}_{{}}" + (f"_drt_{k}" if k else "") for k, name in enumerate(names)}
    rows |= {name: "decoder_{}_nl" + (f"_drt_{k}" if k else "") for k, name in enumerate(base_names(shape))}
    for layer, names in enumerate(high_names(shape), start=2):
        rows |= {name: f"decoder_{layer}_{{}}" + (f"_drt_{k}" if k else "") for k, name in enumerate(names)}
    return rows


def nematus_name(name: str, shape: Shape) -> str:
    """Marian's name of a weight -> that of nematus."""
    cell, _, part = name.rpartition("_")
    if name.startswith("decoder_cell2_W"):
        return f"decoder_Wc{part[1:]}"
    if cell in nematus_cells(shape):
        return nematus_cells(shape)[cell].format(part)
    name = name.replace("_Wt", "_W")
    for i, read in enumerate(("prev", "lstm", "ctx")):
        for kind in "Wb":
            name = name.replace(f"decoder_ff_logit_l1_{kind}{i}", f"ff_logit_{read}_{kind}")
    name = name.replace("decoder_ff_logit_l2", "ff_logit").replace("decoder_ff_state", "ff_state")
    return {"encoder_Wemb": "Wemb", "decoder_Wemb": "Wemb_dec"}.get(name, name)


def of_context(arrays: Arrays) -> Arrays:
    """With the two halves of all that reads the encoder's states exchanged."""
    reads = ("_ff_state_W", "_Wc_att", "_logit_l1_W2", "decoder_cell2_W", "decoder_cell2_Wx")
    swapped = {}
    for name, each in arrays.items():
        size = 2 * H if name.endswith(reads) else max(0, len(each) - H) if name.startswith("decoder_l") else 0
        rest, context = np.split(each, [len(each) - size])
        swapped[name] = np.concatenate([rest, *np.split(context, 2)[::-1]])
    return swapped


@pytest.mark.parametrize("deep_context", [False, True])
@pytest.mark.parametrize(("depth", "rows"), [(1, (1, 2, 1)), (2, (1, 2, 1)), (3, (2, 2, 1)), (2, (3, 4, 2))], ids=str)
def test_a_model_of_nematus_gives_its_numbers(
    depth: int, rows: tuple[int, int, int], deep_context: bool, tmp_path: Path
) -> None:
    shape = Shape("gru", "alternating", depth, True, *rows, deep_context)
    arrays = random_model(shape)
    wanted = expected(arrays, shape)
    if depth % 2 == 0:  # nematus has what was read forward first, Marian the stack that began forward
        arrays = of_context(arrays)
    theirs = {nematus_name(name, shape): each.T if name.endswith("Wt") else each for name, each in arrays.items()}
    theirs = {name: each[0] if each.shape[0] == 1 else each for name, each in theirs.items()}
    np.savez(tmp_path / "n.npz", **theirs, decoder_c_tt=np.ones(1), uidx=np.array(3))  # type: ignore[arg-type]
    (tmp_path / "d.json").write_text(json.dumps({"eos": 0, "UNK": 1} | {t: i for i, t in enumerate(TOKENS) if i > 1}))
    options = {"dictionaries": ["d.json", "d.json"], "use_layernorm": False, "enc_depth": depth, "dec_depth": depth}
    names = ("enc_recurrence", "dec_base_recurrence", "dec_high_recurrence")
    options["dec_deep_context"] = deep_context
    options |= {f"{name}_transition_depth": row for name, row in zip(names, rows, strict=True)}
    (tmp_path / "n.npz.json").write_text(json.dumps({**options, "enc_depth_bidirectional": depth}))
    import_model(ImportOptions(tmp_path / "n.npz", tmp_path / "out"))
    found = ours(tmp_path / "out", "a e x b", "c a")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    refused = {"enc_depth_bidirectional": depth + 1, "use_dropout": True, "output_hidden_activation": "relu"}
    (tmp_path / "n.npz.json").write_text(json.dumps({**options, **refused}))
    with pytest.raises(DataError, match=rf"bidirectional {depth + 1}; output_hidden_activation relu; old_dropout True"):
        import_model(ImportOptions(tmp_path / "n.npz", tmp_path / "out"))


def test_what_marian_has_and_nothing_here_stands_for_is_said(tmp_path: Path) -> None:
    arrays = random_model(Shape())
    file = write_marian(tmp_path, arrays, enc_cell="sru", dec_attention_heads=4, type="transformer")
    with pytest.raises(DataError, match=r"m\.npz: expected .* type transformer; .*dec-attention-heads 4; enc-cell sru"):
        import_model(ImportOptions(file, tmp_path / "out"))


def test_vocabularies_that_nothing_names_are_asked_for(tmp_path: Path) -> None:
    file = write_marian(tmp_path, random_model(Shape()))
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
