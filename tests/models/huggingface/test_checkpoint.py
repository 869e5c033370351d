import json
import shutil
import weakref
from pathlib import Path

import msgspec
import pytest

from sightline.errors import InputError
from sightline.evaluate.choosing import choose_all
from sightline.evaluate.suite import Suite
from sightline.models import ModelOptions, NotApplicable, get_model
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import TextPart

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from safetensors.torch import load_file, save_file  # noqa: E402 # pyright: ignore[reportMissingImports]

from tests.models.huggingface.checkpoints import SHORT, edit_json, first_questions, load  # noqa: E402


def test_a_revision_is_the_same_anywhere_and_another_for_one_changed_weight(copy, saved):
    folder = copy("qwen3_vl")
    assert load(folder).checkpoint.revision() == load(saved("qwen3_vl")).checkpoint.revision()
    (folder / "README.md").write_text("words that no model reads")
    assert load(folder).checkpoint.revision() == load(saved("qwen3_vl")).checkpoint.revision()
    tensors = load_file(folder / "model.safetensors")
    next(iter(tensors.values())).add_(1e-3)  # what a step of training does to a tensor; shapes unchanged
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    changed = load(folder).checkpoint.revision()
    assert changed != load(saved("qwen3_vl")).checkpoint.revision()
    (folder / "chat_template.jinja").write_text((folder / "chat_template.jinja").read_text() + " ")
    assert load(folder).checkpoint.revision() != changed


def test_weights_in_numbered_files_give_the_same_answers(rooms, saved, tmp_path):
    folder = shutil.copytree(saved("llava"), tmp_path / "sharded", ignore=shutil.ignore_patterns("*.safetensors"))
    transformers.AutoModelForImageTextToText.from_pretrained(saved("llava"), local_files_only=True).save_pretrained(
        folder, max_shard_size="200kB"
    )
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    questions = first_questions(rooms["t1_multi"], 2)
    texts, whole = ([said.text for said in load(at).answer(questions, rooms["t1_multi"])] for at in (folder, saved("llava")))
    assert texts == whole
    next(folder.glob("model-*.safetensors")).unlink()
    with pytest.raises(InputError, match=r"1 of the \d weight files .* are missing"):
        load(folder)


def to_pickle(folder: Path, content: object) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(content, folder / "pytorch_model.bin")


def test_pickled_weights_are_read_as_tensors_only(rooms, copy, saved, tmp_path):
    folder = copy("llava")
    questions = first_questions(rooms["t1_multi"], 1)
    to_pickle(folder, load_file(folder / "model.safetensors"))
    assert load(folder).answer(questions, rooms["t1_multi"]) == load(saved("llava")).answer(questions, rooms["t1_multi"])
    torch.save({"weight": Hostile(tmp_path / "was-run")}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="the model cannot be loaded"):
        load(folder).answer(questions, rooms["t1_multi"])
    assert not (tmp_path / "was-run").exists()


