"""Every fusion works in every language model, begins where it says, and refuses geometry that does not fit."""

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.models.spatial_mllm.connector import CONNECTORS, CrossAttention, merged  # noqa: E402
from sightline.models.spatial_mllm.geometry_fusion import _shuffled  # noqa: E402
from sightline.models.spatial_mllm.settings import Fusion, SpatialSettings  # noqa: E402
from tests.models.spatial_mllm.tiny import spatial_model, video  # noqa: E402

FAMILIES = ("qwen25", "qwen3")
FUSIONS: tuple[Fusion, ...] = ("mlp_add", "mlp_cat", "cross_attn")


def without_geometry(model: Any, inputs: dict[str, Any]) -> Any:
    """The language model's own logits at the same positions."""
    plain = super(type(model).__mro__[1], model)
    rest = {name: value for name, value in inputs.items() if name != "geometry_frames"}
    ids = model.positions(inputs["input_ids"], inputs["attention_mask"], rest).ids
    return plain.forward(position_ids=ids, **rest).logits


def test_the_merged_vector_is_ordered_by_patch_row_column_channel_frame() -> None:
    # 2 frames of 2 x 4 patches with 3 channels; each value names its place: frame, row, column, channel
    steps, rows, columns, channels = torch.meshgrid(*(torch.arange(count) for count in (2, 2, 4, 3)), indexing="ij")
    found = merged(steps * 1000 + rows * 100 + columns * 10 + channels)
    assert found.shape == (2, 24)
    expected = [f * 1000 + p * 100 + (2 + q) * 10 + d for p in range(2) for q in range(2) for d in range(3) for f in range(2)]
    assert found[1].tolist() == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_geometry_changes_the_answer_and_teaches_the_connector(family: str, fusion: Fusion) -> None:
    model, inputs = spatial_model(family, fusion), video(family)
    with torch.no_grad():
        for parameter in model.connector.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)  # two of the three add nothing before they are trained
    found = model(**inputs).logits
    blank = {"video": [torch.zeros_like(frames) for frames in inputs["geometry_frames"]["video"]]}
    other = model(**{**inputs, "geometry_frames": blank}).logits
    first_place = int((inputs["input_ids"][0] == 61).nonzero()[0])
    torch.testing.assert_close(found[:, :first_place], other[:, :first_place])  # it is causal
    assert (found[:, -1] - other[:, -1]).abs().max() > 1e-4
    model(**inputs, labels=inputs["input_ids"]).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.connector.parameters())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fusion", ["mlp_cat", "cross_attn"])
def test_the_fusions_of_ours_begin_as_the_plain_language_model(family: str, fusion: Fusion) -> None:
    model, inputs = spatial_model(family, fusion), video(family)
    with torch.no_grad():
        torch.testing.assert_close(model(**inputs).logits, without_geometry(model, inputs), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_what_the_logits_say_step_by_step(family: str) -> None:
    model, inputs = spatial_model(family, "mlp_add"), video(family)
    never = [60, 61, 62, 63]  # a place for a medium in the answer would need a medium
    answer = model.generate(**inputs, max_new_tokens=4, do_sample=False, suppress_tokens=never)
    written = copy.deepcopy(inputs)
    for _ in range(4):
        with torch.no_grad():
            following = model(**written).logits[:, -1, : min(never)].argmax(dim=-1)
        written["input_ids"] = torch.cat([written["input_ids"], following[None]], dim=1)
        written["attention_mask"] = torch.ones_like(written["input_ids"])
    assert torch.equal(answer, written["input_ids"])


def test_a_step_sees_the_geometry_of_its_own_two_frames_alone() -> None:
    torch.manual_seed(0)
    connector = CrossAttention(6, 64)
    torch.nn.init.normal_(connector.out.weight)
    visual, geometry = torch.randn(4, 64), torch.randn(4, 2, 4, 6)  # two steps of two tokens
    changed = geometry.clone()
    changed[2:] += 1
    before, after = connector(visual, geometry), connector(visual, changed)
    assert torch.equal(before[:2], after[:2])
    assert (before[2:] - after[2:]).abs().max() > 1e-3


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_connector_gives_one_token_for_each(fusion: Fusion) -> None:
    connector = CONNECTORS[fusion](6, 64)
    assert connector(torch.randn(12, 64), torch.randn(4, 4, 6, 6)).shape == (12, 64)


def test_the_layer_that_is_fused_can_be_chosen() -> None:
    model, inputs = spatial_model("qwen25", "mlp_add"), video("qwen25")
    (last,) = model.geometry_tokens(inputs["geometry_frames"]["video"])
    model.spatial = SpatialSettings(vggt=model.spatial.vggt, layer=-2)
    (other,) = model.geometry_tokens(inputs["geometry_frames"]["video"])
    assert last.shape == other.shape
    assert not torch.allclose(last, other)
    with pytest.raises(InputError, match="layer -4 of a VGGT with 3"):
        _ = SpatialSettings(vggt=model.spatial.vggt, layer=-4).layer_index


def test_media_without_geometry_and_geometry_without_media_are_refused() -> None:
    model, inputs = spatial_model("qwen25", "mlp_add"), video("qwen25")
    frames = inputs.pop("geometry_frames")
    with pytest.raises(InputError, match=r"geometry for \[\], but media of kind \['video'\]"):
        model(**inputs)
    with pytest.raises(InputError, match=r"geometry for \['video'\], but media of kind \[\]"):
        model(inputs["input_ids"][:, :2], geometry_frames=frames)


@pytest.mark.parametrize("kind", ["odd", "turned", "missing"])
def test_geometry_of_other_frames_is_refused(kind: str) -> None:
    model, inputs = spatial_model("qwen25", "mlp_add"), video("qwen25")
    (frames,) = inputs["geometry_frames"]["video"]
    given = {"odd": [frames[:3]], "turned": [frames.transpose(2, 3)], "missing": []}[kind]
    message = "geometry for 0 of 1 media" if kind == "missing" else r"for media of \(steps, rows, columns\) \[\(2, 4, 6\)\]"
    with pytest.raises(InputError, match=message):
        model(**{**inputs, "geometry_frames": {"video": given}})


def test_a_batch_padded_on_the_right_is_not_answered() -> None:
    model, inputs = spatial_model("qwen25", "mlp_add"), video("qwen25")
    inputs["attention_mask"][0, -1] = 0
    with pytest.raises(InputError, match="pad it on the left"):
        model.generate(**inputs, max_new_tokens=1)


def test_each_feature_of_each_sequence_is_shuffled_in_an_order_of_its_own_that_stays():
    places = torch.arange(2 * 3 * 4).reshape(2, 3, 4, 1).float().expand(-1, -1, -1, 2)
    sequences = [torch.cat([torch.full((2, 3, 4, 1), key), places], dim=-1) for key in (1.0, 2.0)]
    orders = [feature for each in sequences for feature in _shuffled(each)[..., 1:].flatten(0, 2).T]
    assert all(torch.equal(order.sort().values, places[..., 0].flatten()) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert torch.equal(_shuffled(sequences[0].bfloat16())[..., 1].float().flatten(), orders[0])  # as kept features are stored
