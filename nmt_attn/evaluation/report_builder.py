"""Page: what an evaluation, or one explained sentence, becomes in the HTML report."""

from collections.abc import Sequence

from nmt_attn.alignment.links import GoldLinks
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.artifacts import Findings
from nmt_attn.evaluation.evaluation_inputs import EvaluationSet
from nmt_attn.evaluation.html_payload import Report, ReportSentence, SystemSentence, View
from nmt_attn.evaluation.metrics import Measure, measure
from nmt_attn.evaluation.system_outputs import SystemOutput
from nmt_attn.search.alignments import WordAlignment
from nmt_attn.search.forced import Shift
from nmt_attn.search.translation import Translation

SENTENCE_METRIC = "chrf"
"""BLEU of a single sentence says little; chrF works for one."""
PLACES = ("best", "2nd best", "3rd best")


def evaluation_report(
    findings: Findings, test: EvaluationSet, gold: Sequence[GoldLinks] | None, config: EvaluateConfig, shift: Shift
) -> Report:
    """Figures and sentences of all systems."""
    measures = [measure(SENTENCE_METRIC, system.hypotheses, test.references, config) for system in findings.systems]
    sentences = [
        ReportSentence(
            source,
            reference,
            None if gold is None else gold[number],
            tuple(
                _output(system, each, number, reference, shift)
                for system, each in zip(findings.systems, measures, strict=True)
            ),
        )
        for number, (source, reference) in enumerate(zip(test.sources, test.references, strict=True))
    ]
    names = tuple(system.name for system in findings.systems)
    title = f"{', '.join(names)} on {findings.test_set}"
    return Report(title, names, sentences, measures[0].name, findings.summaries, findings.comparisons)


def sentence_report(system: str, translation: Translation) -> Report:
    """One sentence and its translations."""
    output = SystemSentence(translation.text, None, _translation_views(translation))
    sentence = ReportSentence(translation.source, None, None, (output,))
    return Report(f"{translation.source} → {translation.text}", (system,), [sentence], "")


def _output(system: SystemOutput, values: Measure, number: int, reference: str, shift: Shift) -> SystemSentence:
    value = values.value(values.rows[number])
    views: tuple[View, ...] = ()
    if system.has_attention and system.translations and system.forced is not None:
        forced = _view("reference, as the model reads it", reference, system.forced[number].alignment(shift))
        views = (*_translation_views(system.translations[number]), forced._replace(is_reference=True))
    return SystemSentence(system.hypotheses[number], value, tuple(view for view in views if view.weights.size))


def _translation_views(translation: Translation) -> tuple[View, ...]:
    return tuple(
        _view(place, hypothesis.text, hypothesis.alignment)
        for place, hypothesis in zip(PLACES, translation.hypotheses, strict=False)
        if hypothesis.alignment is not None
    )


def _view(label: str, text: str, alignment: WordAlignment) -> View:
    return View(label, text, alignment.source, alignment.target, alignment.weights.numpy(force=True))
