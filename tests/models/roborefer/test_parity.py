"""Every number of the original for a very small model: within the tolerances that its README states."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.depth_codecs import minmax_picture  # noqa: E402
from sightline.models.roborefer.generation import greedy  # noqa: E402
from sightline.models.roborefer.modeling import MEDIA  # noqa: E402
from sightline.models.roborefer.names import to_published  # noqa: E402
from sightline.models.roborefer.projectors import tokens_of  # noqa: E402
from sightline.models.roborefer.tiling import TilingRule  # noqa: E402
from tests.models.roborefer.conftest import CASES, TRAINED  # noqa: E402

PIXELS, FEATURES, EMBEDDINGS, LOGITS, LOSS, NORMS = 1e-6, 5e-5, 2e-5, 2e-4, 2e-5, 1e-4
KINDS = {"image": "pixel", "depth": "depth"}


def far(found: Any, expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(found, np.float64) - expected).max())


def sequence_of(segments: list[dict[str, Any]], model_config: Any) -> list[int]:
    """The expanded ids that segments describe: a tile is its placeholder nine times and a newline."""
    tokens = {"image": model_config.image_token_id, "depth": model_config.depth_token_id}
    ids: list[int] = []
    for segment in segments:
        assert segment["start"] == len(ids)
        media = [tokens.get(segment["kind"])] * (segment["length"] - 1) + [model_config.newline_token_id]
        ids += segment["token_ids"] if segment["kind"] == "text" else media
    return ids


def norms_of(model: Any) -> dict[str, float | None]:
    """Of every gradient, by the original's names; None where there is none."""
    found: dict[str, float | None] = {}
    for name, parameter in model.named_parameters():
        part, published = to_published(name)
        inside = f"{part}.vision_tower" if part.endswith("tower") else part
        found[f"{inside}.{published}"] = None if parameter.grad is None else float(parameter.grad.norm())
    return found


def check_norms(found: dict[str, float | None], expected: dict[str, float | None]) -> None:
    assert found.keys() >= expected.keys()
    for name, norm in expected.items():
        if norm is None or norm < 1e-4:
            assert (found[name] or 0.0) < 1e-4, name
        else:
            assert found[name] == pytest.approx(norm, rel=NORMS), name


@pytest.mark.parametrize("name", CASES)
def test_text_and_tokens_are_the_originals(name: str, read_case: Any, inputs_of: Any) -> None:
    case = read_case(name)
    inputs = inputs_of(case, "published")
    prepared = inputs.prepare(case.asked())
    assert prepared.plain.text == case.said["templated_text"]
    assert prepared.plain.ids.tolist() == case.tensors["input_ids"].tolist()
    assert prepared.ids.tolist() == sequence_of(case.said["segments"], inputs.config)
    assert prepared.ids.size == case.said["sequence_length"]


@pytest.mark.parametrize("name", CASES)
def test_tiles_features_and_projected_tokens_are_the_originals(name: str, read_case: Any, inputs_of: Any, original: Any) -> None:
    case, (_, model) = read_case(name), original
    batch = inputs_of(case, "published").batch([case.asked()])
    for kind, argument in KINDS.items():
        assert (f"{argument}_values" in batch.tensors) == case.has(kind)
        if case.has(kind):
            tiles = batch.tensors[f"{argument}_values"]
            assert far(tiles, case.tensors[f"{kind}.pixels"]) <= PIXELS
            with torch.inference_mode():
                depth = kind == "depth"
                features = model.model.tower_features(tiles, depth=depth)
                projected = torch.stack(model.model.media_features(tiles, depth=depth))
            assert far(features, case.tensors[f"{kind}.tower_features"]) <= FEATURES
            assert far(projected, case.tensors[f"{kind}.projected"]) <= EMBEDDINGS


@pytest.mark.parametrize("name", CASES)
def test_embeddings_logits_and_greedy_answers_are_the_originals(name: str, read_case: Any, inputs_of: Any, original: Any) -> None:
    case, (folder, model) = read_case(name), original
    batch = inputs_of(case, "published").batch([case.asked()], padding="left")
    media = {key: batch.tensors.get(key) for key in MEDIA}
    with torch.inference_mode():
        embedded = model.model.embed(batch.tensors["input_ids"], **media)
        logits = model(**batch.tensors).logits
    assert far(embedded[0], case.tensors["inputs_embeds"]) <= EMBEDDINGS
    assert far(logits[0, -8:], case.tensors["logits_last8"]) <= LOGITS
    (answer,) = greedy(model, batch, max_new_tokens=8)
    assert answer == case.tensors["greedy_ids"].tolist()
    assert folder.tokenizer.decode(answer).strip() == case.said["greedy_text"]
    if "greedy_logits" in case.tensors:
        ids = torch.cat([batch.tensors["input_ids"], torch.tensor([answer[:-1]])], dim=1)
        with torch.inference_mode():
            steps = model(input_ids=ids, **media).logits[0, -8:]
        assert far(steps, case.tensors["greedy_logits"]) <= LOGITS


