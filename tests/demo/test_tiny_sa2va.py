"""The fresh Sa2VA is a folder like a published one."""

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.demo.tiny_sa2va import tiny_sa2va, tiny_sam2, words_of  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va, published_state, write_sa2va  # noqa: E402
from sightline.models.sa2va.family import NO_MEDIA  # noqa: E402
from sightline.models.sa2va.segment import asking  # noqa: E402
from sightline.models.sam2.weights import load_sam2  # noqa: E402


def test_it_loads_is_small_and_reads_a_word_as_one_token(tmp_path):
    folder = tiny_sa2va(tmp_path / "tiny", words_of(["the small blue one"]))
    model = load_sa2va(folder)
    assert sum(parameter.numel() for parameter in model.parameters()) < 2_100_000
    ids = model.tokenizer.encode(asking("the small blue one").removeprefix("<image>\n"), add_special_tokens=False)
    assert [model.tokenizer.decode([each]) for each in ids] == ["Please segment", " the", " small", " blue", " one", "."]
    assert model.tokenizer.decode(model.tokenizer.encode("unheard of")) == "unheard of"
    write_sa2va(model, tmp_path / "copy", source=folder)
    again = published_state(load_sa2va(tmp_path / "copy"))
    assert all(torch.equal(again[name], tensor) for name, tensor in published_state(model).items())


def test_the_same_seed_gives_the_same_weights_and_what_is_there_stays(tmp_path):
    states = [
        published_state(load_sa2va(tiny_sa2va(tmp_path / str(place), ["red"], seed=seed))) for place, seed in enumerate((0, 0, 1))
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["text_hidden_fcs.0.weight"], states[2]["text_hidden_fcs.0.weight"])
    with pytest.raises(InputError, match="is there already"):
        tiny_sa2va(tmp_path / "0", ["red"])


def test_its_prompts_differ_by_the_words_and_are_heard_beside_those_of_sam2(tmp_path):
    colours = ["red", "green", "blue", "white"]
    model = load_sa2va(tiny_sa2va(tmp_path / "tiny", colours))
    prompts = []
    for colour in colours:
        ids = model.tokenizer.encode(f"the {colour} one. [SEG]", add_special_tokens=False)
        with torch.no_grad():
            prompts.append(model.grounding.project(model.read(torch.tensor([ids]), NO_MEDIA).states[0, -1:])[0])
    told = torch.stack(prompts)
    own = model.grounding.clip.model.prompt_encoder.point_embed.weight
    assert told.std(dim=0).mean() > own.std()
    assert told.std(dim=0).mean() < 5 * own.std()


def test_its_sam2_stands_alone_as_well(tmp_path):
    whole = load_sa2va(tiny_sa2va(tmp_path / "tiny", ["red"])).grounding.clip.model.state_dict()
    alone = load_sam2(tiny_sam2(tmp_path / "sam2", tmp_path / "tiny"))
    assert alone.config.image_size == 96
    assert all(torch.equal(whole[name], tensor) for name, tensor in alone.state_dict().items())
