"""Parameters by part, counted by hand.

Sizes: source words 10 x 4, encoder 3 (two directions: M = 6), target words 11 x 7, H = 5.
"""

import pytest
from tiny_models import POSITIONS, SOURCE_WORDS, TARGET_WORDS, Overrides, accepted, tiny_model

from nmt_attn.config.model_section import ModelConfig
from nmt_attn.config.schema import Config
from nmt_attn.model.build import DECODERS, build_model
from nmt_attn.model.count import count_from_config, count_parameters


def counted(overrides: Overrides) -> dict[str, int]:
    """Parameters by part of the tiny model."""
    counts = count_parameters(tiny_model(accepted(overrides)))
    return {count.part: count.parameters for count in counts}


def test_bahdanaus_parts_in_the_order_of_the_model() -> None:
    assert counted({}) == {
        "source embedding": 10 * 4,
        "encoder layer 1": 2 * (3 * 3 * (4 + 3) + 2 * 3 * 3),  # two directions of W, U and the two biases of a GRU
        "target embedding": 11 * 7,
        "decoder first state": 5 * 6 + 5,  # bridge from both directions
        "decoder layer 1": 3 * 5 * (7 + 5 + 6) + 2 * 3 * 5,  # W y, U s, C c and two biases
        "attention score": 5 * 5 + 5 * 6 + 5,  # W_a, U_a, v_a
        "attention window": 0,
        "readout": 5 * (5 + 7 + 6) + 5,  # U_o, V_o, C_o, b
        "output layer": 11 * 5 + 11,
    }


def test_luongs_parts() -> None:
    counts = counted({"decoder.style": "luong", "decoder.cell": "lstm", "decoder.input_feeding": "attentional"})
    assert counts["decoder layer 1"] == 4 * 5 * (7 + 5 + 5) + 4 * 5  # W y, U s, F h~ and one bias
    assert counts["attentional state"] == 5 * (6 + 5)  # W_c [c; s]
    assert counts["readout"] == 0
    assert "decoder layer 2" not in counts


SCORES: dict[str, tuple[Overrides, int]] = {
    "none": ({"attention.score": "none"}, 0),
    "dot": ({"attention.score": "dot", "decoder.hidden": 6}, 0),
    "dot, projected": ({"attention.score": "dot", "attention.project": True}, 5 * 6),
    "scaled-dot": ({"attention.score": "scaled-dot", "decoder.hidden": 6}, 0),
    "general": ({"attention.score": "general"}, 5 * 6),
    "scaled-general": ({"attention.score": "scaled-general"}, 5 * 6 + 1),
    "concat": ({"attention.score": "concat", "attention.hidden": 2}, 2 * (5 + 6) + 2),
    "concat, identity": ({"attention.score": "concat", "attention.concat_keys": "identity"}, 6 * 5 + 6),
    "additive": ({"attention.hidden": 2}, 2 * 5 + 2 * 6 + 2),
    "additive, bias": ({"attention.hidden": 2, "attention.bias": True}, 2 * 5 + 2 * 6 + 2 + 2),
    "normed-additive": ({"attention.score": "normed-additive", "attention.hidden": 2}, 2 * 5 + 2 * 6 + 2 + 1),
    "location": ({"attention.score": "location"}, POSITIONS * 5),
}


@pytest.mark.parametrize("name", sorted(SCORES))
def test_a_score_costs_what_its_formula_says(name: str) -> None:
    overrides, expected = SCORES[name]
    assert counted(overrides)["attention score"] == expected


@pytest.mark.parametrize(("window", "expected"), [("global", 0), ("local-m", 0), ("local-p", 2 * 5 + 2)])
def test_only_a_predicted_window_has_parameters(window: str, expected: int) -> None:
    assert counted({"attention.window": window, "attention.hidden": 2})["attention window"] == expected  # W_p, v_p


