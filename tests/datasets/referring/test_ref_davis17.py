"""Ref-DAVIS17 on a tiny DAVIS tree, and on the real sample."""

from pathlib import Path

import pytest

from sightline.datasets import ClipReader
from sightline.datasets.referring.davis_expressions import SaidOf, read_lines, read_table
from sightline.datasets.referring.ref_davis17 import RefDavis17
from sightline.errors import InputError
from sightline.geometry.label_maps import label_regions
from sightline.media import read_labels
from tests.datasets.referring.refer_trees import save_frames, save_labels

HEADER = (
    "video_id;instance_id;ref_exp;ref_exp_difficulty;ref_exp_information;appearance;obj-static;category;location;motion;"
    "obj-motion;static"
)


def write_tree(root: Path, *, annotations: str = "Annotations") -> Path:
    for name in ("dogs-scale", "cat-park"):
        save_frames(root / "JPEGImages" / "480p" / name, ["00000", "00001"])
        for stem in ("00000", "00001"):
            save_labels(root / annotations / "480p" / name / f"{stem}.png", (1, (1, 1, 4, 4)), (2, (6, 2, 9, 5)))
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "val.txt").write_text("dogs-scale\ncat-park\n")
    return root


def write_lines(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for annotator in (1, 2):
        for seen in ("", "_full_video"):
            lines = [
                'cat-park 1 "a white cat"',
                f'cat-park 2 "a ball {annotator}{seen}"',
                'dog-scale 1 "a dog, the \\"big\\" one"',
                "",
            ]
            (folder / f"Davis17_annot{annotator}{seen}.txt").write_text("\n".join(lines))


@pytest.mark.parametrize(("tree", "words"), [("", ""), ("DAVIS", "davis_text_annotations"), ("DAVIS", "DAVIS/text")])
def test_expressions_join_the_tree_in_four_passes_with_names_put_right(tmp_path: Path, tree: str, words: str) -> None:
    write_tree(tmp_path / tree)
    write_lines(tmp_path / words)
    reader = RefDavis17(tmp_path, "val")
    assert isinstance(reader, ClipReader)
    cat, dog = reader
    assert (cat.clip_id, dog.clip_id, cat.video_id) == ("cat-park", "dogs-scale", "davis/cat-park")
    assert cat.frames[0].labels == "/".join(filter(None, (tree, "Annotations/480p/cat-park/00000.png")))
    assert [(track.object_id, track.label) for track in cat.tracks] == [("1", 1), ("2", 2)]
    passes = ["annot1", "annot1_full_video", "annot2", "annot2_full_video"]
    assert [each.kind for each in cat.expressions] == [name for name in passes for _ in "12"]
    assert [each.expression_id for each in cat.expressions[:3]] == ["annot1/1", "annot1/2", "annot1_full_video/1"]
    assert cat.expressions[1].object_ids == ("2",)
    assert dog.expressions[0].text == 'a dog, the \\"big\\" one'  # clasic-car, dog-scale and motor-bike are misspelt in the files


def test_the_unsupervised_labels_are_taken_where_both_are_there(tmp_path: Path) -> None:
    write_tree(write_tree(tmp_path), annotations="Annotations_unsupervised")
    write_lines(tmp_path)
    (tmp_path / "Annotations_unsupervised" / "480p" / "cat-park" / "00001.png").unlink()
    cat, _ = RefDavis17(tmp_path, "val")
    assert [frame.labels for frame in cat.frames] == [
        "Annotations_unsupervised/480p/cat-park/00000.png",
        "Annotations/480p/cat-park/00001.png",
    ]


def test_expressions_that_do_not_join_are_errors_or_problems(tmp_path: Path) -> None:
    write_tree(tmp_path)
    path = tmp_path / "Davis17_annot1.txt"
    with pytest.raises(InputError, match=r"holds no expressions: expected Davis17_annot\*\.txt"):
        RefDavis17(tmp_path, "val")
    path.write_text('elephant 1 "an elephant"\n')
    with pytest.raises(InputError, match=r"none of its 1 sequences \(elephant, \.\.\.\) is in split 'val'"):
        RefDavis17(tmp_path, "val")
    path.write_text('cat-park 0 "nothing"\ncat-park 1 "a cat"\ncat-park 1 "the cat"\n')
    cat, dog = RefDavis17(tmp_path, "val")
    assert [each.expression_id for each in cat.expressions] == ["annot1/1", "annot1/1/2"]
    assert [problem.reason for problem in cat.problems] == ["target_missing"]
    assert ([problem.reason for problem in dog.problems], dog.tracks) == (["expressions_missing"], ())
    path.write_text('cat-park one "a cat"\n')
    with pytest.raises(InputError, match=r"Davis17_annot1\.txt, line 1: 'cat-park one"):
        RefDavis17(tmp_path, "val")
    with pytest.raises(InputError, match="holds no DAVIS tree"):
        RefDavis17.splits(path.parent / "ImageSets")


def test_names_are_put_right_in_every_form(tmp_path: Path) -> None:
    lines, table = tmp_path / "Davis17_annot2.txt", tmp_path / "t.csv"
    lines.write_text('clasic-car 1 "a car"\nmotor-bike 01 " a bike "\n')
    assert read_lines(lines) == [SaidOf("classic-car", "1", "a car", "annot2"), SaidOf("motorbike", "1", "a bike", "annot2")]
    rows = [
        "dog-scale;1;a dog;Non-trivial;Minimum Information;0.0;0.0;1.0;1.0;0.0;0.0;0.0",
        "goat;1;x;Incorrect;Not Applicable;;;;;;;",
    ]
    table.write_bytes("\r\n".join([HEADER, *rows]).encode())
    assert read_table(table) == [
        SaidOf("dogs-scale", "1", "a dog", "Non-trivial", ("category", "location")),
        SaidOf("goat", "1", "x", "Incorrect", ()),
    ]


@pytest.mark.parametrize("text", ["", "a;b\n", f"{HEADER}\ngoat;one;x;y;z;;;;;;;\n", f"{HEADER}\ngoat;1;x\n"])
def test_a_table_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"t\.csv"):
        read_table(path)


