"""Freeze: the page as one file, with the answers that a reader is likely to ask for.

For each model: the sentence step by step, its beam, what comes of every word forced among the likeliest, and of
every look at one word alone or at all alike; and the neighbours of its states.
"""

from collections.abc import Iterator
from typing import Any

from nmt_attn.lab.lab_model import LabModel, SentenceTrace, even, only
from nmt_attn.lab.neighbours import LAYERS, StateIndex
from nmt_attn.lab.page import frozen_page, request_key
from nmt_attn.lab.payload import Json, model_payload, neighbours_payload, trace_payload, tree_payload
from nmt_attn.lab.service import Lab

BEAM, VECTORS = 5, 4
"""What the page asks for by default."""
FORCED_WORDS = 5
NEIGHBOURS, MOST_PLACES = 10, 20
"""Neighbours of a state, and states that have some: fewer than with a server."""
MOST_CELLS = 200
"""Of a matrix whose every cell is tried."""


def freeze(lab: Lab, sentence: str) -> str:
    """The page for a sentence. Raises UserError if a model cannot read it."""
    models = [
        model_payload(model) | {"name": name, "neighbours": name in lab.indices} for name, model in lab.models.items()
    ]
    examples = [{"source": sentence, "target": "", "links": ()}]
    examples = [each._asdict() for each in lab.examples if each.source == sentence] or examples
    limits = {"tokens": 0, "beam": BEAM, "texts": 0}
    answers: dict[str, Any] = {
        request_key("/api/models"): {"models": models, "examples": examples, "limits": limits, "training": False}
    }
    for name, model in lab.models.items():
        answers.update(_answers(name, model, sentence))
        if name in lab.indices:
            answers.update(_neighbours(name, model, sentence, lab.indices[name]()))
    return frozen_page(answers)


def _asked(name: str, text: str) -> Json:
    return {"beam": BEAM, "given": {}, "model": name, "prefix": [], "text": text}


def _neighbours(name: str, model: LabModel, text: str, index: StateIndex) -> Iterator[tuple[str, Json]]:
    """Those of the sentence's first states, layer by layer."""
    base, asked = model.trace(text, beam=BEAM), _asked(name, text)
    for layer in LAYERS:
        for place in range(min(MOST_PLACES, index.places(base, layer))):
            body = asked | {"layer": layer, "place": place, "count": NEIGHBOURS}
            yield request_key("/api/neighbours", body), neighbours_payload(index, base, layer, place, NEIGHBOURS)


def _answers(name: str, model: LabModel, text: str) -> Iterator[tuple[str, Json]]:
    base, asked = model.trace(text, beam=BEAM), _asked(name, text)
    yield request_key("/api/beam", asked), tree_payload(model.tree(text, beam=BEAM))
    yield request_key("/api/steps", asked | {"vectors": VECTORS}), trace_payload(base, VECTORS)
    for changed in _questions(base):
        prefix, given = changed.get("prefix", []), changed.get("given", {})
        found = model.trace(text, beam=BEAM, prefix=prefix, given={int(step): row for step, row in given.items()})
        yield request_key("/api/steps", asked | {"vectors": VECTORS} | changed), trace_payload(found, VECTORS)


def _questions(base: SentenceTrace) -> Iterator[Json]:
    """What is changed of the first request."""
    size = len(base.source)
    words = [step.word for step in base.steps]
    for t, step in enumerate(base.steps):
        others = [word for word, _ in step.top[: FORCED_WORDS + 1] if word != step.word]
        yield from ({"prefix": [*words[:t], word]} for word in others[:FORCED_WORDS])
    if not base.steps[0].look or size * len(words) > MOST_CELLS:
        return
    for t in range(len(words)):
        rows = [*(only(position, size) for position in range(size)), even(size)]
        yield from ({"given": {str(t): [int(weight) for weight in row]}} for row in rows)
