"""First weights are drawn from the distributions that their names promise."""

import pytest
import torch
from torch import Tensor, nn

from nmt_attn.config.model_section import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from nmt_attn.model.build import build_model
from nmt_attn.model.initialise import INITIALISATIONS
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.types import PAD


def model_of(name: str, **model: object) -> Seq2Seq:
    torch.manual_seed(2)
    config = ModelConfig(
        encoder=EncoderConfig(cell="gru", hidden=40, embedding=30),
        attention=AttentionConfig(score="additive", bias=True, hidden=50),
        decoder=DecoderConfig(style="bahdanau", cell="lstm", hidden=60, embedding=30),
        initialisation=name,
        **model,
    )
    return build_model(config, 70, 90, positions=9)


def blocks(weight: Tensor, gates: int) -> list[Tensor]:
    return list(weight.detach().chunk(gates))


@pytest.mark.parametrize("name", sorted(INITIALISATIONS))
def test_every_number_is_set_and_padding_is_zero(name: str) -> None:
    model = model_of(name)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    for embedding in (model.source_embedding, model.target_embedding):
        assert embedding.weight[PAD].eq(0).all()
        assert embedding.weight[PAD + 1 :].ne(0).any(1).all()


def test_xavier_looks_at_one_gate_at_a_time() -> None:
    # U(-a, a) with a = sqrt(6 / (in + out)), out = 60 for each of four gates: sqrt(6 / 120) for U, sqrt(6 / 90) for W.
    decoder = model_of("xavier").decoder
    for weight, inputs in ((decoder.bottom.recurrent.weight, 60), (decoder.embedding_to_gates.weight, 30)):
        bound = (6 / (inputs + 60)) ** 0.5
        for block in blocks(weight, 4):
            assert 0.97 * bound < block.abs().max() <= bound
            assert block.std() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_an_lstm_remembers_first() -> None:
    decoder = model_of("xavier").decoder
    assert [float(block.mean()) for block in blocks(decoder.embedding_to_gates.bias, 4)] == [0, 1, 0, 0]
    encoder = model_of("xavier").encoder
    biases = [parameter for name, parameter in encoder.named_parameters() if name.endswith("bias")]
    assert all(bias.eq(0).all() for bias in biases)  # a GRU has no gate to hold open


def test_recurrent_matrices_are_orthogonal() -> None:
    for name in ("orthogonal", "bahdanau"):
        for block in blocks(model_of(name).decoder.bottom.recurrent.weight, 4):
            torch.testing.assert_close(block @ block.T, torch.eye(60), rtol=0, atol=1e-5)


def test_uniform_keeps_to_its_range_biases_included() -> None:
    model = model_of("uniform", initial_range=0.3)
    for name, parameter in model.named_parameters():
        assert parameter.abs().max() <= 0.3, name
    assert model.output.bias.abs().max() > 0.25
    assert model.output.weight.detach().std() == pytest.approx(0.3 / 3**0.5, rel=0.05)


def test_bahdanaus_appendix() -> None:
    model = model_of("bahdanau")
    score = model.decoder.attention.score
    assert isinstance(score, nn.Module)
    spread = {
        name: parameter.detach().std().item() for name, parameter in score.named_parameters() if parameter.dim() == 2
    }
    assert set(spread) == {"query_projection.weight", "key_projection.weight"}
    assert list(spread.values()) == pytest.approx([0.001, 0.001], rel=0.1)
    assert score.vector.eq(0).all()
    assert score.query_projection.bias.eq(0).all()
    assert model.output.weight.detach().std() == pytest.approx(0.01, rel=0.05)


def test_word_vectors_are_smaller_where_the_output_layer_shares_them() -> None:
    model = model_of("xavier")
    assert model.target_embedding.weight[1:].detach().std() == pytest.approx(0.3, rel=0.05)
    config = ModelConfig(decoder=DecoderConfig(embedding=40, hidden=40), tie="target-output")
    tied = build_model(config, 70, 90, positions=9)
    assert tied.output.weight is tied.target_embedding.weight
    assert tied.target_embedding.weight[1:].detach().std() == pytest.approx(40**-0.5, rel=0.05)
    assert tied.source_embedding.weight[1:].detach().std() == pytest.approx(0.3, rel=0.05)
