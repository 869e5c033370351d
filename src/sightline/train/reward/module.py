"""A vision-language model that is trained by rewards, as a `Trainable`.

Batch n is piece n % accumulate of update n // accumulate, and update u is pass u % inner_epochs over round u // inner_epochs. In
the first pass answers are drawn and judged; the others learn from the same ones. Questions and random numbers follow from the seed
and the round, the answers from these and the weights: so the state is the model, the optimiser, the step, and in the middle of a
round its answers (`policy`).
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.train.reward.answered import answering, batch_of
from sightline.train.reward.loss import PolicyLoss, TokenLogs, policy_loss, token_logs, token_weights
from sightline.train.reward.policy import Policy
from sightline.train.reward.prompts import Prompts
from sightline.train.reward.rounds import Judge, Round
from sightline.train.reward.sampling import Drawn, Sampler, allowed_tokens
from sightline.train.reward.settings import RewardSettings
from sightline.train.trainable import BatchNote, Processes
from sightline.train.vlm.building import load_model
from sightline.train.vlm.chat import Chat
from sightline.train.vlm.collate import Collator
from sightline.train.vlm.evaluation import Held
from sightline.train.vlm.parts import ParameterGroup, parameter_groups


@dataclass(frozen=True)
class Piece:
    """What a batch is before anything is drawn: round, pass over it, and which of the round's pieces."""

    update: int
    round_index: int
    epoch: int
    piece: int


@dataclass(frozen=True)
class RewardTask:
    """What is trained on: the checkpoint's way of writing, the questions, how answers are drawn, and what they are worth."""

    chat: Chat
    prompts: Prompts
    sampler: Sampler
    judge: Judge


