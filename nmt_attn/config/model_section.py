"""The sections of `model`: encoder, attention and decoder. Only model/build.py reads them."""

from typing import Literal

from pydantic import Field

from nmt_attn.config.base import (
    AlignmentName,
    CellName,
    ContextGateName,
    CopyingName,
    CoverageName,
    DecoderName,
    EncoderLayers,
    Fraction,
    InitialCellStateName,
    InitialisationName,
    InitialStateName,
    Layers,
    Length,
    NormaliserName,
    ReadoutName,
    ScoreName,
    Section,
    Units,
    WindowName,
)


class EncoderConfig(Section):
    """The source side: embedding and a recurrent network."""

    cell: CellName = Field(
        "gru",
        description="gru (reset after the product, as cuDNN), gru-cho (before), lstm, rnn; with layer normalisation "
        "gru-layernorm (nematus), gru-layernorm-joint or lstm-layernorm (Marian), which nothing accelerates",
    )
    layers: EncoderLayers = Field(
        1, description="stacked layers; 0: there is no source, and the decoder is a language model of the target"
    )
    transition_depth: Layers | tuple[Layers, ...] = Field(
        1, description="cells in a row at each step of a layer (deep transition), or one number for each layer, [4, 2]"
    )
    hidden: Units = Field(256, description="units of one direction of one layer")
    bidirectional: bool | Literal["bottom", "separate", "alternating"] = Field(
        True,
        description="true, false, bottom: the first layer only; two stacks that meet at the top, each of one direction "
        "(separate, Marian) or of both in turn (alternating, nematus)",
    )
    embedding: Units = Field(256, description="size of a source word vector")
    factors: Literal["sum"] | tuple[Units, ...] = Field(
        "sum",
        description="vectors of tokenizer.factors: added to the word's (sum), or beside it with these sizes, [16, 8]",
    )
    dropout: Fraction = Field(0.3, description="on embeddings and between layers, where no key below says otherwise")
    embedding_dropout: Fraction | None = Field(None, description="on embeddings; by default `dropout`")
    layer_dropout: Fraction | None = Field(None, description="between layers; by default `dropout`")
    reverse_source: bool = Field(False, description="read the words from last to first; positions stay as written")
    reads_eos: bool = Field(True, description="whether the source's </s> is read (not in OpenNMT-py)")
    residual: bool = Field(False, description="add a layer's input to its output where the sizes are equal")


class AttentionConfig(Section):
    """Which source positions are scored, and how."""

    score: ScoreName = Field("additive", description="how a source position is matched with the query")
    window: WindowName = Field("global", description="which source positions are visible")
    normalise: NormaliserName = Field(
        "softmax", description="scores to weights: softmax, or sparsemax or entmax-1.5, whose weights may be 0"
    )
    coverage: CoverageName = Field(
        "none",
        description="what the score sees of the weights so far: none, their sum, a share of each position's fertility "
        "(linguistic), or a state of its own (neural)",
    )
    coverage_size: Units = Field(10, description="neural: numbers of the state of a position")
    fertility: float = Field(2.0, gt=0, le=100, description="linguistic: N, the most words that a position becomes")
    hidden: Units | None = Field(
        None, description="A, inside additive, normed-additive, concat and local-p; by default the decoder's hidden"
    )
    bias: bool = Field(False, description="bias inside additive, concat and normed-additive")
    concat_keys: Literal["projected", "identity"] = Field(
        "projected", description="concat: W on [s; h] (arXiv), or identity on h (Luong's own code)"
    )
    project: bool = Field(
        False, description="dot, scaled-dot: a learned projection of the source, needed where sizes differ"
    )
    attend_eos: bool = Field(True, description="whether the source's </s> can be attended to")
    max_positions: Length | None = Field(
        None, description="location: positions that can be scored; by default data.max_length + 1"
    )
    alignment: AlignmentName = Field(
        "soft",
        description="soft: a weighted sum of the states; the others are hard, summed over all alignments: to any "
        "position, by scores of jumps too, and the same that never go back",
    )
    jump: Length = Field(5, description="first-order alignments: D, the most positions that one goes at once")
    half_width: Length = Field(10, description="local windows: D, positions to each side of p_t")
    sigma: float | None = Field(None, gt=0, description="local-p: width of the Gaussian; by default D / 2")
    renormalise: bool = Field(False, description="local-p: weights sum to 1 after the Gaussian")
    position: Literal["paper", "nmt.matlab"] = Field(
        "paper", description="local-p: p_t = S sigmoid(..) (eq. 9), or S sigmoid(..) + 1 and a window around its floor"
    )
    fixed_context: bool | Literal["projected"] = Field(
        False,
        description="none: false, the last state h reaches the first state alone; true, every step too; projected, the "
        "same with tanh(V h + b) in the top layer's place, in a first state by bridge or last too (Cho et al. 2014)",
    )


