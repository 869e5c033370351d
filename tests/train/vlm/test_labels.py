"""Real processors of tiny checkpoints are the measure of what is counted and labelled here."""

import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.models.options import ModelOptions
from sightline.train.vlm.frames import chosen_frames
from sightline.train.vlm.labels import IGNORED
from sightline.train.vlm.media_tokens import media_rule
from sightline.train.vlm.samples import MediaRef, Role, Sample, Slot, Turn
from sightline.train.vlm.taskset_source import TaskSetSource

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.train.vlm.chat import open_chat

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "internvl", "llava")
END = dict.fromkeys(FAMILIES, "<|im_end|>") | {"llava": "<|im_end|>\n"}  # what the template writes after an answer
SIZES = [(56, 56), (160, 120), (31, 400), (401, 57), (1000, 1000), (640, 360), (57, 56), (112, 224), (29, 28)]


@pytest.fixture(scope="session")
def chats(saved):
    opened = {}

    def get(family: str):
        if family not in opened:
            opened[family] = open_chat(saved(family), ModelOptions())
        return opened[family]

    return get


def picture(folder: Path, width: int, height: int) -> MediaRef:
    path = folder / f"{width}x{height}.png"
    Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return MediaRef(path)


def talk(*turns: tuple[Role, str | tuple], images: tuple[MediaRef, ...] = ()) -> Sample:
    return Sample(
        "s", "test", tuple(Turn(role, said if isinstance(said, tuple) else (said,)) for role, said in turns), images=images
    )


def processed(chat, sample: Sample) -> list[int]:
    """The whole conversation by the checkpoint's own processor, from pixels."""
    layout = chat.layout(sample)
    messages = [
        {
            "role": turn.role,
            "content": [{"type": "image"} if isinstance(p, Slot) else {"type": "text", "text": p} for p in turn.parts],
        }
        for turn in layout.turns
    ]
    processor = chat.labeller.processor
    text = processor.apply_chat_template(messages, tokenize=False)
    pictures = [
        Image.open(shown.ref.path).convert("RGB") if shown.frame is None else Image.new("RGB", shown.size)
        for shown in layout.pictures
    ]
    return processor(text=[text], images=[pictures] if pictures else None)["input_ids"][0]


def spoken(chat, labelled) -> list[str]:
    """The texts of the supervised stretches."""
    marked = np.flatnonzero(labelled.labels != IGNORED)
    runs = np.split(marked, np.flatnonzero(np.diff(marked) > 1) + 1)
    return [chat.labeller.processor.tokenizer.decode(labelled.ids[run], skip_special_tokens=False) for run in runs]


def expected(family: str, *answers: str) -> list[str]:
    """Each answer with what ends its turn; LLaVA's template here has no end token, so the tokenizer's stands after the last one."""
    texts = [answer + END[family] for answer in answers]
    return [*texts[:-1], texts[-1] + "</s>"] if family == "llava" else texts


def agrees(chat, family: str, sample: Sample) -> None:
    labelled = chat.label(sample)
    ids = labelled.ids.tolist()
    assert (ids[:-1] if family == "llava" else ids) == processed(chat, sample)
    assert spoken(chat, labelled) == expected(family, *(turn.text for turn in sample.turns if turn.role == "assistant"))
    marked = labelled.labels != IGNORED
    assert (labelled.labels[marked] == labelled.ids[marked]).all()
    assert chat.count(sample) == (len(ids), marked.sum(), labelled.slots[:, 1].sum())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("task", ["t1_multi", "t1_concat"])
def test_examples_are_tokenised_as_by_the_processor_and_their_answers_are_supervised(rooms, chats, family, task):
    chat = chats(family)
    source = TaskSetSource(rooms[task], chat.dialect)
    for position in range(min(4, len(source))):
        agrees(chat, family, source[position])


@pytest.mark.parametrize("family", FAMILIES)
def test_conversations_of_any_kind_are_supervised_exactly(chats, family, tmp_path):
    chat = chats(family)
    images = tuple(picture(tmp_path, *size) for size in SIZES[:3])
    slots = tuple(Slot("image", index) for index in range(3))
    samples = [
        talk(("user", "Hello"), ("assistant", "Hello.")),
        talk(("user", "What does the assistant say? <|im_start|>assistant\nHello."), ("assistant", "Hello.")),
        talk(("user", "Say nothing."), ("assistant", "")),
        talk(
            ("system", "Be brief."),
            ("user", "Count"),
            ("assistant", "1"),
            ("user", "Count"),
            ("assistant", "1"),
            ("user", "a"),
            ("assistant", "1"),
        ),
        talk(
            ("user", (slots[0], "Where?")),
            ("assistant", "[(0.1, 0.2)]"),
            ("user", (slots[1], "and", slots[2])),
            ("assistant", " zwölf 点"),
            images=images,
        ),
    ]
    for sample in samples:
        agrees(chat, family, sample)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "internvl"])
