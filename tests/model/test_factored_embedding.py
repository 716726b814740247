"""Factored embedding: equal to NumPy, summed and concatenated, and the same model after a round trip to disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import tiny_batch

from nmt_attn.config.file import load_config
from nmt_attn.model.factors import FactoredEmbedding
from nmt_attn.model.store import load_model, model_from_config, save_model

WORDS, FACTORS = 5, {"pos": 3, "number": 7}
IDS = np.array([[4, 2, 1], [0, 3, 0]])
POS = np.array([[2, 0, 1], [0, 1, 0]])
NUMBER = np.array([[6, 0, 5], [0, 2, 0]])
PACKED = IDS + WORDS * POS + WORDS * 3 * NUMBER


def random_embedding(size: int, sizes: tuple[int, ...] | None) -> FactoredEmbedding:
    torch.manual_seed(2)
    return FactoredEmbedding(WORDS, size, FACTORS, sizes).double()


def matrices(embedding: FactoredEmbedding) -> list[np.ndarray]:
    names = ("weight", "pos_factor.weight", "number_factor.weight")
    weights = dict(embedding.named_parameters())
    assert set(weights) == set(names)
    return [weights[name].detach().numpy() for name in names]


def test_concatenated_vectors_equal_numpy() -> None:
    embedding = random_embedding(4, (2, 11))
    word, pos, number = matrices(embedding)
    expected = np.concatenate([word[IDS], pos[POS], number[NUMBER]], -1)
    found = embedding(torch.from_numpy(PACKED))
    assert found.shape == (2, 3, 4 + 2 + 11)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=0)


def test_summed_vectors_equal_numpy() -> None:
    embedding = random_embedding(4, None)
    word, pos, number = matrices(embedding)
    found = embedding(torch.from_numpy(PACKED)).detach().numpy()
    np.testing.assert_allclose(found, word[IDS] + pos[POS] + number[NUMBER], atol=1e-15)


@pytest.mark.parametrize("sizes", [None, (2, 11)])
def test_rows_learn_where_they_were_read_and_padding_never(sizes: tuple[int, ...] | None) -> None:
    embedding = random_embedding(4, sizes)
    embedding(torch.from_numpy(PACKED)).sum().backward()
    gradients = [parameter.grad for parameter in embedding.parameters()]
    for gradient, ids in zip(gradients, (IDS, POS, NUMBER), strict=True):
        assert gradient is not None
        read = {row for row, values in enumerate(gradient) if values.any()}
        assert read == set(ids.flatten().tolist()) - {0}


@pytest.mark.parametrize(("factors", "size"), [("sum", 7), ([2, 4], 13)])
def test_a_model_reads_factors_and_is_the_same_after_a_round_trip(factors: object, size: int, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        f"tokenizer: {{factors: {{names: [pos, number]}}}}\ndata: {{train: {{tsv: a}}, valid: {{tsv: a}}}}\n"
        f"model: {{encoder: {{hidden: 3, embedding: 7, factors: {factors}}}, decoder: {{hidden: 5, embedding: 2}}}}\n"
    )
    config = load_config(tmp_path / "c.yaml", [])
    model = model_from_config(config, 11, 12, FACTORS).eval()
    assert model.factor_sizes == FACTORS
    cell = model.encoder.layers[0].directions[0].layer
    assert any(each.shape[-1] == size for each in cell.parameters())
    batch = tiny_batch([3, 5], [4, 2])
    other = batch._replace(src_ids=batch.src_ids.clone())
    other.src_ids[0, 0] += 11  # the same word, another value of the first factor
    scores = [model.score_target(each)[0] for each in (batch, other)]
    assert not torch.equal(scores[0][0], scores[1][0]) and torch.equal(scores[0][1], scores[1][1])
    save_model(model, config, tmp_path / "m", vocabulary="x")
    again = load_model(tmp_path / "m", "x")
    assert torch.equal(again.score_target(other)[0], scores[1])
