"""Which parameters have a row for each word: a warm start matches those by word, all others by name alone."""

from test_laws import EVERY, keys_of
from tiny_models import SOURCE_WORDS, TARGET_WORDS, accepted

from nmt_attn.model.build import build_model
from nmt_attn.training.warm_start import SIDES


@EVERY
def test_the_parameters_with_a_row_for_each_word_are_known(score: str, window: str, style: str) -> None:
    config = accepted(keys_of(score, window, style)).model
    sizes = [(SOURCE_WORDS, TARGET_WORDS), (SOURCE_WORDS + 1, TARGET_WORDS), (SOURCE_WORDS, TARGET_WORDS + 1)]
    plain, *others = (
        {name: value.shape for name, value in build_model(config, *size, 8).named_parameters()} for size in sizes
    )
    for side, other in zip(("source", "target"), others, strict=True):
        for name, shape in plain.items():
            is_known = SIDES.get(name.partition(".")[0]) == side
            assert other[name] == ((shape[0] + 1, *shape[1:]) if is_known else shape), name
