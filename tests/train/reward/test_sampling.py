"""Drawn answers: whose numbers decide, and that they are learnt from as they were drawn."""

import copy

import numpy as np
import pytest

import sightline  # noqa: F401 - before transformers

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.train.reward.answered import answering, batch_of  # noqa: E402
from sightline.train.reward.loss import token_logs  # noqa: E402
from sightline.train.reward.module import RewardTraining  # noqa: E402
from sightline.train.reward.run import open_task  # noqa: E402
from sightline.train.reward.sampling import Chosen, Drawn, uniform_numbers  # noqa: E402
from sightline.train.vlm.collate import Collator  # noqa: E402
from sightline.train.vlm.labels import IGNORED  # noqa: E402
from tests.train.reward.small import settings  # noqa: E402


@pytest.fixture(scope="module")
def training(start) -> RewardTraining:
    own = settings(start.model, [start.train])
    return RewardTraining(own, open_task(own))


def drawn(training: RewardTraining, places: list[int], round_index: int = 0) -> list[list[Drawn]]:
    prompts = training.task.prompts.piece(round_index, 0, pieces=1)
    return training.task.sampler.draw(training.model, [prompts[place] for place in places], round_index)


def test_an_answer_does_not_depend_on_what_is_drawn_beside_it_or_before(training):
    together = drawn(training, [0, 1, 2, 3])
    torch.manual_seed(5)
    assert drawn(training, [2])[0] == together[2]
    assert drawn(training, [3, 1]) == [together[3], together[1]]
    assert len({each.text for group in together for each in group}) > 4
    assert drawn(training, [0, 1, 2, 3], round_index=1) != together


def test_drawing_leaves_the_model_and_torchs_random_numbers_as_they_were(training):
    training.model.train()
    training.model.model.visual.eval()
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    drawn(training, [0])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert training.model.training
    assert not training.model.model.visual.training
    assert all(parameter.grad is None and not parameter.is_inference() for parameter in training.model.parameters())
    training.model.model.visual.train()


def test_a_penalty_in_the_checkpoints_generation_settings_changes_nothing(training):
    before, declared = drawn(training, [0, 1]), training.model.generation_config
    penalised = copy.deepcopy(declared)
    penalised.repetition_penalty = 3.0
    training.model.generation_config = penalised
    assert drawn(training, [0, 1]) == before
    assert training.model.generation_config is penalised
    training.model.generation_config = declared


def test_tokens_are_drawn_with_their_probabilities_and_only_those_that_are_allowed():
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    allowed = torch.tensor([True, True, False, True])
    count = 4000
    numbers = uniform_numbers(0, 0, 0, 0, count=count)[:, None]
    chosen = Chosen(numbers, allowed, temperature=0.5, prompt_length=1)
    left = chosen(torch.zeros(count, 1, dtype=torch.long), logits.expand(count, -1))
    assert (torch.isfinite(left).sum(dim=1) == 1).all()
    shares = np.bincount(left.argmax(dim=1).numpy(), minlength=4) / count
    # at temperature 0.5 probabilities are squared: 0.01, 0.04 and 0.16 of 0.21; the third may not be drawn
    expected = np.array([0.01, 0.04, 0, 0.16]) / 0.21
    assert np.abs(shares - expected).max() < 4 * np.sqrt(0.25 / count)
    assert shares[2] == 0


def test_the_log_probabilities_in_the_loss_are_those_the_answers_were_drawn_by(training):
    """By the checkpoint's own processor and forward pass, and by those of training."""
    training.model.eval()
    prompts = training.task.prompts.piece(0, 0, pieces=1)
    groups = drawn(training, [0, 1, 2, 3])
    batch = batch_of(training._collator, prompts, groups)
    logs = token_logs(training.model, batch, temperature=1.0, allowed=training._allowed)
    lengths = [len(each.tokens) for group in groups for each in group]
    first = logs.logs.detach().split(lengths)
    for group, prompt in enumerate(prompts):
        tensors = training.task.sampler.checkpoint.question_tensors([prompt.example.question], prompt.taskset, longest_answer=8)
        with torch.no_grad():
            logits = training.model(**tensors).logits[0, -1].masked_fill(~training._allowed, -torch.inf)
        for place, each in enumerate(groups[group]):
            assert float(first[4 * group + place][0]) == pytest.approx(float(logits.log_softmax(-1)[each.tokens[0]]), abs=1e-4)
    assert float(logs.entropy.detach().min()) >= 0
    training.model.train()


def test_what_is_learnt_is_the_drawn_tokens_even_where_their_text_has_others(training):
    tokenizer = training.task.chat.labeller.processor.tokenizer
    prompts = training.task.prompts.piece(0, 0, pieces=1)[:1]
    asked = drawn(training, [0])[0][0].asked
    apart = [tokenizer.convert_tokens_to_ids(letter) for letter in "42"]  # "42" is one token of this tokenizer
    assert tokenizer("(42)")["input_ids"] != tokenizer("(")["input_ids"] + apart + tokenizer(")")["input_ids"]
    cut = training.task.sampler.restore(apart, asked)
    assert (cut.text, cut.cut) == ("42", True)
    whole = training.task.sampler.restore([*apart, tokenizer.eos_token_id], asked)
    assert (whole.text, whole.cut) == ("42", False)
    batch = batch_of(training._collator, prompts, [[cut, whole]])
    assert batch.targets[0][batch.targets[0] != IGNORED].tolist() == apart
    assert batch.targets[1][batch.targets[1] != IGNORED].tolist() == [*apart, tokenizer.eos_token_id]
    assert len(batch.pictures.tiles) == 1  # both rows show the same picture


def test_a_question_that_training_renders_otherwise_is_named(training):
    prompts = training.task.prompts.piece(0, 0, pieces=1)[:1]
    group = drawn(training, [0])[0]
    other = Drawn(group[0].tokens, group[0].text, cut=group[0].cut, asked=(*group[0].asked[:-1], 0))
    collator = Collator(answering(training.task.chat), training.model.config)
    with pytest.raises(InputError, match=f"{prompts[0].example.id}.*renders the question as .* tokens"):
        batch_of(collator, prompts, [[other]])


def test_every_question_comes_once_before_any_comes_again_and_rounds_do_not_depend_on_how_many_follow(training):
    prompts = training.task.prompts
    rounds = [prompts.numbers(index).tolist() for index in range(24)]  # 12 rounds of 4 are the 48 questions
    assert sorted(number for each in rounds[:12] for number in each) == list(range(48))
    assert sorted(number for each in rounds[12:] for number in each) == list(range(48))
    assert rounds[:12] != rounds[12:]
    fresh = open_task(training.settings).prompts
    assert fresh.numbers(17).tolist() == rounds[17]
    halves = [prompts.piece(3, piece, pieces=2) for piece in range(2)]
    whole = prompts.piece(3, 0, pieces=1)
    assert [each.example.id for half in halves for each in half] == [each.example.id for each in whole]
    assert [each.place for half in halves for each in half] == [0, 1, 2, 3]