@pytest.mark.parametrize(
    ("alignment", "expected"),
    [("hard", 0), ("monotonic", 0), ("hard-first-order", 5 * (5 + 6 + 1)), ("monotonic-first-order", 3 * (5 + 6 + 1))],
)
def test_only_scores_of_jumps_have_parameters(alignment: str, expected: int) -> None:
    keys: Overrides = {"attention.alignment": alignment, "decoder.style": "luong"}
    keys |= {"attention.jump": 2} if expected else {}
    assert counted(keys).get("attention jumps", 0) == expected  # U [s; h_i] and a bias, for jumps from -2 or 0 to 2


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        ("sum", 5),  # V
        ("linguistic", 5 + 6),  # V, U_f
        ("neural", 5 * 10 + 3 * 10 * (1 + 6 + 5 + 10) + 2 * 3 * 10),  # V; W of weight, h and s, U, and two biases
    ],
)
def test_coverage_costs_what_its_formula_says(coverage: str, expected: int) -> None:
    assert counted({"attention.coverage": coverage})["attention coverage"] == expected


@pytest.mark.parametrize(("fixed_context", "expected"), [(True, None), ("projected", 6 * 6 + 6)])
def test_a_projected_context_costs_a_matrix_and_a_bias(fixed_context: bool | str, expected: int | None) -> None:
    found = counted({"attention.score": "none", "attention.fixed_context": fixed_context})
    assert found.get("fixed context") == expected


def test_an_output_layer_may_have_no_bias() -> None:
    with_bias, without = (counted({"decoder.output_bias": each})["output layer"] for each in (True, False))
    assert (with_bias, without) == (11 * 5 + 11, 11 * 5)


def test_a_copying_gate_has_three_vectors_and_a_bias() -> None:
    assert counted({"decoder.copying": "pointer-generator"})["copying gate"] == 6 + 5 + 7 + 1  # w_h, w_s, w_x, b


def test_layers_are_counted_one_by_one_and_in_order() -> None:
    counts = counted({"encoder.layers": 11, "decoder.layers": 2, "encoder.bidirectional": "bottom"})
    encoder = [part for part in counts if part.startswith("encoder")]
    assert encoder == [f"encoder layer {number}" for number in range(1, 12)]
    assert counts["encoder layer 2"] == 3 * 3 * (6 + 3) + 2 * 3 * 3
    assert counts["encoder layer 3"] == 3 * 3 * (3 + 3) + 2 * 3 * 3
    assert counts["decoder layer 2"] == 3 * 5 * (5 + 5) + 2 * 3 * 5


def test_shared_weights_count_once() -> None:
    tied = accepted({"tie": "all", "encoder.embedding": 7, "decoder.readout_hidden": 7})
    counts = {count.part: count for count in count_parameters(tiny_model(tied))}
    assert counts["source embedding"].parameters == 11 * 7
    assert counts["target embedding"].parameters == 0
    assert counts["target embedding"].tensors == "target_embedding 11x7 shared with the source embedding"
    assert counts["output layer"].parameters == 11


@pytest.mark.parametrize("style", sorted(DECODERS))
def test_every_parameter_belongs_to_a_known_part(style: str) -> None:
    overrides: Overrides = {"decoder.style": style, "decoder.layers": 2, "attention.window": "local-p"}
    overrides["attention.coverage"] = "neural"
    model = tiny_model(accepted(overrides))
    counts = count_parameters(model)
    assert sum(count.parameters for count in counts) == sum(parameter.numel() for parameter in model.parameters())
    assert all("." not in count.part for count in counts)


def test_shapes_are_named() -> None:
    counts = {count.part: count.tensors for count in count_parameters(tiny_model(accepted({"attention.hidden": 2})))}
    assert counts["attention score"] == "vector 2, query_projection 2x5, key_projection 2x6"
    assert counts["encoder layer 1"].startswith("2 x (input_to_gates 9x4), 2 x (input_to_gates bias 9)")


@pytest.mark.parametrize("initialisation", ["xavier", "uniform", "orthogonal", "bahdanau"])
def test_a_model_without_numbers_counts_like_a_real_one(initialisation: str) -> None:
    model = ModelConfig.model_validate({"initialisation": initialisation, "encoder": {"hidden": 3, "embedding": 4}})
    real = build_model(model, SOURCE_WORDS, TARGET_WORDS, positions=101)
    config = Config(model=model)
    assert count_from_config(config, SOURCE_WORDS, TARGET_WORDS) == count_parameters(real)
