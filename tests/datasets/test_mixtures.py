"""Ready registries of training data, and registries that are not read."""

from pathlib import Path

import pytest

from sightline.datasets.mixtures import READY, copy_mixture, parse_mixture, read_registry, ready_mixtures
from sightline.errors import InputError

SETS = {
    "spatial_mllm_135k": ["spatial_mllm_mix_133k", "route_plan_scannet_2k"],
    "spatial_mllm_820k": ["spatial_mllm_mix_203k", "route_plan_4k", "vsi_590k", "mindcube_21k"],
}


@pytest.mark.parametrize("name", SETS)
def test_a_ready_registry_lies_beside_its_data(name: str, tmp_path: Path) -> None:
    out = tmp_path / "datasets" / "mix.yaml"
    copy_mixture(name, out)
    copy_mixture(name, out)  # the same again
    found = read_registry(out)
    assert list(found) == SETS[name]
    for entry in found.values():
        assert entry.annotation_path is not None
        assert Path(entry.annotation_path).parent == tmp_path / "datasets" / "annotations"
        assert entry.media_root == str(tmp_path / "datasets" / "visuals")
    said = out.read_text().partition("data.mixture=[")[2].partition("]")[0]
    assert [term.name for term in parse_mixture(said.split(","))] == SETS[name]


def test_no_other_file_is_written_over_and_no_other_name_known(tmp_path: Path) -> None:
    (tmp_path / "mix.yaml").write_text("rooms: {taskset: a}\n")
    with pytest.raises(InputError, match="is another file"):
        copy_mixture("spatial_mllm_135k", tmp_path / "mix.yaml")
    with pytest.raises(InputError, match="Did you mean 'spatial_mllm_135k'"):
        copy_mixture("spatial_mllm_130k", tmp_path / "other.yaml")
    assert set(ready_mixtures()) == {*SETS, "box_tracks", "sa2va_joint"}


def test_the_registry_of_box_tracks_has_the_sets_of_its_configuration(tmp_path: Path) -> None:
    out = tmp_path / "boxes" / "box_tracks.yaml"
    copy_mixture("box_tracks", out)
    found = read_registry(out)
    assert found["mevis"].taskset == str(tmp_path / "boxes" / "mevis" / "refer_track-train")
    said = out.read_text().partition("data.mixture=[")[2].partition("]")[0]
    configured = (READY.parent / "vlm" / "box_tracks.yaml").read_text()
    terms = [line.strip().removeprefix("- ") for line in configured.splitlines() if line.strip().startswith("- ")]
    assert said.split(",") == terms
    assert [term.name for term in parse_mixture(terms)] == list(found)


def test_the_registry_of_sa2va_has_the_sets_of_its_configuration(tmp_path: Path) -> None:
    copy_mixture("sa2va_joint", tmp_path / "joint.yaml")
    found = read_registry(tmp_path / "joint.yaml")
    assert found["revos"].taskset == str(tmp_path / "revos" / "refer_mask_track-train")
    assert found["llava"].media_root == str(tmp_path / "llava" / "images")
    configured = (READY.parent / "sa2va" / "published.yaml").read_text()
    terms = configured.partition("mixture: [")[2].partition("]")[0].split(", ")
    assert [term.name for term in parse_mixture(terms)] == list(found)