class RewardTraining:
    """A checkpoint with its questions.

    Args:
        held: what it is asked while it trains; None: nothing.

    Raises:
        InputError: the checkpoint's weights are not whole, or its parts cannot be set so.
    """

    def __init__(self, settings: RewardSettings, task: RewardTask, *, held: Held | None = None) -> None:
        self.settings = settings
        self.task = task
        self.held = held
        self.on_round: Callable[[Round, int], None] = lambda *_: None  # with each first pass of this process, and its update
        self.model = load_model(Path(settings.model.path), settings.vlm)
        self.policy = Policy(self.model, keeps=settings.loss.inner_epochs > 1)
        self.reference = copy.deepcopy(self.model).eval().requires_grad_(False) if settings.loss.beta else None
        self._allowed = allowed_tokens(self.model, task.chat.labeller.processor.tokenizer)
        self._collator = Collator(answering(task.chat), self.model.config, shared=settings.data.shared_images)
        self._noted: tuple[Round, TokenLogs, PolicyLoss] | None = None

    @property
    def module(self) -> nn.Module:
        """The whole model, frozen parts included, with the answers that are being learnt from."""
        return self.policy

    def parameter_groups(self) -> list[ParameterGroup]:
        """By part, with and without weight decay."""
        rates = self.settings.rates
        return parameter_groups(self.model, self.settings.model.parts.named(), lr=rates.lr, weight_decay=rates.weight_decay)

    def batches(self, numbers: range, processes: Processes) -> Iterator[Piece]:
        """Which questions are asked; the answers are drawn when their turn comes."""
        accumulate, epochs = self.settings.trainer.accumulate, self.settings.loss.inner_epochs
        for number in numbers:
            update, part = divmod(number, accumulate)
            yield Piece(update, update // epochs, update % epochs, part * processes.count + processes.rank)

    def to_device(self, batch: Piece, device: torch.device) -> Piece:
        """The piece as it is; what follows the model to its device is sent there."""
        self._allowed = self._allowed.to(device)
        if self.reference is not None:
            self.reference.to(device)
        return batch

    def losses(self, batch: Piece, number: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - what is drawn has seeds of its own
        """The policy's loss, and with `loss.beta` the divergence's: means over this piece's answers, all pieces being equal."""
        made = self._round(batch)
        logs = token_logs(self.model, made.batch, temperature=self.settings.sampling.temperature, allowed=self._allowed)
        if made.old is None:
            made = replace(made, old=logs.logs.detach())
        self.policy.rounds[batch.piece] = made
        loss = self._loss(made, logs)
        self._noted = made, logs, loss
        if self.reference is None:
            return {"policy": loss.policy + logs.nothing}
        return {"policy": loss.policy + logs.nothing, "divergence": loss.divergence}

    def note(self, batch: Piece) -> BatchNote:  # noqa: ARG002 - what was drawn for it is known
        """The questions' ids; answers and tokens for rates; rewards, groups without spread, entropy and clipping."""
        assert self._noted is not None, "the loop asks for a note after the losses"
        made, logs, loss = self._noted
        count = float(logs.logs.numel())
        measured: dict[str, tuple[float | Tensor, float]] = {
            **made.measured(),
            "entropy": (logs.entropy.sum(), count),
            "clipped": (loss.clipped.sum(), count),
        }
        if self.reference is not None:
            measured["divergence"] = (loss.divergences.sum(), count)
        ids = [f"{prompt.sample.source}/{prompt.example.id}" for prompt in made.prompts]
        return BatchNote(ids=ids, counts={"answers": len(made.lengths), "drawn": sum(made.lengths)}, measured=measured)

    def evaluate(self, step: int) -> Mapping[str, float]:
        """The metrics of every held-out task set, by `Held.ask`."""
        assert self.held is not None, "settings switch evaluation off without task sets"
        return self.held.ask(self.model, step, isolation="none")

    def _loss(self, made: Round, logs: TokenLogs) -> PolicyLoss:
        own, device = self.settings, logs.logs.device
        assert made.old is not None, "the first pass has set it"
        lengths = torch.tensor(made.lengths)
        reference = None
        if self.reference is not None:
            with torch.no_grad():
                known = token_logs(self.reference, made.batch, temperature=own.sampling.temperature, allowed=self._allowed)
            reference = known.logs
        return policy_loss(
            logs.logs,
            made.old.to(device),
            torch.from_numpy(made.advantages.reshape(-1)).float().repeat_interleave(lengths).to(device),
            weights=token_weights(made.lengths, per=own.loss.per, budget=own.sampling.max_new_tokens).to(device),
            settings=own.loss,
            reference=reference,
        )

    def _round(self, piece: Piece) -> Round:
        """The round in hand, drawn anew in its first pass."""
        if piece.epoch == 0:
            prompts = self.task.prompts.piece(piece.round_index, piece.piece, pieces=self.settings.pieces)
            groups = self.task.sampler.draw(self.model, prompts, piece.round_index)
            made = self._judged(piece, groups)
            self.on_round(made, piece.update)
            return made
        made = self.policy.rounds.get(piece.piece)
        return made if made is not None else self._restored(piece)

    def _restored(self, piece: Piece) -> Round:
        """The round as a checkpoint has it."""
        kept = self.policy.kept.get(piece.piece)
        if kept is None or kept["index"] != piece.round_index:
            raise InputError(
                f"the checkpoint does not hold the answers of round {piece.round_index + 1}, which update {piece.update + 1} goes "
                "on with. It is damaged or of another kind of run: delete it, and go on from the one before (resume=last)."
            )
        groups = [
            [self.task.sampler.restore(tokens, tuple(asked)) for tokens in group]
            for group, asked in zip(kept["tokens"], kept["asked"], strict=True)
        ]
        return replace(self._judged(piece, groups), old=kept["old"])

    def _judged(self, piece: Piece, groups: list[list[Drawn]]) -> Round:
        prompts = self.task.prompts.piece(piece.round_index, piece.piece, pieces=self.settings.pieces)
        batch = batch_of(self._collator, prompts, groups).to(next(self.model.parameters()).device)
        return self.task.judge.round(piece.round_index, prompts, groups, batch)
