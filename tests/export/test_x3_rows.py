"""Ids in both schemes, and answers as the pipeline's parser reads them."""

from pathlib import Path

import pytest

from sightline.export.x3.rows import Answer, name_of_ours, name_of_theirs, read_answer, split_of_file, write_answer

NOTHING = Answer(is_not_visible=False)
ABSENT = Answer(is_not_visible=True)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("t1_multi/0123abcdef/uid_7/01_001230/03_004560", "T1_MULTI_0123abcdef_uid7_A01001230_B03004560"),
        ("t1_concat/scene0000_00/uid_12/01_001230/02_000010", "T1_CONCAT_scene0000_00_uid12_A01001230_B02000010"),
        ("t2a/room_1/uid_7/01_001230/03_004560/N12", "T2A_MULTI_room_1_uid7_A01001230_B03004560"),
        ("t2a/room_1/uid_7/01_001230/03_004560/V", "T2A_MULTI_room_1_uid7_A01001230_B03004560"),
        ("t2a/room_1/uid_7/01_001230/03_004560/N4", "T2A_MULTI_room_1_uid7_A01001230_B03004560_N4"),
        ("t2a/room_1/uid_7/01_001230/03_004560/VC_uid_2", "T2A_MULTI_room_1_uid7_A01001230_B03004560_VC_uid_2"),
        ("t2a/room_1/uid_7/01_10/03_20/N0_room_2_01_000040", "T2A_MULTI_room_1_uid7_A0110_B0320_N0_room_2_01_000040"),
        ("t2b/0123abcdef/uid_7/03_004560", "T2B_MULTI_0123abcdef_uid7_K03004560"),
    ],
)
def test_ids_in_both_schemes(ours: str, theirs: str) -> None:
    name = name_of_ours(ours)
    assert name is not None
    assert name.theirs == theirs
    assert name_of_theirs(theirs) == name
    assert ours.startswith(name.pair_id)


@pytest.mark.parametrize(
    "ours",
    [
        "t1_multi/room/uid_7/101_001230/03_004560",  # three digits of view number would be read as two and a longer frame
        "t1_multi/room/uid_7/01_001230",
        "relation/room/uid_7/01_001230/03_004560",
        "t2b/a_uid1_K01000010/uid_7/x",
    ],
)
def test_what_their_scheme_cannot_name_has_no_id(ours: str) -> None:
    assert name_of_ours(ours) is None


@pytest.mark.parametrize(
    "theirs", ["T1_MULTI_room_uid7_A01_B02", "T3_MULTI_room_uid7_K01000010", "", "T1_MULTI_room_A01000010_B02000020"]
)
def test_other_ids_are_not_read(theirs: str) -> None:
    assert name_of_theirs(theirs) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[(0.150, 0.200)]", Answer(is_not_visible=False, coord=(0.15, 0.2))),
        ("at [( 0.5 ,0.25 )], no: [(0.1, 0.1)]", Answer(is_not_visible=False, coord=(0.5, 0.25))),  # the first one
        ("[(320, 240)]", Answer(is_not_visible=False, coord=(320.0, 240.0))),  # pixels are accepted
        ("[(0.1, 0.2)] or NOT_VISIBLE", ABSENT),  # wins anywhere
        ("it is NOT VISIBLE", NOTHING),
        ("not_visible", NOTHING),
        ("(0.1, 0.2)", NOTHING),
        ("[0.1, 0.2]", NOTHING),
        ("[(-0.1, 0.2)]", NOTHING),
        ("[(0.1, 0.2), (0.3, 0.4)]", NOTHING),
        ("[(0.5.1, 0.2)]", NOTHING),
        ("", NOTHING),
    ],
)
def test_the_parser_of_the_pipeline(text: str, read: Answer) -> None:
    assert read_answer(text) == read


def test_a_written_answer_has_three_decimals() -> None:
    assert write_answer((0.15, 0.2)) == "[(0.150, 0.200)]"
    assert write_answer(None) == "NOT_VISIBLE"


@pytest.mark.parametrize(
    ("name", "split"), [("t1_val_multi.json", "validation"), ("t2a_train_multi.json", "train"), ("mine.json", None)]
)
def test_a_file_name_may_state_the_split(name: str, split: str | None) -> None:
    assert split_of_file(Path(name)) == split
