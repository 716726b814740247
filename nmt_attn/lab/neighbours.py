"""Neighbours: the states of the training set that are nearest to a state of a sentence, by the angle between them.

An index holds encoder states h_j, decoder states s_t and contexts c_t of training pairs as unit vectors in 8 bits
(127 is 1), beside their sentences. Search is exact: the product with every vector.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nmt_attn.data.batching import collate
from nmt_attn.errors import CheckpointError
from nmt_attn.files import replacing, replacing_text
from nmt_attn.lab.lab_model import END, SentenceTrace
from nmt_attn.lab.trace import traced_step
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_lines
from nmt_attn.types import SentencePair

Layer = Literal["encoder", "state", "context"]
LAYERS: tuple[Layer, ...] = ("encoder", "state", "context")
INDEX, STATES, PAIRS = "index", "states.safetensors", "pairs.jsonl"
"""The folder in a run or a model's folder, and its two files."""
MOST_BYTES = 32_000_000
"""Of the vectors of one layer: an index of three takes less than 100 MB."""
ONE = 127
BATCH_PAIRS = 64


class Neighbour(NamedTuple):
    """A state of the training set: token `place` of its pair's source (encoder) or target."""

    cosine: float
    token: str
    place: int
    source: tuple[str, ...]
    target: tuple[str, ...]


class _Layer(NamedTuple):
    vectors: Tensor  # [N, size] int8
    pairs: Tensor  # [N] int32
    places: Tensor  # [N] int32


class StateIndex:
    """The states of one model's training pairs."""

    def __init__(self, layers: dict[Layer, _Layer], pairs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
        self._layers = layers
        self._pairs = pairs

    @classmethod
    def load(cls, folder: Path) -> "StateIndex":
        """What `save` wrote. Raises CheckpointError, DataError."""
        try:
            tensors = safetensors.torch.load_file(folder / STATES)
            layers = {name: _Layer(*(tensors[f"{name}.{part}"] for part in _Layer._fields)) for name in LAYERS}
            pairs = [tuple(map(tuple, json.loads(line))) for line in read_lines(folder / PAIRS)]
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise CheckpointError(f"{folder}: expected an index that nmt-attn index made, got {error}") from error
        return cls(layers, pairs)  # type: ignore[arg-type]

    @classmethod
    def build(
        cls, translator: Translator, pairs: Iterable[SentencePair], progress: Callable[[int], object] = lambda _: None
    ) -> "StateIndex":
        """Of the states of the pairs as the model reads them; as many as fit. `progress` gets each batch's size."""
        kept: dict[Layer, list[_Layer]] = {name: [] for name in LAYERS}
        texts: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        remaining, size = iter(pairs), 0
        while size < MOST_BYTES and (batch := list(islice(remaining, BATCH_PAIRS))):
            for name, found in _states(translator, batch, len(texts)).items():
                kept[name].append(found)
            texts += [_tokens(translator, pair) for pair in batch]
            size = max(sum(part.vectors.numel() for part in parts) for parts in kept.values())
            progress(len(batch))
        layers = {name: _Layer(*map(torch.cat, zip(*parts, strict=True))) for name, parts in kept.items() if parts}
        return cls(layers, texts)

    def save(self, folder: Path) -> None:
        """Writes its two files. Raises DataError if the folder cannot be written to."""
        tensors = {
            f"{name}.{part}": tensor for name, layer in self._layers.items() for part, tensor in layer._asdict().items()
        }
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / STATES) as path:
            safetensors.torch.save_file(tensors, path)
        with replacing_text(folder / PAIRS) as stream:
            stream.writelines(json.dumps(text, ensure_ascii=False) + "\n" for text in self._pairs)

    @property
    def pairs(self) -> int:
        """How many sentence pairs it has."""
        return len(self._pairs)

    def size(self, layer: Layer) -> int:
        """How many states of a layer it has."""
        return len(self._layers[layer].vectors)

    def places(self, trace: SentenceTrace, layer: Layer) -> int:
        """How many states of a layer a sentence has."""
        return len(trace.source) if layer == "encoder" else len(trace.steps)

    def nearest(self, trace: SentenceTrace, layer: Layer, place: int, count: int) -> list[Neighbour]:
        """The `count` states nearest to one of a sentence, nearest first."""
        vector = _vector(trace, layer, place)
        stored = self._layers[layer]
        unit = torch.nn.functional.normalize(vector.float(), dim=0)
        cosines = torch.cat([block.float() @ unit for block in stored.vectors.split(1 << 16)]) / ONE
        best = cosines.topk(min(count, len(cosines)))
        return [self._neighbour(layer, value, row) for value, row in zip(*(x.tolist() for x in best), strict=True)]

    def _neighbour(self, layer: Layer, cosine: float, row: int) -> Neighbour:
        stored = self._layers[layer]
        source, target = self._pairs[int(stored.pairs[row])]
        place = int(stored.places[row])
        return Neighbour(round(cosine, 4), (source if layer == "encoder" else target)[place], place, source, target)


def _tokens(translator: Translator, pair: SentencePair) -> tuple[tuple[str, ...], tuple[str, ...]]:
    codecs = translator.codecs
    return (*codecs.source.pieces(pair.source), END), (*codecs.target.pieces(pair.target), END)


@torch.inference_mode()
def _states(translator: Translator, pairs: Sequence[SentencePair], first: int) -> dict[Layer, _Layer]:
    """Those of a batch: its tokens only, no padding; `first` is the number of its first pair."""
    model, codecs = translator.model, translator.codecs
    sources = [codecs.source.encode(pair.source) for pair in pairs]
    targets = [codecs.target.encode(pair.target) for pair in pairs]
    batch = collate(sources, targets)
    memory = model.encode(batch.src_ids, batch.src_lengths)
    state = model.start(memory)
    states, contexts = [], []
    for ids in batch.tgt_in.unbind(1):
        traced = traced_step(model, ids, state, memory)
        state = traced.state
        states.append(state.layers[-1].hidden)
        look = traced.look
        contexts.append(states[-1] if look is None or look.context is None else look.context)
    source_lengths, target_lengths = batch.src_lengths.tolist(), batch.tgt_lengths.tolist()
    return {
        "encoder": _packed(memory.encoder_states, source_lengths, first),
        "state": _packed(torch.stack(states, 1), target_lengths, first),
        "context": _packed(torch.stack(contexts, 1), target_lengths, first),
    }


def _packed(vectors: Tensor, lengths: Sequence[int], first: int) -> _Layer:
    """vectors [B, T, size] -> those of real tokens as unit vectors in 8 bits."""
    rows = list(_rows(lengths))
    pairs, places = (torch.tensor(column, dtype=torch.int32) for column in zip(*rows, strict=True))
    unit = torch.nn.functional.normalize(vectors.float()[pairs.long(), places.long()], dim=-1)
    return _Layer((unit * ONE).round().to(torch.int8), pairs + first, places)


def _rows(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((row, place) for row, length in enumerate(lengths) for place in range(length))


def _vector(trace: SentenceTrace, layer: Layer, place: int) -> Tensor:
    if layer == "encoder":
        return trace.encoder_states[place]
    step = trace.steps[place]
    if layer == "state" or step.look is None or step.look.context is None:
        return step.state
    return step.look.context[0]
