"""Tiny trees of spatial QA in the layouts of the public files, field by field."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SHORT = "Please answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."
SHORT_ANSWER = "Answer the question using a single word or phrase."


def save_picture(path: Path, value: int = 80) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((24, 32, 3), value, np.uint8))


def save_frames(folder: Path, count: int = 5) -> None:
    """A video as a folder of frames of rising brightness."""
    for number in range(count):
        save_picture(folder / f"{number:06d}.png", 20 + 40 * number)


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_list(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def vsi_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": 0,
            "dataset": "scannetpp",
            "scene_name": "7b6477cb95",
            "question_type": "object_counting",
            "question": "How many chair(s) are in this room?",
            "ground_truth": "4",
            "options": None,
        },
        {
            "id": 1,
            "dataset": "arkitscenes",
            "scene_name": "41069025",
            "question_type": "object_rel_distance",
            "question": "Which of these objects is the closest to the stove?",
            "ground_truth": "B",
            "options": ["A. table", "B. sofa", "C. tv", "D. stool"],
        },
    ]


def write_vsi(root: Path) -> Path:
    write_lines(root / "test.jsonl", vsi_rows())
    save_frames(root / "scannetpp" / "7b6477cb95")
    save_frames(root / "arkitscenes" / "41069025")
    return root


def write_viewspatial(root: Path) -> Path:
    picture = "scannetv2_val/scene0011_00/original_images/280.jpg"
    row = {
        "question_type": "Camera perspective - Relative Direction",
        "image_path": [f"ViewSpatial-Bench/{picture}"],
        "question": "Where is the counter in comparison to the refrigerator?",
        "answer": "A. right",
        "choices": "A. right\nB. front-up\nC. back-left\nD. front",
    }
    write_list(root / "ViewSpatial-Bench.json", [row])
    save_picture(root / picture)
    return root


def mindcube_row() -> dict[str, Any]:
    return {
        "id": "among_group001_q0_1_1",
        "category": ["perpendicular", "P-P"],
        "type": "move",
        "meta_info": [[4], [2, ["cup", "book"], ["face", None]]],
        "question": "Based on these four views, what is to the left of the cup? A. Bottle B. Book C. Door D. Plant",
        "images": [f"other_all_image/among/group001/{side}_1.jpg" for side in ("front", "left")],
        "gt_answer": "B",
    }


def write_mindcube(root: Path) -> Path:
    row = mindcube_row()
    write_lines(root / "data" / "raw" / "MindCube_train.jsonl", [row])
    write_lines(root / "data" / "raw" / "MindCube_tinybench.jsonl", [row])
    for path in row["images"]:
        save_picture(root / "data" / path)
    return root


def write_scanqa(root: Path) -> Path:
    row = {
        "answers": ["brown cabinet with tv sitting in it", "cabinet"],
        "object_ids": [8],
        "object_names": ["cabinet"],
        "question": "What is in the right corner of room by curtains?",
        "question_id": "val-scene0011-0",
        "scene_id": "scene0011_00",
    }
    write_list(root / "ScanQA_v1.0_val.json", [row])
    write_list(root / "ScanQA_v1.0_train.json", [row | {"question_id": "train-scene0191-0", "scene_id": "scene0191_00"}])
    save_frames(root / "scannet" / "scene0011_00")
    save_frames(root / "scannet" / "scene0191_00")
    return root


def write_sqa3d(root: Path) -> Path:
    asked = {
        "scene_id": "scene0191_00",
        "situation": "I am standing by the sofa.",
        "alternative_situation": ["I just left the sofa."],
        "question": "What is behind me?",
        "question_id": 220602000002,
    }
    said = {
        "scene_id": "scene0191_00",
        "question_type": "N/A",
        "answer_type": "other",
        "question_id": 220602000002,
        "answers": [{"answer": "piano", "answer_confidence": "yes", "answer_id": 1}],
        "rotation": {"_x": 0, "_y": 0, "_z": -0.9, "_w": -0.1},
        "position": {"x": 0.5, "y": -0.25, "z": 0},
    }
    for split in ("train", "test"):
        folder = root / "sqa_task" / "balanced"
        write_list(folder / f"v1_balanced_questions_{split}_scannetv2.json", {"info": {}, "questions": [asked]})
        write_list(folder / f"v1_balanced_sqa_annotations_{split}_scannetv2.json", {"info": {}, "annotations": [said]})
    save_frames(root / "scannet" / "scene0191_00")
    return root


def talk(*words: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[number % 2], "value": text} for number, text in enumerate(words)]


def mix_row() -> dict[str, Any]:
    asked = f"<video>\nThese are frames of a video.\nWhat is the height of the door, in centimeters?\n{SHORT}"
    return {"id": "mix_7", "video": "scannet/videos/scene0191_00.mp4", "conversations": talk(asked, "210")}


def write_mix(root: Path) -> Path:
    write_lines(root / "annotations" / "spatial-mllm-mix-133k.jsonl", [mix_row()])
    save_frames(root / "visuals" / "scannet" / "videos" / "scene0191_00")
    return root


def write_vsi_590k(root: Path) -> Path:
    asked = f"<image>\nThese are frames of a video.\nHow many lamps are there?\n{SHORT}"
    rows = [
        {"video": "scannet/scene0191_00.mp4", "conversations": talk(asked, "two"), "question_type": "object_counting"},
        {"image": "synthetic/room_1/0.png", "conversations": talk("<image>\nIs the lamp on?", "Yes")},
    ]
    write_lines(root / "vsi-590k.jsonl", rows)
    save_frames(root / "vsi-590k" / "scannet" / "scene0191_00")
    save_picture(root / "vsi-590k" / "synthetic" / "room_1" / "0.png")
    return root


def write_vlm_3r(root: Path) -> Path:
    asked = f"<image>\nThese are frames of a video.\nWhich is nearest to the bed?\nOptions:\nA. lamp\nB. desk\n{LETTER}"
    row = {
        "id": "3f2a",
        "data_source": "arkitscenes",
        "scene_name": "40753679",
        "question_type": "object_rel_distance_v3",
        "video": "arkitscenes/videos/40753679.mp4",
        "conversations": talk(asked, "A"),
    }
    write_list(root / "vsibench_train" / "merged_qa_route_plan_train.json", [row])
    save_frames(root / "arkitscenes" / "videos" / "40753679")
    return root


def write_qa_json(root: Path) -> Path:
    save_picture(root / "rooms" / "a.png")
    messages = [{"role": "user", "content": "<image>Where?"}, {"role": "assistant", "content": "On the left."}]
    write_list(root / "mine.json", [{"images": ["rooms/a.png"], "messages": messages}])
    return root


WRITERS = {
    "vsi-bench": write_vsi,
    "viewspatial-bench": write_viewspatial,
    "mindcube": write_mindcube,
    "scanqa": write_scanqa,
    "sqa3d": write_sqa3d,
    "spatial-mllm": write_mix,
    "vsi-590k": write_vsi_590k,
    "vlm-3r": write_vlm_3r,
    "qa-json": write_qa_json,
}
