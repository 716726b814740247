import torch

from nmt_attn.search.backpointers import Backpointers, Endings, follow_backpointers

A, B = 4, 5
NONE = -torch.inf


def double(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def two_steps() -> list[Backpointers]:
    """Sentence 0 stops after the first step with the empty hypothesis; sentence 1 grows B and A, B ends, A is cut."""
    first = Backpointers(
        sentences=torch.tensor([0, 1]),
        endings=Endings(
            parents=torch.tensor([[0], [0]]),
            log_probs=torch.tensor([[-0.5], [-3.0]]),
            ranks=double([[-0.5], [NONE]]),
            is_finished=torch.tensor([[True], [False]]),
        ),
        parents=torch.tensor([[0, 0], [0, 0]]),
        ids=torch.tensor([[A, B], [B, A]]),
        token_log_probs=torch.tensor([[-1.0, -2.0], [-0.25, -0.75]]),
        weights=torch.tensor([[[0.1, 0.2, 0.7]], [[0.3, 0.4, 0.3]]]),
    )
    second = Backpointers(
        sentences=torch.tensor([1]),
        endings=Endings(
            parents=torch.tensor([[1, 0]]),
            log_probs=torch.tensor([[-0.25, -2.0]]),
            ranks=double([[-1.0, -2.25]]),
            is_finished=torch.tensor([[False, True]]),
        ),
        parents=torch.tensor([[0, 1]]),
        ids=torch.tensor([[A, A]]),
        token_log_probs=torch.tensor([[-9.0, -9.0]]),
        weights=torch.tensor([[[0.5, 0.0, 0.5], [0.0, 0.6, 0.4]]]),
    )
    return [first, second]


def test_hypotheses_are_read_back_with_their_own_rows() -> None:
    [[empty], [finished, cut]] = follow_backpointers(two_steps(), batch_sentences=2, wanted=2)
    assert (empty.ids, empty.token_log_probs) == ((), (-0.5,))
    assert (finished.ids, finished.token_log_probs, finished.log_prob) == ((B,), (-0.25, -2.0), -2.25)
    assert (cut.ids, cut.token_log_probs, cut.rank) == ((A,), (-0.75, -0.25), -1.0)
    assert (finished.is_finished, cut.is_finished) == (True, False)
    assert finished.weights is not None
    assert cut.weights is not None
    torch.testing.assert_close(finished.weights, torch.tensor([[0.3, 0.4, 0.3], [0.5, 0.0, 0.5]]))
    torch.testing.assert_close(cut.weights, torch.tensor([[0.3, 0.4, 0.3], [0.0, 0.6, 0.4]]))


def test_finished_comes_before_cut_whatever_the_rank() -> None:
    [_, [best]] = follow_backpointers(two_steps(), batch_sentences=2, wanted=1)
    assert best.ids == (B,)


def test_without_steps_there_are_no_hypotheses() -> None:
    assert follow_backpointers([], batch_sentences=0, wanted=3) == []