class Hostile:
    """Pickles into a call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_of_a_checkpoint_is_not_run_unless_asked_for(rooms, copy, tmp_path):
    folder = copy("llava")
    edit_json(folder / "config.json", model_type="strange", auto_map={"AutoConfig": "own.Config"})
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'was-run')!r}).touch()\n")
    model = load(folder, ModelOptions(dialect="pixels"))
    with pytest.raises(InputError, match="add --trust-remote-code"):
        model.answer(first_questions(rooms["t1_multi"], 1), rooms["t1_multi"])
    assert not (tmp_path / "was-run").exists()


# ---------------------------------------------------------------- bad input


def test_an_unknown_family_needs_a_dialect(copy):
    folder = copy("llava")
    edit_json(folder / "config.json", model_type="smolvlm")
    with pytest.raises(InputError, match=r"models of type 'smolvlm' .* --dialect: roborefer, qwen25, .*qwen2_5_vl"):
        load(folder)
    with pytest.raises(InputError, match=r"no dialect is called 'pixel'\. Did you mean 'pixels'"):
        load(folder, ModelOptions(dialect="pixel"))
    assert load(folder, ModelOptions(dialect="pixels")).checkpoint.model_type == "smolvlm"


def test_a_declared_dialect_goes_before_the_family(saved):
    assert load(saved("qwen3_vl"), ModelOptions(dialect="robobrain")).dialect.name == "robobrain"
    with pytest.raises(InputError, match=r"CLIPImageProcessor does not resize so"):
        load(saved("llava"), ModelOptions(dialect="qwen25")).dialect  # noqa: B018


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def no_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"<html>404</html>")


def adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def in_eight_bits(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.to(torch.int8) for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "is no folder.*nothing is fetched from a hub"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (adapter, "adapter .LoRA.: merge it"),
        (lambda folder: (folder / "config.json").write_text("{}"), "config.json: no model_type"),
        (lambda folder: (folder / "processor_config.json").unlink(), "no processor .neither processor_config.json nor"),
        (lambda folder: edit_json(folder / "config.json", dtype="float99"), "dtype 'float99'; expected one of float32"),
        (lambda folder: edit_json(folder / "config.json", text_config={"torch_dtype": 16}), "config.json: dtype 16; expected"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (cut_short, "model.safetensors: .* bytes, but its header speaks of"),
        (no_header, "model.safetensors: not a safetensors file"),
        (in_eight_bits, "weights stored as I8, but config.json has no quantization_config"),
    ],
)
def test_a_folder_that_is_no_whole_checkpoint_is_refused_before_anything_is_loaded(copy, spoil, message):
    folder = copy("llava")
    spoil(folder)
    with pytest.raises((InputError, FileNotFoundError), match=message):
        get_model(f"hf:{folder}", SHORT)


def lacks_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if "multi_modal_projector" in name))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def of_another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit_json(folder / "config.json", text_config=config["text_config"] | {"intermediate_size": 32})


def only_one_slot(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("<image>{{ messages[0]['content'][0]['text'] }}")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lacks_a_tensor, "its weights lack 1 tensors .*multi_modal_projector.* they would be random numbers"),
        (of_another_shape, "the model cannot be loaded"),
        (lambda folder: (folder / "chat_template.jinja").unlink(), "no chat template"),
        (only_one_slot, "gave 1 media slots .* to the 2 pictures"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "its processor cannot be loaded"),
    ],
)
def test_what_shows_only_when_it_is_loaded_is_a_clear_error_too(rooms, copy, spoil, message):
    folder = copy("llava")
    spoil(folder)
    with pytest.raises(InputError, match=message):
        load(folder).answer(first_questions(rooms["t1_multi"], 1), rooms["t1_multi"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ModelOptions(max_pixels=4000), "CLIPImageProcessor resizes every picture to a size of its own"),
        (ModelOptions(device="tpu9000"), "--device 'tpu9000': expected auto, cpu, cuda"),
        (ModelOptions(dtype="float8"), "--dtype 'float8': expected one of auto, float32"),  # pyright: ignore[reportArgumentType]
        (ModelOptions(batch_size=0), "--batch-size 0: expected 1 or more"),
    ],
)
def test_options_of_no_sense_are_refused(saved, options, message):
    with pytest.raises(InputError, match=message):
        load(saved("llava"), options).describe()


@pytest.mark.parametrize(("least", "most"), [(9000, 8000), (0, 8000), (10, 100)])
def test_pixel_limits_of_no_sense_are_refused(saved, least, most):
    with pytest.raises(InputError, match=r"expected 0 < min_pixels <= max_pixels, and max_pixels of at least 784"):
        load(saved("qwen2_5_vl"), ModelOptions(min_pixels=least, max_pixels=most)).describe()


def test_words_that_are_a_media_slot_are_refused(rooms, saved):
    (question,) = first_questions(rooms["t1_multi"], 1)
    bad = msgspec.structs.replace(question, prompt=(TextPart(text="the <image> on the wall"), *question.prompt))
    with pytest.raises(InputError, match="its words hold '<image>', this model's media slot"):
        load(saved("llava")).answer([bad], rooms["t1_multi"])


def test_masks_are_not_asked_of_a_model_that_writes_text(rooms, saved, tmp_path):
    root = str(rooms["t2b"].roots["data"])
    request = BuildRequest(
        reader="x3", root=root, splits=("validation",), tasks=("t2b_mask",), options=CrossViewOptions(pairs="all")
    )
    (built,) = build(request, tmp_path)
    with pytest.raises(NotApplicable, match="no text family can write masks"):
        load(saved("llava")).check(TaskSet(Path(built.path)))


def test_without_torch_the_error_says_what_to_install(saved, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=r"need torch and transformers, not installed here. Run: pip install 'sightline\[models\]'"
    ):
        get_model(f"hf:{saved('llava')}")


def test_two_checkpoints_of_one_folder_name_are_told_apart_and_never_in_memory_together(rooms, saved, tmp_path, monkeypatch):
    folders = [shutil.copytree(saved("llava"), tmp_path / run / "checkpoint-500") for run in ("a", "b")]
    with pytest.raises(InputError, match="are both called 'checkpoint-500'"):
        choose_all([f"hf:{folder}" for folder in folders], SHORT)
    weights: list[weakref.ref] = []
    in_memory: list[int] = []
    load_pretrained = transformers.AutoModelForImageTextToText.from_pretrained

    def watched(*args, **kwargs):
        in_memory.append(sum(reference() is not None for reference in weights))
        loaded = load_pretrained(*args, **kwargs)
        weights.append(weakref.ref(loaded[0]))
        return loaded

    monkeypatch.setattr(transformers.AutoModelForImageTextToText, "from_pretrained", watched)
    suite = Suite([rooms["t2b"]], tmp_path / "runs", limit=1, max_errors=0.0)
    runs, _ = suite.ask([f"hf:{folders[0]}", f"b=hf:{folders[1]}"], SHORT)
    assert [run.parent.name for run in runs] == ["checkpoint-500", "b"]
    assert in_memory == [0, 0]