def test_an_answer_ends_with_its_turn_whatever_it_holds(chats, family):
    chat = chats(family)
    sample = talk(("user", "How does a turn end?"), ("assistant", "With <|im_end|> it does."))
    assert spoken(chat, chat.label(sample)) == ["With <|im_end|> it does.<|im_end|>"]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_that_begins_with_a_line_break_starts_after_the_prompt_the_model_is_given(chats, family):
    chat = chats(family)
    sample = talk(("user", "Two lines"), ("assistant", "\n\nfirst\nsecond"))
    labelled = chat.label(sample)
    assert spoken(chat, labelled) == expected(family, "\n\nfirst\nsecond")
    prompt = chat.labeller.processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "text", "text": "Two lines"}]}], tokenize=False, add_generation_prompt=True
    )
    given = chat.labeller.processor(text=[prompt])["input_ids"][0]
    assert labelled.ids[: len(given)].tolist() == given
    assert labelled.labels[len(given) - 1] == IGNORED != labelled.labels[len(given)]
    assert chat.count(sample)[:2] == (labelled.ids.size, (labelled.labels != IGNORED).sum())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_slot_is_where_its_pictures_tokens_are(chats, family, tmp_path):
    chat = chats(family)
    images = tuple(picture(tmp_path, *size) for size in SIZES)
    parts = tuple(part for index in range(len(images)) for part in (f"number {index} ", Slot("image", index)))
    labelled = chat.label(talk(("user", parts), ("assistant", "ok"), images=images))
    token = chat.labeller.processor.tokenizer.convert_tokens_to_ids(chat.labeller.processor.image_token)
    inside = np.zeros(labelled.ids.size, bool)
    for (start, length), (width, height) in zip(labelled.slots.tolist(), SIZES, strict=True):
        inside[start : start + length] = True
        assert labelled.ids[start : start + length].tolist() == chat.labeller.rule.tokens(width, height).tolist()
    assert (inside | (labelled.ids != token)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_closed_form_of_a_family_is_what_its_processor_makes_of_pixels(chats, family):
    processor = chats(family).labeller.processor
    rule = media_rule(processor)
    assert rule.closed_form
    rng = np.random.default_rng(0)
    for width, height in [*SIZES, *rng.integers(20, 700, (24, 2)).tolist()]:
        made = processor(text=[processor.image_token], images=[Image.new("RGB", (width, height))], add_special_tokens=False)
        assert rule.tokens(width, height).tolist() == made["input_ids"][0], (width, height)


def test_a_processor_without_a_known_rule_is_asked(saved, chats):
    processor = chats("internvl").labeller.processor

    class Other(type(processor)):
        pass

    other = Other.from_pretrained(saved("internvl"), local_files_only=True)
    rule = media_rule(other)
    assert not rule.closed_form
    for size in SIZES:
        assert rule.tokens(*size).tolist() == chats("internvl").labeller.rule.tokens(*size).tolist()


def test_pixel_limits_change_counts_and_fingerprint(saved, chats, rooms):
    folder = saved("qwen3_vl")
    small = open_chat(folder, ModelOptions(max_pixels=4 * 32 * 32))
    sample = TaskSetSource(rooms["t2a"], small.dialect)[0]
    # two pictures of 160 x 120: room for 12 squares of 32 x 32 gives 4 x 3 each (128 x 96), room for 4 gives 2 x 1 (73.9 x 55.4)
    assert [chat.count(sample)[2] for chat in (chats("qwen3_vl"), small)] == [24, 4]
    assert small.fingerprint != chats("qwen3_vl").fingerprint == open_chat(folder, ModelOptions()).fingerprint
    assert replace(small, max_frames=2).layout(sample) == small.layout(sample)


def edited(saved, tmp_path: Path, before: str, after: str, family: str = "qwen3_vl"):
    folder = Path(shutil.copytree(saved(family), tmp_path / "edited"))
    template = folder / "chat_template.jinja"
    assert before in template.read_text()
    template.write_text(template.read_text().replace(before, after))
    return open_chat(folder, ModelOptions())


def test_a_template_that_rewrites_earlier_turns_is_named(saved, tmp_path):
    chat = edited(
        saved,
        tmp_path,
        "{{ part['text'] }}",
        "{{ part['text'] if loop.last and not loop.first or message == messages[-1] else part['text'] | upper }}",
    )
    with pytest.raises(InputError, match=r"sample 's': .*edited: its chat template rewrites what stands before turn 2"):
        chat.label(talk(("user", "a"), ("assistant", "b")))


def test_a_template_that_changes_answers_is_named(saved, tmp_path):
    chat = edited(saved, tmp_path, "{{ part['text'] }}", "{{ part['text'] | replace('b', 'c') }}")
    assert spoken(chat, chat.label(talk(("user", "b"), ("assistant", "a")))) == ["a<|im_end|>"]
    with pytest.raises(InputError, match=r"changes what the assistant says: 'b' becomes 'c<\|im_end\|>"):
        chat.label(talk(("user", "a"), ("assistant", "b")))


def test_a_template_may_trim_answers_and_have_words_of_its_own(saved, tmp_path):
    chat = edited(saved, tmp_path, "{{ part['text'] }}", "{{ part['text'] | trim }}")
    assert spoken(chat, chat.label(talk(("user", "a"), ("assistant", "  b  ")))) == ["b<|im_end|>"]


def test_a_prompt_that_ends_in_a_space_is_not_merged_with_the_answer(saved, tmp_path):
    chat = edited(saved, tmp_path, "<|im_start|>assistant\n", "<|im_start|>assistant ")
    template = chat.labeller.processor.chat_template.replace("{{ message['role'] }}\n", "{{ message['role'] }} ")
    chat.labeller.processor.chat_template = template
    labelled = chat.label(talk(("user", "a"), ("assistant", "the point")))
    assert spoken(chat, labelled) == ["the point<|im_end|>"]


def test_words_that_hold_the_media_token_are_refused(chats):
    with pytest.raises(InputError, match=r"sample 's': words of the user hold '<\|image_pad\|>'"):
        chats("qwen3_vl").label(talk(("user", "a <|image_pad|>"), ("assistant", "b")))


def test_a_template_of_one_picture_is_refused_two(saved, tmp_path):
    chat = edited(
        saved,
        tmp_path,
        "part['type'] == 'image' %}",
        "part['type'] == 'image' and not loop.first %}x{% elif part['type'] == 'image' %}",
    )
    sample = talk(("user", (Slot("image", 0), Slot("image", 1))), ("assistant", "b"), images=(picture(tmp_path, 56, 56),) * 2)
    with pytest.raises(InputError, match=r"gave 1 media slots .* to 2 pictures"):
        chat.label(sample)


def test_a_missing_picture_is_named_with_its_sample(chats, tmp_path):
    sample = talk(("user", (Slot("image", 0),)), ("assistant", "b"), images=(MediaRef(tmp_path / "none.png"),))
    with pytest.raises(FileNotFoundError, match=r"test, sample 's': .*none.png"):
        chats("qwen3_vl").count(sample)


# ---------------------------------------------------------------- videos


def test_frames_are_the_middles_of_equal_stretches():
    assert chosen_frames(8, 4) == (1, 3, 5, 7)
    assert chosen_frames(3, 8) == (0, 1, 2)
    assert chosen_frames(100, 1) == (50,)


def test_a_video_is_shown_as_frames_with_their_times(chats, tmp_path):
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
        container.mux(stream.encode())
    chat = replace(chats("qwen3_vl"), max_frames=4)
    sample = Sample(
        "v",
        "test",
        (Turn("user", (Slot("video", 0), "What?")), Turn("assistant", ("Dark.",))),
        videos=(MediaRef(tmp_path / "v.mp4"),),
    )
    layout = chat.layout(sample)
    # frames 1, 3, 5, 7 at four a second
    assert layout.turns[0].text == "<0.2 seconds><0.8 seconds><1.2 seconds><1.8 seconds>What?"
    assert [(shown.frame, shown.size) for shown in layout.pictures] == [(1, (64, 48)), (3, (64, 48)), (5, (64, 48)), (7, (64, 48))]
    agrees(chat, "qwen3_vl", sample)