@pytest.mark.parametrize("name", TRAINED)
def test_training_text_labels_loss_and_gradients_are_the_originals(
    name: str, read_case: Any, inputs_of: Any, original: Any
) -> None:
    case, (_, model) = read_case(name), original
    expected = case.said["train"]
    inputs = inputs_of(case, "training")
    batch = inputs.batch([case.trained()])
    (prepared,) = batch.prepared
    assert prepared.plain.text == expected["templated_text"]
    assert prepared.plain.ids.tolist() == case.tensors["train.input_ids"].tolist()
    assert prepared.plain.labels.tolist() == case.tensors["train.labels"].tolist()
    assert prepared.labels.tolist() == case.tensors["train.expanded_labels"].tolist()
    assert prepared.ids.tolist() == sequence_of(expected["segments"], inputs.config)
    model.zero_grad()
    outputs = model(**batch.tensors)
    outputs.loss.backward()
    assert far(outputs.logits[0, -8:].detach(), case.tensors["train.logits_last8"]) <= LOGITS
    assert outputs.loss.item() == pytest.approx(expected["loss"], abs=LOSS)
    check_norms(norms_of(model), expected["all_gradient_norms"])
    embedded = model.model.embed(batch.tensors["input_ids"], **{key: batch.tensors.get(key) for key in MEDIA})
    assert far(embedded[0].detach(), case.tensors["train.inputs_embeds"]) <= EMBEDDINGS


def test_a_padded_batch_of_three_is_the_originals(golden: Path, read_case: Any, inputs_of: Any, original: Any) -> None:
    from safetensors.numpy import load_file  # noqa: PLC0415

    said, tensors = json.loads((golden / "batch_train.json").read_text()), load_file(golden / "batch_train.safetensors")
    cases = [read_case(name) for name in said["members"]]
    batch = inputs_of(cases[0], "training").batch([case.trained() for case in cases])
    lengths = tensors["attention_mask"].sum(axis=1)
    for row, prepared in enumerate(batch.prepared):
        assert prepared.plain.ids.tolist() == tensors["input_ids"][row, : lengths[row]].tolist()
        assert prepared.plain.labels.tolist() == tensors["labels"][row, : lengths[row]].tolist()
    assert batch.tensors["labels"].tolist() == tensors["expanded_labels"].tolist()
    assert batch.tensors["attention_mask"].tolist() == tensors["expanded_attention_mask"].tolist()
    assert len(batch.tensors["pixel_values"]) == said["media_counts"]["image"]
    assert len(batch.tensors["depth_values"]) == said["media_counts"]["depth"]
    _, model = original
    model.zero_grad()
    outputs = model(**batch.tensors)
    outputs.loss.backward()
    assert outputs.loss.item() == pytest.approx(said["loss"], abs=LOSS)
    for row, length in enumerate(said["lengths"]):
        assert far(outputs.logits[row, length - 8 : length].detach(), tensors["logits_last8_valid"][row]) <= LOGITS
    check_norms(norms_of(model), said["all_gradient_norms"])


@pytest.mark.parametrize("name", [name for name in CASES if "rgbd" in name])
def test_the_depth_codec_is_the_originals(name: str, read_case: Any) -> None:
    case = read_case(name)
    for number in range(len(case.said["pictures"])):
        assert np.array_equal(minmax_picture(case.tensors[f"depth_{number}.relative"]), case.tensors[f"depth_{number}.raw"])


def test_token_counts_of_the_published_size_are_the_originals(golden: Path) -> None:
    said = json.loads((golden / "token_counts_448.json").read_text())
    per_tile = tokens_of(32, 3) + 1
    assert (per_tile, tokens_of(32, 2)) == (said["media_embeddings_per_tile"], said["projected_tokens_per_tile_mlp_downsample"])
    for size, counts in said["sizes"].items():
        width, height = map(int, size.split("x"))
        assert TilingRule("resize", 448).num_tiles(width, height) == counts["resize"]["tiles"]
        for most in (12, 6, 4, 1):
            rule, expected = TilingRule("dynamic", 448, max_tiles=most), counts[f"dynamic_max_tiles_{most}"]
            assert list(rule.grid(width, height)) == expected["grid_columns_rows"]
            assert rule.num_tiles(width, height) == expected["tiles"]
            assert rule.num_slots(width, height) * per_tile == expected["media_embeddings"]
        rule, expected = TilingRule("dynamic_s2", 448), counts["dynamic_s2_448_896_1344_mlp_downsample_last_scale"]
        columns, rows = rule.grid(width, height)
        assert [rows, columns] == expected["block_rows_columns"]
        assert rule.num_tiles(width, height) == expected["tiles"]
        assert rule.num_slots(width, height) == 1
        assert rows * columns * tokens_of(32, 2) + 1 == expected["media_embeddings"]
