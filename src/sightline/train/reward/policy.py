"""The model of a run with the round that is being learnt from: both are part of a checkpoint.

Only where several updates are made from one round (`loss.inner_epochs`) is there anything to keep: the answers came from weights
that are gone when the run goes on from the middle of a round.
"""

from typing import Any

from torch import Tensor, nn

from sightline.train.reward.rounds import Round

Kept = dict[str, Any]


class Policy(nn.Module):
    """`model` is trained; `rounds` are the pieces of the round in hand, by their number.

    Args:
        keeps: whether checkpoints hold the round.
    """

    def __init__(self, model: nn.Module, *, keeps: bool) -> None:
        super().__init__()
        self.model = model
        self.keeps = keeps
        self.rounds: dict[int, Round] = {}
        self.kept: dict[int, Kept] = {}

    def get_extra_state(self) -> dict[str, Any]:
        """Tokens and log-probabilities of the round, in plain values and tensors."""
        if not self.keeps:
            return {}
        return {str(piece): _plain(made) for piece, made in self.rounds.items()} or {str(p): kept for p, kept in self.kept.items()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over the round of a checkpoint; `kept` is what it was."""
        self.kept = {int(piece): kept for piece, kept in state.items()}


def _plain(made: Round) -> Kept:
    tokens = [[list(drawn.tokens) for drawn in group] for group in made.groups]
    asked = [list(group[0].asked) for group in made.groups]
    old: Tensor | None = made.old
    assert old is not None, "checkpoints are written after an update"
    return {"index": made.index, "tokens": tokens, "asked": asked, "old": old.cpu()}
