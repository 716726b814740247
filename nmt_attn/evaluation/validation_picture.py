"""Validation picture: where a model looks while it reads one sentence of the validation corpus and its translation.

The translation is the reference, so that the pictures of a training differ in the attention alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nmt_attn.config.schema import SearchConfig
from nmt_attn.data.prepare import PreparedData
from nmt_attn.evaluation.pictures import Alignment, alignment_pixels
from nmt_attn.evaluation.system_outputs import choose_sentence
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.search.forced import force_decode
from nmt_attn.search.translator import Translator
from nmt_attn.types import EOS, SPECIAL_TOKENS


def validation_picture(data: PreparedData, model: Seq2Seq) -> Callable[[], NDArray[np.floating]] | None:
    """Draws the picture [height, width, 3], from 0 to 1, of the model as it is when called.

    None if the model has no attention, or no sentence a translation.
    """
    texts = data.valid.texts()
    number = choose_sentence([text.source for text in texts], [text.target for text in texts])
    if number is None or not model.has_attention:
        return None
    text = texts[number]

    def draw() -> NDArray[np.floating]:
        translator = Translator(model, data.codecs, SearchConfig())
        [pair] = force_decode(translator, [text.source], [text.target], with_alignments=True)
        source, target, weights = pair.alignment(shift=0)
        end, title = SPECIAL_TOKENS[EOS], f"data.valid, pair {number + 1}"
        return alignment_pixels(Alignment([*source, end], [*target, end], weights.numpy(force=True), title))

    return draw
