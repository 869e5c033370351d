"""Readers of spatial QA on tiny trees in the public layouts, and what they say of rows that cannot be used."""

from pathlib import Path
from typing import Any

import pytest

from sightline.datasets.questions import QA_READERS, QaFormat, QaReader
from sightline.errors import InputError
from sightline.types import Choice, LedgerEntry, Medium, Number, SpatialInquiry, TextAnswer
from tests.qa_trees import (
    LETTER,
    SHORT,
    WRITERS,
    mindcube_row,
    mix_row,
    save_picture,
    talk,
    vsi_rows,
    write_lines,
    write_list,
    write_mindcube,
    write_mix,
    write_qa_json,
    write_scanqa,
    write_sqa3d,
    write_viewspatial,
    write_vlm_3r,
    write_vsi,
    write_vsi_590k,
)


def read(name: str, root: Path, split: str) -> QaReader:
    return QA_READERS[name][0]()(root, split)


def only(outcomes: tuple[SpatialInquiry | LedgerEntry, ...]) -> SpatialInquiry:
    (inquiry,) = outcomes
    assert isinstance(inquiry, SpatialInquiry), inquiry
    return inquiry


def reasons(outcomes: tuple[SpatialInquiry | LedgerEntry, ...]) -> list[str]:
    return [outcome.reason for outcome in outcomes if isinstance(outcome, LedgerEntry)]


@pytest.mark.parametrize("name", QA_READERS)
def test_every_entry_reads_its_layout_without_a_word(name: str, tmp_path: Path) -> None:
    reader_type = QA_READERS[name][0]()
    assert isinstance(reader_type, QaFormat)
    root = WRITERS[name](tmp_path / "root")
    for split in reader_type.splits(root):
        reader = reader_type(root, split)
        assert isinstance(reader, QaReader)
        assert all(path.is_file() for path in reader.sources())
        for index in range(len(reader)):
            for inquiry in reader[index]:
                assert isinstance(inquiry, SpatialInquiry), inquiry
                assert all((root / medium.path).exists() for medium in inquiry.media)
                assert inquiry.scene_id
    with pytest.raises(InputError, match="'nowhere'"):
        reader_type(root, "nowhere")
    with pytest.raises(FileNotFoundError, match="Give the folder"):
        reader_type.splits(tmp_path / "absent")


def test_vsi_bench_asks_in_the_authors_words(tmp_path: Path) -> None:
    reader = read("vsi-bench", write_vsi(tmp_path), "test")
    counted, chosen = only(reader[0]), only(reader[1])
    assert counted.words == (
        Medium(path="scannetpp/7b6477cb95", what="video"),
        "\nThese are frames of a video.\nHow many chair(s) are in this room?\n",
    )
    assert (counted.target, counted.suffix, counted.answer_text) == (Number(value=4), SHORT, "4")
    assert (counted.dataset, counted.scene_id, counted.question_type) == ("scannetpp", "7b6477cb95", "object_counting")
    assert chosen.text.endswith("the stove?\nOptions:\nA. table\nB. sofa\nC. tv\nD. stool\n")
    assert (chosen.target, chosen.suffix) == (Choice(value="B"), LETTER)
    assert chosen.options == (("A", "table"), ("B", "sofa"), ("C", "tv"), ("D", "stool"))
    assert reader.role == "test"


def test_a_benchmark_with_an_id_twice_is_refused_and_odd_rows_are_named(tmp_path: Path) -> None:
    rows = vsi_rows()
    write_lines(tmp_path / "test.jsonl", [rows[0], rows[1] | {"id": 0}])
    with pytest.raises(InputError, match="1 ids stand in several rows"):
        read("vsi-bench", tmp_path, "test")
    bad: list[dict[str, Any]] = [
        rows[0] | {"colour": "red"},
        rows[0] | {"id": 1, "colour": "blue", "ground_truth": ""},
        rows[1] | {"id": 2, "ground_truth": "E"},
        rows[1] | {"id": 3, "options": None},
        {"id": 4},
        rows[0] | {"id": 5, "scene_name": "../../x"},
    ]
    write_lines(tmp_path / "test.jsonl", bad)
    reader = read("vsi-bench", tmp_path, "test")
    found = [reasons(reader[index]) for index in range(6)]
    assert found == [
        ["unknown_field"],  # once, though the second row has it, too
        ["answer_empty"],
        ["answer_not_an_option"],
        ["options_missing"],
        ["row_unreadable"],
        ["path_leaves_root"],
    ]