class DecoderConfig(Section):
    """The target side: when it looks at the source, and where what it sees goes."""

    style: DecoderName = Field("bahdanau", description="bahdanau, luong, or conditional (dl4mt, nematus)")
    cell: CellName = Field("gru", description="as model.encoder.cell")
    layers: Layers = Field(1, description="stacked layers; attention belongs to the papers' layer")
    deep_context: bool = Field(
        False, description="the bottom layer looks, and the context enters every layer (GNMT; sockeye, nematus)"
    )
    transition_depth: Layers | tuple[Layers, ...] = Field(
        1, description="as model.encoder.transition_depth; conditional: in place of its second cell"
    )
    hidden: Units = Field(256, description="units of one layer")
    embedding: Units = Field(256, description="size of a target word vector")
    dropout: Fraction = Field(
        0.3, description="on embeddings, between layers and before the output layer, where no key below says otherwise"
    )
    embedding_dropout: Fraction | None = Field(None, description="on embeddings; by default `dropout`")
    layer_dropout: Fraction | None = Field(None, description="between layers; by default `dropout`")
    output_dropout: Fraction | None = Field(None, description="before the output layer; by default `dropout`")
    attentional_dropout: Fraction = Field(
        0.0, description="luong: on the attentional state h~, where it is read and where it is fed to the next step"
    )
    residual: bool = Field(False, description="add a layer's input to its output, from the second layer on")
    init: InitialStateName = Field(
        "bridge",
        description="first state: 0, a learned vector, encoder's last (of both directions or the forward one alone), "
        "or f of W mean, W last, W backward state at 1",
    )
    init_cell: InitialCellStateName = Field(
        "zero",
        description="first cell state of an LSTM: the first state, 0, a learned vector, encoder's last cell, or f of W "
        "mean or W last cell",
    )
    init_activation: Literal["tanh", "relu", "none"] = Field("tanh", description="f of init and init_cell")
    init_reads: Literal["layers", "top", "all"] = Field(
        "layers",
        description="the encoder's last state of which layer each layer starts from: the one beside it, the top one "
        "(joeynmt), or all in a row (OpenNMT-py's bridge)",
    )
    init_shared: bool = Field(False, description="all layers have one W and b, or one learned vector, of init")
    input_feeding: Literal["none", "attentional", "context"] = Field(
        "none", description="luong: what of the last step joins the next input"
    )
    attentional_state: bool = Field(True, description="luong: h~ of context and state; without, the state in its place")
    attentional_activation: Literal["tanh", "none"] = Field("tanh", description="luong: of W_c [c; s]")
    attentional_bias: bool = Field(False, description="luong: bias beside W_c")
    context_gate: ContextGateName = Field(
        "none",
        description="luong: a gate over h~ that is on the source side, the target side, or shares out between them",
    )
    readout: ReadoutName = Field(
        "linear",
        description="U s + V y + C c as it is, its tanh, or the larger of each pair; s as it is, U s + b, or its tanh; "
        "luong: linear is h~, the others read it in place of s",
    )
    readout_hidden: Units | None = Field(None, description="size of the readout; by default the decoder's hidden")
    readout_state: Literal["current", "previous"] = Field(
        "current", description="bahdanau: s of the readout, s_t (text) or s_{t-1} (appendix)"
    )
    normalise: NormaliserName = Field(
        "softmax",
        description="output layer: softmax, or sparsemax or entmax-1.5, which give most words the probability 0 and "
        "learn by their Fenchel-Young loss",
    )
    output_bias: bool = Field(True, description="output layer: whether each word has a bias (not in joeynmt)")
    copying: CopyingName = Field(
        "none",
        description="whether a word may be taken over from the source, words outside of the vocabulary too: none, or "
        "with the probability 1 - p_gen (pointer-generator)",
    )


class ModelConfig(Section):
    """The network."""

    encoder: EncoderConfig = Field(EncoderConfig(), description="source side")
    attention: AttentionConfig = Field(AttentionConfig(), description="link between the sides")
    decoder: DecoderConfig = Field(DecoderConfig(), description="target side")
    tie: Literal["none", "target-output", "source-target", "all"] = Field(
        "none", description="which of source embedding, target embedding and output layer share their weights"
    )
    dropout_mask: Literal["step", "sentence"] = Field(
        "step", description="dropout: a new mask at every step, or one mask per sentence (variational)"
    )
    initialisation: InitialisationName = Field(
        "xavier", description="xavier, xavier + orthogonal recurrent, uniform(-range, range), Bahdanau's appendix"
    )
    initial_range: float = Field(0.1, gt=0, description="range of `initialisation: uniform`")
    word_deviation: float = Field(
        0.3,
        gt=0,
        description="xavier, orthogonal: standard deviation of first word vectors that the output layer does not share",
    )

    @property
    def has_source(self) -> bool:
        """Whether it translates; else it is a language model of the target."""
        return self.encoder.layers > 0
