"""Sections inside `data` and `training`: held-out pairs, word vectors, and what regularises or guides training."""

from typing import Annotated, Literal

from pydantic import Field

from nmt_attn.config.base import Count, DecayName, Fraction, NameOf, Section, Seed, Share
from nmt_attn.registries import DECAYS


class VectorsConfig(Section):
    """Word vectors that were learned elsewhere: the first weights of the embeddings."""

    source: str | None = Field(None, description="text file of source word vectors, plain or .gz (word2vec, GloVe)")
    target: str | None = Field(None, description="text file of target word vectors")
    freeze: bool = Field(False, description="do not train embeddings that start from such vectors")


class GuidedAttentionConfig(Section):
    """Chen et al. 2016: the word alignments of data.alignments supervise attention."""

    weight: float = Field(1.0, gt=0, description="of the alignment loss beside the translation loss, at first")
    decay: Annotated[str, NameOf(DECAYS, "none")] = Field(
        "none", description="how the weight falls over the updates; formulas as in scheduled_sampling"
    )
    updates: Count = Field(1000, description="k of the decay")


class WordDropoutConfig(Section):
    """Words replaced by <unk> in the network's input."""

    source: Fraction = Field(0.0, description="share of the source words replaced by <unk>")
    target: Fraction = Field(0.0, description="share of the previous target words replaced by <unk>")


class SubwordSamplingConfig(Section):
    """Kudo 2018, Provilkov et al. 2020: SentencePiece segments the training text anew in every epoch."""

    alpha: float | None = Field(
        None,
        ge=0,
        description="unigram: exponent of the segmentations' probabilities, 0 makes them equal; bpe: share of merges "
        "left out; null: always the best segmentation",
    )
    nbest: Annotated[int, Field(ge=2, le=512)] | None = Field(
        None, description="unigram: sample from the N best segmentations; by default from all"
    )


class ScheduledSamplingConfig(Section):
    """Bengio et al. 2015: the previous word is now and then the model's own instead of the reference's."""

    rate: Share = Field(0.0, description="largest probability of the model's own word; 0 is teacher forcing")
    decay: DecayName = Field(
        "inverse-sigmoid", description="how the share of the reference's words falls over the updates"
    )
    updates: Count = Field(
        1000,
        description="k of i updates: linear 1 - i / k are the reference's, exponential exp(-i / k), inverse-sigmoid "
        "k / (k + exp(i / k))",
    )
    choice: Literal["argmax", "sample"] = Field(
        "argmax", description="the most likely word, or one sampled from the model"
    )


class HeldOutConfig(Section):
    """Pairs of data.train that are not trained on. Pairs with equal sources stay together, so that nothing leaks."""

    valid: Fraction = Field(0.0, description="share that is the validation corpus, where data.valid names none")
    test: Fraction = Field(0.0, description="share that is the test corpus, where data.test names none")
    seed: Seed = Field(1, description="seed of the choice")