def test_viewspatial_keeps_the_scene_of_its_pictures(tmp_path: Path) -> None:
    inquiry = only(read("viewspatial-bench", write_viewspatial(tmp_path), "test")[0])
    assert (inquiry.dataset, inquiry.scene_id, inquiry.target) == ("scannet", "scene0011_00", Choice(value="A"))
    assert inquiry.words[:2] == (Medium(path="scannetv2_val/scene0011_00/original_images/280.jpg"), "\n")


def test_mindcube_names_its_setting_and_shows_every_picture(tmp_path: Path) -> None:
    root = write_mindcube(tmp_path)
    reader = read("mindcube", root, "tinybench")
    inquiry = only(reader[0])
    assert (reader.role, read("mindcube", root, "train").role) == ("test", "train")
    assert inquiry.question_type == "among"
    assert [medium.path for medium in inquiry.media] == [f"data/{path}" for path in mindcube_row()["images"]]
    assert inquiry.options == (("A", "Bottle"), ("B", "Book"), ("C", "Door"), ("D", "Plant"))
    assert inquiry.target == Choice(value="B")
    assert inquiry.evidence == {"category": '["perpendicular", "P-P"]', "type": "move"}


def test_scanqa_trains_on_each_answer_and_tests_on_the_first(tmp_path: Path) -> None:
    root = write_scanqa(tmp_path)
    tested = only(read("scanqa", root, "val")[0])
    assert (tested.published_id, tested.target) == ("val-scene0011-0", TextAnswer(text="brown cabinet with tv sitting in it"))
    assert tested.accepted == ("brown cabinet with tv sitting in it", "cabinet")
    trained = [each for each in read("scanqa", root, "train")[0] if isinstance(each, SpatialInquiry)]
    assert [each.published_id for each in trained] == ["scanqa_train-scene0191-0_0", "scanqa_train-scene0191-0_1"]
    assert [each.answer_text for each in trained] == ["brown cabinet with tv sitting in it", "cabinet"]


def test_sqa3d_trains_on_every_situation(tmp_path: Path) -> None:
    root = write_sqa3d(tmp_path)
    tested = only(read("sqa3d", root, "test")[0])
    assert tested.text == "\nI am standing by the sofa. What is behind me?\n"
    assert (tested.target, tested.question_type) == (TextAnswer(text="piano"), "what")
    assert (tested.evidence["position_y"], tested.evidence["rotation_z"]) == (-0.25, -0.9)
    trained = [each.text for each in read("sqa3d", root, "train")[0] if isinstance(each, SpatialInquiry)]
    assert trained == ["\nI am standing by the sofa. What is behind me?\n", "\nI just left the sofa. What is behind me?\n"]


def test_a_question_without_an_answer_goes_to_the_ledger(tmp_path: Path) -> None:
    root = write_sqa3d(tmp_path)
    write_list(root / "sqa_task/balanced/v1_balanced_sqa_annotations_test_scannetv2.json", {"annotations": []})
    assert reasons(read("sqa3d", root, "test")[0]) == ["answer_empty"]


def test_the_real_sqa3d_test_set_is_read_whole(shared_data: Path) -> None:
    reader = read("sqa3d", shared_data / "sqa3d", "test")
    assert len(reader) == 3519
    found = [only(reader[index]) for index in range(0, 3519, 50)]
    assert {each.question_type for each in found} == {"what", "is", "how", "can", "which", "others"}
    assert all(isinstance(each.target, TextAnswer) for each in found if each.question_type == "what")


def test_the_mix_is_read_as_it_stands(tmp_path: Path) -> None:
    reader = read("spatial-mllm", write_mix(tmp_path), "spatial-mllm-mix-133k")
    inquiry = only(reader[0])
    assert inquiry.published_id == "mix_7"
    published = "scannet/videos/scene0191_00.mp4"
    assert inquiry.media == (Medium(path="visuals/scannet/videos/scene0191_00", what="video", published=published),)
    assert (inquiry.target, inquiry.suffix) == (Number(value=210, unit="cm"), SHORT)
    assert (inquiry.dataset, inquiry.scene_id, reader.role) == ("scannet", "scene0191_00", "train")


