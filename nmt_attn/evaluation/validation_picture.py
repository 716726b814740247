"""Validation picture: a model's attention on one sentence pair of the validation corpus.

The translation is the reference, so that the pictures of a training differ in the attention alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nmt_attn.config.schema import SearchConfig
from nmt_attn.data.prepare import PreparedData
from nmt_attn.evaluation.pictures import alignment_pixels
from nmt_attn.evaluation.system_outputs import choose_sentence
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.search.forced import force_decode
from nmt_attn.search.translator import Translator


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
        return alignment_pixels(pair.alignment(shift=0).matrix(), f"data.valid, pair {number + 1}")

    return draw
