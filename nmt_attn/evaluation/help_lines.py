"""Help lines: what each number of an evaluation means, in one line, for the terminal and the page alike."""

from nmt_attn.evaluation.attention_statistics import DIAGONAL_WORDS

METRICS = {
    "BLEU": "shared n-grams of up to four words, short output penalised; 0-100, higher is better",
    "chrF2": "shared character n-grams, recall counted twice; 0-100, higher is better",
    "TER": "edits and shifts of words per 100 reference words; lower is better",
    "exact": "translations in 100 that equal their reference",
    "WER": "lines in 100 that do not equal their reference, each a word; lower is better",
    "PER": "edits of symbols, such as phones, per 100 reference symbols; lower is better",
    "CER": "edits of characters per 100 reference characters; lower is better",
    "NED": "edits of characters per 100 characters of the longer text, mean over the lines; lower is better",
}
SUMMARY = {
    "95% interval": "where the value lies for 95% of the test sets drawn anew from these sentences",
    "length ratio": "words of the output over words of the reference, as BLEU counts them; below 1 is too short",
    "perplexity": "how many words the model hesitates among, on average, at each token of the references; 1 is best",
}
COMPARISON = {
    "difference": "from the first system",
    "p": "how often a difference this large comes by chance (paired bootstrap); below 0.05 is rare",
}
BLEU_PARTS = {
    "n words": "n-grams of the output that the reference has, in 100",
    "brevity penalty": "what BLEU is multiplied by where the output is too short; 1 is none",
    "output, reference": "words in all, as BLEU counts them",
}
ATTENTION = {
    "entropy": "how spread out a word's weights are, 0 is on one source word",
    "on </s>": "weight on the sentence end",
    f"within {DIAGONAL_WORDS} of diagonal": f"weight at most {DIAGONAL_WORDS} words from the same relative position",
    "argmax is gold": "share of gold-linked words whose heaviest source word is linked to them",
}
LETTERS = "words are here letters and symbols, as every source is one word that is read letter by letter"
"""Below the figures of attention and of links between them."""
LINKS = {
    "precision": "links found that gold has",
    "recall": "sure gold links found",
    "F1": "harmonic mean of both",
    "AER": "alignment error rate, 0 is perfect",
    "95% interval": "where AER lies for 95% of the test sets drawn anew from these sentences",
}


def one_line(lines: dict[str, str], *names: str) -> str:
    """`name: what it means; name: ...`, of the names given."""
    return "; ".join(f"{name}: {lines[name]}" for name in names)
