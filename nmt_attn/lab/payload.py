"""Payload: traces and trees as plain JSON. Numbers have five decimals; NaN, what a window hides, is null."""

import math
from typing import Any

from torch import Tensor

from nmt_attn.lab.lab_model import LabModel, SentenceTrace, Step, Tree
from nmt_attn.lab.neighbours import Layer, StateIndex

DECIMALS = 5

Json = dict[str, Any]


def model_payload(model: LabModel) -> Json:
    """What the page says of a model."""
    parts = model.config.model
    return {
        "name": model.name,
        "style": model.style,
        "score": parts.attention.score,
        "window": parts.attention.window,
        "normalise": parts.attention.normalise,
        "alignment": parts.attention.alignment,
        "coverage": parts.attention.coverage,
        "output": parts.decoder.normalise,
        "copying": parts.decoder.copying,
        "attentional_state": parts.decoder.attentional_state,
        "context_gate": parts.decoder.context_gate,
        "readout": parts.decoder.readout,
        "half_width": parts.attention.half_width,
        "sigma": parts.attention.sigma or parts.attention.half_width / 2,
        "position": parts.attention.position,
        "cell": parts.decoder.cell,
        "encoder": parts.encoder.hidden,
        "decoder": parts.decoder.hidden,
        "layers": parts.decoder.layers,
        "deep_context": parts.decoder.deep_context,
        "parameters": sum(parameter.numel() for parameter in model.translator.model.parameters()),
        "attention": model.translator.has_attention,
        "beam": model.translator.search.beam,
    }


def trace_payload(trace: SentenceTrace, vectors: int) -> Json:
    """A sentence with all its steps; of every vector the first `vectors` numbers."""
    return {
        "model": trace.model,
        "source": trace.source,
        "unknown": trace.unknown,
        "target": trace.target,
        "text": trace.text,
        "log_prob": number(trace.log_prob),
        "finished": trace.is_finished,
        "encoder_states": [numbers(row[:vectors]) for row in trace.encoder_states],
        "steps": [_step(step, t, vectors) for t, step in enumerate(trace.steps)],
    }


def tree_payload(tree: Tree) -> Json:
    """A beam's candidates and the translations that came of them."""
    nodes = [
        {
            "id": node.number,
            "parent": node.parent,
            "step": node.step,
            "word": word,
            "log_prob": number(node.log_prob),
            "total": number(node.total),
            "place": node.place,
            "fate": node.fate,
            "rank": number(node.rank),
            "best": node.is_best,
            "weights": [number(weight) for weight in node.weights],
        }
        for node, word in zip(tree.nodes, tree.words, strict=True)
    ]
    ended = [
        {
            "text": " ".join(tree.words[each.number] for each in tree.path(node)[:-1]),
            "log_prob": number(node.total),
            "rank": number(node.rank),
            "finished": node.fate == "ended",
        }
        for node in tree.ended
    ]
    return {"source": tree.source, "beam": tree.beam, "text": tree.text, "nodes": nodes, "hypotheses": ended}


def neighbours_payload(index: StateIndex, trace: SentenceTrace, layer: Layer, place: int, count: int) -> Json:
    """The nearest states, and among how many they were found."""
    found = index.nearest(trace, layer, place, count)
    return {"neighbours": [each._asdict() for each in found], "states": index.size(layer), "pairs": index.pairs}


def number(value: float | None) -> float | None:
    """Rounded; None where it is not finite."""
    return None if value is None or not math.isfinite(value) else round(value, DECIMALS)


def numbers(vector: Tensor) -> list[float | None]:
    """A vector as rounded numbers."""
    return [number(value) for value in vector.tolist()]


def entropy(weights: Tensor) -> float:
    """weights [S] -> their entropy in nats."""
    return -sum(weight * math.log(weight) for weight in weights.tolist() if weight > 0)


def _rows(matrix: Tensor | None, vectors: int) -> list[list[float | None]] | None:
    return None if matrix is None else [numbers(row[:vectors]) for row in matrix]


def _step(step: Step, t: int, vectors: int) -> Json:
    look = step.look
    found: Json = {
        "t": t,
        "previous": step.previous,
        "word": step.word,
        "log_prob": number(step.log_prob),
        "top": [{"word": word, "p": number(p)} for word, p in step.top],
        "previous_state": numbers(step.previous_state[:vectors]),
        "state": numbers(step.state[:vectors]),
        "attentional_state": None if step.attentional_state is None else numbers(step.attentional_state[:vectors]),
        "readout": None if step.readout is None else numbers(step.readout[:vectors]),
        "given": step.is_given,
        "copied": number(step.copied),
    }
    if look is None:
        return found
    return found | {
        "query": numbers(look.query[0, :vectors]),
        "scores": numbers(look.scores[0]),
        "softmax": numbers(look.softmax[0]),
        "gaussian": None if look.gaussian is None else numbers(look.gaussian[0]),
        "centre": None if look.centre is None else number(float(look.centre[0])),
        "own_weights": numbers(look.own_weights[0]),
        "weights": numbers(look.weights[0]),
        "context": None if look.context is None else numbers(look.context[0, :vectors]),
        "coverage": _rows(None if look.coverage is None else look.coverage[0], vectors),
        "coverage_after": _rows(step.coverage, vectors),
        "entropy": number(entropy(look.weights[0])),
    }
