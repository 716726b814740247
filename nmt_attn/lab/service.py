"""Service: the answers to what is asked of the lab, as JSON. nmt_attn/lab/server.py gives them their paths."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from nmt_attn.alignment.weights import extract_links
from nmt_attn.lab.batcher import Batcher, Limits, ModelThread
from nmt_attn.lab.examples import Example
from nmt_attn.lab.guard import RefusedError, names
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.neighbours import StateIndex
from nmt_attn.lab.payload import Json, model_payload, neighbours_payload, number, numbers, trace_payload, tree_payload
from nmt_attn.lab.requests import (
    MAX_BEAM,
    MAX_TEXTS,
    MAX_TOKENS,
    AlignBody,
    FormulaBody,
    NeighboursBody,
    OpenNMTItem,
    PairBody,
    StepsBody,
    TraceBody,
    TranslateBody,
)
from nmt_attn.lab.training_log import TrainingLog
from nmt_attn.options.translation import SearchOptions
from nmt_attn.search.alignment_units import alignment_units
from nmt_attn.search.forced import force_decode
from nmt_attn.search.request import Request as SearchRequest
from nmt_attn.search.translation import TranslatedHypothesis, Translation

BATCH_SENTENCES = 128
"""Decoded together: short sentences of many clients are quicker so than in the 64 of the configuration."""


@dataclass
class Lab:
    """What is served: models by name, the first one by default, and what goes with them."""

    models: Mapping[str, LabModel]
    examples: Sequence[Example] = ()
    indices: Mapping[str, Callable[[], StateIndex]] = field(default_factory=dict)  # of models that have one
    training: TrainingLog | None = None
    limits: Limits = field(default_factory=Limits)


class Service:
    """The answers."""

    def __init__(self, lab: Lab, thread: ModelThread) -> None:
        self.lab = lab
        self.thread = thread
        self._requests: dict[tuple[str, int, int, bool], SearchRequest] = {}
        self.batchers = {name: Batcher(model.translator, thread) for name, model in lab.models.items()}

    def posts(self) -> list[tuple[str, tuple[type[BaseModel], Callable[[Any], Awaitable[Any]]]]]:
        """Paths below /api/ with the body that each takes."""
        answers: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "translate": self.translate,
            "steps": self.steps,
            "beam": self.beam,
            "formula": self.formula,
            "score": self.score,
            "align": self.align,
            "neighbours": self.neighbours,
        }
        return [(name, (BODIES[name], answer)) for name, answer in answers.items()]

    async def models(self) -> Json:
        """Models, examples, and what else there is to ask for."""
        models = [
            model_payload(model) | {"name": name, "neighbours": name in self.lab.indices}
            for name, model in self.lab.models.items()
        ]
        examples = [example._asdict() for example in self.lab.examples]
        limits = {"tokens": MAX_TOKENS, "beam": MAX_BEAM, "texts": MAX_TEXTS}
        training = self.lab.training is not None
        return {"models": models, "examples": examples, "limits": limits, "training": training}

    async def training(self, after: int) -> Json:
        """Lines of the log after byte `after`."""
        log = self.lab.training
        if log is None:
            raise RefusedError(404, "training: expected a server started with --watch RUN, got one without")
        return await self.thread.call(lambda: log.read(after))

    async def translate(self, body: TranslateBody) -> Json:
        """Joined with the texts of other requests."""
        texts = [body.text] if isinstance(body.text, str) else body.text
        translations, milliseconds = await self._translations(body, texts)
        found = [_translation(each, with_details=body.details) for each in translations]
        return {"translations": found, "ms": milliseconds}

    async def _translations(self, body: TranslateBody, texts: list[str]) -> tuple[list[Translation], float]:
        name, model = self._model(body.model)
        for text in texts:
            _check_length(model, text)
        start = time.perf_counter()
        request = self._request(name, max(body.beam, body.nbest), body.nbest, with_alignments=body.alignments)
        found = await self.batchers[name].translate(texts, body.prefix, request)
        return found, _milliseconds(start)

    def _request(self, name: str, beam: int, nbest: int, *, with_alignments: bool) -> SearchRequest:
        """The search that is asked for; checked once for all requests alike. Raises ConfigError."""
        key = (name, beam, nbest, with_alignments)
        if key not in self._requests:
            options = SearchOptions(beam=beam, nbest=nbest, batch_size=BATCH_SENTENCES)
            translator = self.lab.models[name].translator
            self._requests[key] = translator.request(options, with_alignments=with_alignments)
        return self._requests[key]

    async def steps(self, body: StepsBody) -> Json:
        """Every step of the best translation."""
        _, model = self._model(body.model)
        _check_length(model, body.text)

        def work() -> Json:
            trace = model.trace(body.text, beam=body.beam, prefix=body.prefix, given=body.given)
            return trace_payload(trace, body.vectors)

        return await self._timed(work)

    async def beam(self, body: TraceBody) -> Json:
        """The candidates of every step."""
        _, model = self._model(body.model)
        _check_length(model, body.text)
        return await self._timed(
            lambda: tree_payload(model.tree(body.text, beam=body.beam, prefix=body.prefix, given=body.given))
        )

    async def formula(self, body: FormulaBody) -> Json:
        """The terms of e_tj, those that weigh most first."""
        _, model = self._model(body.model)
        _check_length(model, body.text)

        def work() -> Json:
            trace = model.trace(body.text, beam=body.beam, prefix=body.prefix, given=body.given)
            _check_place("step", body.step, len(trace.steps))
            _check_place("position", body.position, len(trace.source))
            look = trace.steps[body.step].look
            terms = None if look is None else model.score_terms(body.text, look, body.position)
            score = None if look is None else number(float(look.scores[0, body.position]))
            rows = [] if terms is None else [numbers(term) for term in terms]
            return {"score": score, "kind": model.config.model.attention.score, "terms": rows}

        return await self._timed(work)

    def _model_of_pair(self, body: PairBody) -> LabModel:
        """The model that both texts fit into. Raises RefusedError."""
        _, model = self._model(body.model)
        _check_length(model, body.source)
        _check_length(model, body.target, is_target=True)
        return model

    async def score(self, body: PairBody) -> Json:
        """log p of each token."""
        model = self._model_of_pair(body)

        def work() -> Json:
            [pair] = force_decode(model.translator, [body.source], [body.target], with_alignments=False)
            tokens = [*model.translator.codecs.target.pieces(body.target), "</s>"]
            return {
                "tokens": tokens,
                "token_log_probs": [number(value) for value in pair.token_log_probs],
                "log_prob": number(pair.log_prob),
            }

        return await self._timed(work)

    async def align(self, body: AlignBody) -> Json:
        """Weights between words or, of a single word that is read letter by letter, between letters; and links."""
        model = self._model_of_pair(body)

        def work() -> Json:
            units = alignment_units(model.translator.codecs.source, [body.source])
            [pair] = force_decode(model.translator, [body.source], [body.target], with_alignments=True, units=units)
            found = pair.alignment(body.shift)
            links = extract_links(found, body.threshold)
            weights = [numbers(row) for row in found.weights]
            return {
                "source": found.source,
                "target": found.target,
                "weights": weights,
                "links": [(link.source, link.target) for link in links],
            }

        return await self._timed(work)

    async def neighbours(self, body: NeighboursBody) -> Json:
        """The nearest states."""
        name, model = self._model(body.model)
        _check_length(model, body.text)
        if name not in self.lab.indices:
            raise RefusedError(422, f"model: expected one with an index (nmt-attn index RUN), got {name!r}")
        made = self.lab.indices[name]

        def work() -> Json:
            trace, index = model.trace(body.text, beam=body.beam, prefix=body.prefix, given=body.given), made()
            _check_place("place", body.place, index.places(trace, body.layer))
            return neighbours_payload(index, trace, body.layer, body.place, body.count)

        return await self._timed(work)

    async def opennmt(self, items: list[OpenNMTItem]) -> list[list[Json]]:
        """Of each rank, the translations of all sentences."""
        if not 1 <= len(items) <= MAX_TEXTS:
            raise RefusedError(422, f"body: expected a list of 1 to {MAX_TEXTS} sentences, got {len(items)}")
        known = list(self.lab.models)
        chosen = items[0].id
        if isinstance(chosen, int):
            chosen = known[chosen] if 0 <= chosen < len(known) else None
        beam = min(self._model(chosen)[1].beam, MAX_BEAM)
        texts = [item.src for item in items]
        translations, _ = await self._translations(TranslateBody(model=chosen, text=texts, beam=beam), texts)
        answers = [
            {"src": each.source, "tgt": each.text, "n_best": 1, "pred_score": number(each.log_prob)}
            for each in translations
        ]
        return [answers]

    def _model(self, name: str | None) -> tuple[str, LabModel]:
        if name is None:
            return next(iter(self.lab.models.items()))
        if name not in self.lab.models:
            raise RefusedError(422, f"model: expected one of {names(self.lab.models)}, got {name[:80]!r}")
        return name, self.lab.models[name]

    async def _timed(self, work: Callable[[], Json]) -> Json:
        """The answer with the milliseconds that it took, waiting included."""
        start = time.perf_counter()
        found = await self.thread.call(work)
        return found | {"ms": _milliseconds(start)}


BODIES: dict[str, type[BaseModel]] = {
    "translate": TranslateBody,
    "steps": StepsBody,
    "beam": TraceBody,
    "formula": FormulaBody,
    "score": PairBody,
    "align": AlignBody,
    "neighbours": NeighboursBody,
}


def _check_length(model: LabModel, text: str, *, is_target: bool = False) -> None:
    codecs = model.translator.codecs
    tokens = len((codecs.target if is_target else codecs.source).pieces(text))
    if tokens > MAX_TOKENS:
        raise RefusedError(
            422, f"{'target' if is_target else 'text'}: expected at most {MAX_TOKENS} tokens, got {tokens}"
        )


def _check_place(name: str, place: int, size: int) -> None:
    if place >= size:
        raise RefusedError(422, f"{name}: expected 0 to {size - 1}, got {place}")


def _translation(translation: Translation, *, with_details: bool) -> Json:
    found = [_hypothesis(each, with_details=with_details) for each in translation.hypotheses]
    return {"source": translation.source, "hypotheses": found}


def _hypothesis(found: TranslatedHypothesis, *, with_details: bool) -> Json:
    answer: Json = {
        "text": found.text,
        "log_prob": number(found.log_prob),
        "rank": number(found.rank),
        "finished": found.is_finished,
    }
    if with_details:
        answer |= {"tokens": found.pieces, "token_log_probs": [number(value) for value in found.token_log_probs]}
    if found.alignment is not None:
        rows = [numbers(row) for row in found.alignment.weights]
        answer |= {"source": found.alignment.source, "target": found.alignment.target, "weights": rows}
    return answer


def _milliseconds(start: float) -> float:
    return round(1000 * (time.perf_counter() - start), 1)
