import shutil

import numpy as np
import pytest
from PIL import Image

from sightline.depth_codecs import get_codec
from sightline.errors import InputError
from tests.x3_tree import WIDTH, picture

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.models.depth import depth_model  # noqa: E402
from tests.models.huggingface.checkpoints import edit_json  # noqa: E402
from tests.models.huggingface.depth.checkpoints import small_map  # noqa: E402

QUANTITIES = {
    "depth_anything": "inverse",
    "depth_anything_metric": "metres",
    "depth_pro": "metres",
    "dpt": "inverse",
    "glpn": "metres",
    "zoedepth": "metres",
}


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_map_is_as_large_as_its_picture_and_depends_on_it(network, name):
    model = depth_model(str(network(name)))
    assert model.quantity == QUANTITIES[name]
    pictures = [np.tile(picture(scene, 10), (3, 2, 1))[:50] for scene in ("kitchen", "office")]
    maps = [model.estimate(rgb) for rgb in pictures]
    assert [depth.shape for depth in maps] == [(50, 2 * WIDTH)] * 2
    assert not np.allclose(maps[0], maps[1])
    assert np.array_equal(model.estimate(pictures[0]), maps[0])


def test_depth_anything_goes_back_to_the_pictures_size_corner_on_corner(network):
    model = depth_model(str(network("depth_anything")))
    depth = model.estimate(picture("kitchen", 10))
    folder = network("depth_anything")
    small = small_map(folder, picture("kitchen", 10))
    assert small.shape != depth.shape
    assert depth[[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(small[[0, 0, -1, -1], [0, -1, 0, -1]], rel=1e-5)


@pytest.mark.parametrize("name", ["dpt", "zoedepth"])
def test_other_families_give_what_the_pipeline_of_transformers_gives(network, name):
    rgb = picture("office", 20)
    pipeline = transformers.pipeline("depth-estimation", model=str(network(name)), device="cpu")
    expected = pipeline(Image.fromarray(rgb))["predicted_depth"].numpy()
    assert depth_model(str(network(name)), device="cpu").estimate(rgb) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_padding_is_taken_off_a_map(copied):
    folder = copied("dpt_dinov2")  # patches of 14 pixels: 50 x 44 becomes 56 x 56, padded with 0 on all sides
    black = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    edit_json(folder / "preprocessor_config.json", do_resize=False, do_pad=True, size_divisor=14, **black)
    rgb = np.tile(picture("office", 10), (3, 2, 1))[:50, :44]
    by_hand = np.pad(rgb, ((3, 3), (6, 6), (0, 0)))
    model = depth_model(str(folder), quantity="metres")
    assert model.estimate(rgb) == pytest.approx(model.estimate(by_hand)[3:53, 6:50], abs=1e-6)


# ---------------------------------------------------------------- bad input


def test_what_the_config_does_not_say_has_to_be_said(network):
    with pytest.raises(InputError, match="--quantity metres or --quantity inverse"):
        depth_model(str(network("dpt_dinov2")))
    assert depth_model(str(network("dpt_dinov2")), quantity="metres").quantity == "metres"
    with pytest.raises(InputError, match="--quantity metres, but by its config this checkpoint gives inverse"):
        depth_model(str(network("depth_anything")), quantity="metres")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "is no folder"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "no processor"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{"), "its image processor cannot be loaded"),
        (
            lambda folder: (folder / "preprocessor_config.json").write_text('{"image_processor_type": "CLIPImageProcessor"}'),
            "is none of a depth network",
        ),
        (lambda folder: edit_json(folder / "config.json", architectures=["CLIPModel"]), "a CLIPModel .* does not estimate depth"),
        (lambda folder: edit_json(folder / "config.json", fusion_hidden_size=16), "the model cannot be loaded"),
        (lambda folder: edit_json(folder / "config.json", depth_estimation_type="squared"), "the model cannot be loaded"),
    ],
)
def test_a_folder_that_is_no_depth_network_is_a_clear_error(copied, spoil, message):
    folder = copied("depth_anything")
    spoil(folder)
    with pytest.raises((InputError, FileNotFoundError), match=message):
        depth_model(str(folder)).estimate(picture("kitchen", 10))


def test_weights_that_are_missing_are_not_random_numbers(copied):
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    folder = copied("dpt")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("head.head.4.bias")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 tensors .*head.head.4.bias"):
        depth_model(str(folder)).estimate(picture("kitchen", 10))


def test_a_model_of_another_kind_is_refused_before_anything_is_loaded(network, saved):
    for folder, named in ((network("segmenter"), "DPTForSemanticSegmentation"), (saved("llava"), "LlavaForConditionalGeneration")):
        with pytest.raises(InputError, match=f"a {named} .* does not estimate depth"):
            depth_model(str(folder))


def test_a_device_that_is_not_here_is_a_clear_error(network):
    with pytest.raises(InputError, match="--device 'tpu9000': expected cpu, cuda or cuda:N"):
        depth_model(str(network("dpt")), device="tpu9000").settings(get_codec("u8x3_minmax"))


def test_a_picture_too_small_for_the_processor_is_a_clear_error(network):
    with pytest.raises(InputError, match="its processor cannot take a picture of 24 x 18 pixels"):
        depth_model(str(network("glpn"))).estimate(picture("kitchen", 10))


def test_without_torch_the_error_says_what_to_install(network, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"depth needs torch and transformers, not installed here. Run: pip install 'sightline\[m"):
        depth_model(str(network("dpt")))
