"""Report builder: the HTML report of an evaluation, or of one explained sentence."""

from collections.abc import Sequence

from nmt_attn.alignment.links import GoldLinks
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.artifacts import EvaluationResults
from nmt_attn.evaluation.evaluation_inputs import EvaluationSet
from nmt_attn.evaluation.html_payload import AlignmentView, Report, ReportSentence, SystemSentence
from nmt_attn.evaluation.metrics import Measure, measure
from nmt_attn.evaluation.system_outputs import SystemOutput
from nmt_attn.search.forced import Shift
from nmt_attn.search.translation import Translation

SENTENCE_METRIC = "chrf"
"""BLEU of a single sentence says little; chrF works for one."""
NBEST_LABELS = ("best", "2nd best", "3rd best")


def evaluation_report(
    results: EvaluationResults,
    test: EvaluationSet,
    gold: Sequence[GoldLinks] | None,
    config: EvaluateConfig,
    shift: Shift,
) -> Report:
    """Results and sentences of all systems."""
    measures = [
        measure(SENTENCE_METRIC, system.hypotheses, test.references, config, test.further) for system in results.systems
    ]
    sentences = [
        ReportSentence(
            source,
            reference,
            None if gold is None else gold[number],
            tuple(
                _output(system, each, number, reference, shift)
                for system, each in zip(results.systems, measures, strict=True)
            ),
            tuple(texts[number] for texts in test.further),
        )
        for number, (source, reference) in enumerate(zip(test.sources, test.references, strict=True))
    ]
    names = tuple(system.name for system in results.systems)
    title = f"{', '.join(names)} on {results.test_set}"
    return Report(title, names, sentences, measures[0].name, results.summaries, results.comparisons, results.ngrams)


def sentence_report(system: str, translation: Translation) -> Report:
    """One sentence and its translations."""
    output = SystemSentence(translation.text, None, _translation_views(translation))
    sentence = ReportSentence(translation.source, None, None, (output,))
    return Report(f"{translation.source} → {translation.text}", (system,), [sentence], "")


def _output(system: SystemOutput, values: Measure, number: int, reference: str, shift: Shift) -> SystemSentence:
    value = values.value(values.rows[number])
    views: tuple[AlignmentView, ...] = ()
    if system.translations and system.forced is not None:
        pair = system.forced[number]
        alignment = pair.alignment(shift) if system.has_attention else None
        forced = AlignmentView("the reference, forced", reference, pair.log_prob, alignment, is_reference=True)
        views = (*_translation_views(system.translations[number]), forced)
    return SystemSentence(system.hypotheses[number], value, views)


def _translation_views(translation: Translation) -> tuple[AlignmentView, ...]:
    return tuple(
        AlignmentView(place, hypothesis.text, hypothesis.log_prob, hypothesis.alignment)
        for place, hypothesis in zip(NBEST_LABELS, translation.hypotheses, strict=False)
    )