def test_vsi_590k_means_its_videos_by_image_tags(tmp_path: Path) -> None:
    reader = read("vsi-590k", write_vsi_590k(tmp_path), "vsi-590k")
    moving, still = only(reader[0]), only(reader[1])
    (video,) = moving.media
    assert (video.path, video.published) == ("vsi-590k/scannet/scene0191_00", "vsi-590k/scannet/scene0191_00.mp4")
    assert moving.target == Number(value=2)
    assert still.media == (Medium(path="vsi-590k/synthetic/room_1/0.png"),)
    assert (still.dataset, still.target) == ("synthetic", TextAnswer(text="Yes"))


def test_vlm_3r_names_its_scene(tmp_path: Path) -> None:
    inquiry = only(read("vlm-3r", write_vlm_3r(tmp_path), "merged_qa_route_plan_train")[0])
    assert (inquiry.dataset, inquiry.scene_id, inquiry.question_type) == ("arkitscenes", "40753679", "object_rel_distance_v3")
    assert (inquiry.target, inquiry.suffix) == (Choice(value="A"), LETTER)
    assert inquiry.media[0].what == "video"


def test_later_turns_show_what_was_shown_before(tmp_path: Path) -> None:
    root = write_qa_json(tmp_path)
    save_picture(root / "rooms" / "b.png")
    record = {
        "id": "r",
        "image": ["rooms/a.png", "rooms/b.png"],
        "conversations": talk("<image> What is it?", "A sofa.", "And here? <image>", "A bed."),
    }
    write_list(root / "turns.json", [record])
    first, second = read("qa-json", root, "turns")[0]
    assert isinstance(first, SpatialInquiry)
    assert isinstance(second, SpatialInquiry)
    assert first.words == (Medium(path="rooms/a.png"), " What is it?")
    assert second.words == (Medium(path="rooms/a.png"), "And here? ", Medium(path="rooms/b.png"))
    assert (second.turn, second.inherited, second.published_id) == (1, 1, "r")


def test_a_packed_record_is_several(tmp_path: Path) -> None:
    root = write_mix(tmp_path)
    write_lines(root / "packed.jsonl", [[mix_row(), mix_row() | {"id": "mix_8"}]])
    found = read("qa-json", root, "packed")[0]
    assert [each.published_id for each in found if isinstance(each, SpatialInquiry)] == ["mix_7", "mix_8"]
    assert len({each.inquiry_id for each in found if isinstance(each, SpatialInquiry)}) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"video": ["scannet/videos/scene0191_00.mp4"] * 2}, "tags_do_not_match_media"),
        ({"video": None}, "tags_do_not_match_media"),
        ({"conversations": talk("<video>\nHow many?")}, "turn_without_answer"),
        ({"conversations": []}, "turn_without_answer"),
        ({"conversations": talk("<video>\nHow many?", " ")}, "answer_empty"),
        ({"conversations": talk("<video>\nHow many?", "See <image>")}, "media_in_answer"),
        ({"conversations": [{"from": "gpt", "value": "4"}, {"from": "human", "value": "<video>?"}]}, "turns_out_of_order"),
        ({"video": "../secret.mp4"}, "path_leaves_root"),
        ({"conversations": talk("<video>\nWhich?\nA. a\nB. b", "C")}, "answer_not_an_option"),
    ],
)
def test_a_record_of_no_use_says_why(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    root = write_mix(tmp_path)
    write_lines(root / "bad.jsonl", [mix_row() | change])
    found = reasons(read("spatial-mllm", root, "bad")[0])
    assert found[-1] == reason


def test_unknown_fields_are_noted_once_and_repeated_ids_each_time(tmp_path: Path) -> None:
    root = write_mix(tmp_path)
    write_lines(root / "odd.jsonl", [mix_row() | {"id": "a"}, mix_row() | {"mood": 1}, mix_row() | {"mood": 2}])
    reader = read("spatial-mllm", root, "odd")
    assert [reasons(reader[index]) for index in range(3)] == [[], ["unknown_field", "duplicate_id"], ["duplicate_id"]]


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    root = write_mix(tmp_path)
    whole = write_list(root / "list.json", [mix_row(), mix_row()]).read_text()
    (root / "list.json").write_text(whole[: len(whole) * 3 // 4])
    with pytest.raises(InputError, match=r"list\.json"):
        read("qa-json", root, "list")
    lines = write_lines(root / "lines.jsonl", [mix_row(), mix_row()]).read_text()
    (root / "lines.jsonl").write_text(lines[:-30])
    assert reasons(read("qa-json", root, "lines")[1]) == ["row_unreadable"]
    (root / "empty.json").write_text("")
    with pytest.raises(InputError, match="begins with"):
        read("qa-json", root, "empty")