def test_the_real_expressions_join_the_real_sequences(shared_data: Path) -> None:
    reader = RefDavis17(shared_data, "val")
    said = {clip.clip_id: [(each.object_ids, each.text) for each in clip.expressions] for clip in reader}
    assert (len(said), sum(map(len, said.values()))) == (10, 7)
    assert said["blackswan"] == [(("1",), "a black feathered swan")]
    assert len(said["goat"]) == 1
    merged = {clip.clip_id: problem.detail for clip in reader for problem in clip.problems if problem.reason == "objects_merged"}
    assert merged == {  # the sample's labels are those of DAVIS 2016
        "bmx-trees": "2 expressions mean objects 1 to 2, which the labels (not a palette) merge into one",
        "kite-surf": "3 expressions mean objects 1 to 3, which the labels (not a palette) merge into one",
        "soapbox": "3 expressions mean objects 1 to 3, which the labels (not a palette) merge into one",
    }
    clip = next(clip for clip in reader if clip.clip_id == "blackswan")
    assert clip.expressions[0].traits == ("appearance", "category")
    assert clip.expressions[0].kind == "Trivial (Single Object Category)"
    assert clip.frames[0].labels is not None
    assert label_regions(read_labels(shared_data / clip.frames[0].labels))


def test_the_real_tables_of_davis_and_a2d_are_read(shared_data: Path) -> None:
    root = shared_data / "ref_davis17_a2d"
    davis = read_table(root / "RE_categorization" / "DAVIS17_RE_categorization.csv")
    assert (len(davis), len({said.video for said in davis})) == (61, 30)
    assert len(read_table(root / "RE_categorization" / "A2D_RE_categorization.csv")) == 1295
    first = read_table(root / "New_REs" / "A2D_verb_motion_new_format_all_non_trivial.txt")[0]
    assert first == SaidOf("FmaPgB5rXAg", "0", "a bird on the left is walking on the sand")
