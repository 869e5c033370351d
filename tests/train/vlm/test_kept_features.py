"""Features of frozen encoders that are kept between runs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.files import read_json  # noqa: E402
from sightline.models.spatial_mllm import feature_cache  # noqa: E402
from sightline.models.spatial_mllm.feature_cache import CacheSettings  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.vlm.chat import open_chat  # noqa: E402
from sightline.train.vlm.kept_features import Filled, features_of, fill  # noqa: E402
from tests.train.vlm.small import composed, settings_of, trained  # noqa: E402
from tests.train.vlm.spatial_samples import write_rows  # noqa: E402

FROZEN = ("model.parts.vision={how: frozen}", "data.batching=grouped", "data.tokens_per_sample=200", "trainer.max_steps=3")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: PLC0415

    return save_spatial(tmp_path_factory.mktemp("spatial") / "tiny")


@pytest.fixture
def keep(tmp_path: Path, model: Path) -> Callable[..., Filled]:
    """Fills tmp_path/features with what rows.json shows."""
    write_rows(tmp_path / "data")

    def run(*overrides: str, stored: Any = "float32") -> Filled:
        settings = settings_of(_composed(tmp_path, model, *overrides))
        chat = open_chat(model, settings.model.options)
        return fill(settings, chat, stored=stored, device=torch.device("cpu"), progress=lambda *_: None)

    return run


def _composed(tmp_path: Path, model: Path, *overrides: str) -> Any:
    features = f"data.features={tmp_path / 'features'}"
    return composed(tmp_path, model, tmp_path / "data" / "rows.json", *FROZEN, features, *overrides)


def _losses(run: Path) -> list[float]:
    return [cast("float", row["loss"]) for row in read_metrics(run / "metrics.csv") if row["loss"] is not None]


def test_training_from_float32_features_has_the_losses_of_training_without(keep, tmp_path: Path, model: Path):
    keep()
    rows = tmp_path / "data" / "rows.json"
    without = trained(tmp_path / "without", model, rows, *FROZEN)
    kept = trained(tmp_path / "with", model, rows, *FROZEN, f"data.features={tmp_path / 'features'}")
    assert _losses(kept.run) == pytest.approx(_losses(without.run), abs=2e-6)
    assert len(set(_losses(without.run))) > 1


def test_training_from_bfloat16_features_differs_by_their_rounding(keep, tmp_path: Path, model: Path):
    keep(stored="bfloat16")
    rows = tmp_path / "data" / "rows.json"
    without = trained(tmp_path / "without", model, rows, *FROZEN)
    kept = trained(tmp_path / "with", model, rows, *FROZEN, f"data.features={tmp_path / 'features'}")
    assert _losses(kept.run) == pytest.approx(_losses(without.run), rel=2e-2)
    assert _losses(kept.run) != _losses(without.run)


def test_each_list_of_pictures_is_kept_once_with_the_bytes_that_were_counted(keep, tmp_path: Path):
    filled = keep(stored="bfloat16")
    # two scenes, each two pictures of 90 x 60 -> 84 x 56 pixels: 4 x 6 patches, a step each. The encoder is 32 wide, and VGGT 64 in
    # both frames of a step: 2 pictures * 24 patches * (32 + 2 * 64) numbers * 2 bytes = 15,360 a scene
    assert filled == Filled(num_units=2, num_new=2, new_bytes=2 * 15_360)
    index = read_json(tmp_path / "features" / "shard-00000.json", feature_cache.ShardIndex)
    assert [entry.bytes for entry in index.entries.values()] == [15_360, 15_360]


def test_the_same_call_keeps_nothing_anew(keep, tmp_path: Path):
    keep()
    before = (tmp_path / "features" / "shard-00000.safetensors").read_bytes()
    assert keep() == Filled(num_units=2, num_new=0, new_bytes=0)
    assert (tmp_path / "features" / "shard-00000.safetensors").read_bytes() == before


def test_after_an_interruption_only_what_is_missing_is_computed(keep, monkeypatch: pytest.MonkeyPatch):
    from sightline.train.vlm import kept_features  # noqa: PLC0415

    real, calls = kept_features.frozen_features, []

    def stops_at_the_second(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(kept_features, "frozen_features", stops_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        keep()
    assert keep().num_new == 1
    assert len(calls) == 3


def test_a_shard_without_its_index_is_computed_again(keep, tmp_path: Path):
    keep()
    (tmp_path / "features" / "shard-00000.json").unlink()
    assert keep().num_new == 2


def test_features_of_other_pixel_limits_are_refused_with_what_differs(keep):
    keep()
    with pytest.raises(InputError, match=r"max_pixels 4704 there, 3136 here"):
        keep("model.max_pixels=3136")


def test_features_of_other_weights_are_refused_in_training(keep, tmp_path: Path):
    keep()
    from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: PLC0415

    other = save_spatial(tmp_path / "other", seed=5)
    settings = settings_of(_composed(tmp_path, other))
    with pytest.raises(InputError, match="features of other settings: vision"):
        features_of(settings, open_chat(other, settings.model.options))


def test_features_need_frozen_encoders(keep, tmp_path: Path, model: Path):
    keep()
    settings = settings_of(_composed(tmp_path, model, "model.parts.vision={how: full}"))
    with pytest.raises(InputError, match=r"model\.parts\.vision\.how is not frozen"):
        features_of(settings, open_chat(model, settings.model.options))


def test_too_little_room_on_the_disk_is_told_before_anything_is_written(keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**26))
    with pytest.raises(InputError, match=r"61,440 bytes are still to be kept, but the disk has 67,108,864 free"):
        keep()
    assert not list((tmp_path / "features").glob("shard*"))


def test_a_damaged_shard_is_an_error_that_names_it(keep, tmp_path: Path, model: Path):
    keep()
    path = tmp_path / "features" / "shard-00000.safetensors"
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"shard-00000\.safetensors.*not those that were written"):
        trained(tmp_path / "with", model, tmp_path / "data" / "rows.json", *FROZEN, f"data.features={tmp_path / 'features'}")


def test_frames_of_which_nothing_is_kept_are_an_error_with_the_remedy(keep, tmp_path: Path, model: Path):
    keep()
    write_rows(tmp_path / "data", num_scenes=3)
    with pytest.raises(InputError, match=r"no features of 2 frames.*sightline cache-features"):
        trained(tmp_path / "with", model, tmp_path / "data" / "rows.json", *FROZEN, f"data.features={tmp_path / 'features'}")


def test_every_setting_makes_another_cache():
    one = CacheSettings(
        vision="a",
        geometry="b",
        layer=1,
        vision_width=2,
        geometry_width=3,
        min_pixels=4,
        max_pixels=5,
        patch_size=14,
        computed="float32",
    )
    for name in CacheSettings.__struct_fields__:
        value = getattr(one, name)
        other = msgspec.structs.replace(one, **{name: "float16" if isinstance(value, str) else value + 1})
        with pytest.raises(InputError, match=f"{name} "):
            feature_cache.refuse_other(Path("x"), one, other)
