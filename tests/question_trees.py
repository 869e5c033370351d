"""Tiny benchmarks in their true layouts on disk: pictures of 64 x 48, in which one block is right."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

WIDTH, HEIGHT = 64, 48
BLOCK = (16, 12, 32, 24)  # x0, y0, x1, y1 of the right region: columns 16..31, rows 12..23
SUFFIX = "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)], where each tuple contains the x and y coordinates."
SUFFIX_SEVERAL = SUFFIX.replace("[(x1, y1)]", "[(x1, y1), (x2, y2), ...]")
OUTLINE = "[(0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5)]"  # the block's corners as shares


def picture(seed: int, *, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def mask(*, width: int = WIDTH, height: int = HEIGHT, block: tuple[int, int, int, int] = BLOCK) -> Image.Image:
    grey = np.zeros((height, width), dtype=np.uint8)
    x0, y0, x1, y1 = block
    grey[y0:y1, x0:x1] = 255
    return Image.fromarray(grey)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def cell(image: Image.Image | None) -> dict[str, Any] | None:
    if image is None:
        return None
    content = io.BytesIO()
    image.save(content, format="PNG")
    return {"bytes": content.getvalue(), "path": None}


def write_parquet(path: Path, rows: list[dict[str, Any]], *, row_group_size: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=row_group_size)


def bench_rows(count: int) -> list[dict[str, Any]]:
    """Rows of question.json."""
    return [
        {
            "id": index,
            "object": f"the cup {index}",
            "prompt": f"Please point out the cup {index}.",
            "suffix": SUFFIX,
            "rgb_path": f"image/{index}.png",
            "mask_path": f"mask/{index}.png",
            "category": "location",
            "step": 1 + index,
        }
        for index in range(count)
    ]


def write_bench(root: Path, *, count: int = 3) -> Path:
    """RefSpatial-Bench as folders: Location with `count` questions, Unseen with one about the first picture of Location."""
    for folder, number in (("Location", count), ("Unseen", 1)):
        write_json(root / folder / "question.json", bench_rows(number))
        for index in range(number):
            save(picture(index), root / folder / "image" / f"{index}.png")
            save(mask(), root / folder / "mask" / f"{index}.png")
    return root


def write_bench_parquet(root: Path, *, count: int = 3) -> Path:
    """The same questions as Parquet."""
    rows = [
        {"id": row["id"], "image": cell(picture(index)), "mask": cell(mask())}
        | {name: row[name] for name in ("object", "prompt", "suffix", "step")}
        for index, row in enumerate(bench_rows(count))
    ]
    write_parquet(root / "data" / "location-00000-of-00001.parquet", rows)
    return root


def write_where2place(root: Path, *, count: int = 2) -> Path:
    lines = []
    for index in range(count):
        name = f"{index:02d}.jpg"
        text = f"Find a few spots to the left of bowl {index}. {SUFFIX_SEVERAL}"
        lines.append(json.dumps({"question_id": index, "image": name, "text": text, "category": "left"}))
        save(picture(100 + index), root / "images" / name)
        save(mask(), root / "masks" / name)
    (root / "point_questions.jsonl").write_text("\n".join(lines) + "\n")
    return root


def home_rows() -> list[dict[str, Any]]:
    context = {
        "category": "context",
        "question": f"In the image, there is a bowl. Pinpoint several points left of the bowl. {SUFFIX_SEVERAL}",
        "answer": OUTLINE,
        "img": "images/img_context_0.png",
        "depth_image": "images/depth_context_0.png",
        "mask": "images/mask_context_0.png",
    }
    fits = {
        "category": "compatibility",
        "question": "Can the box fit behind the sofa? Answer yes or no.",
        "answer": "Yes",
        "img": "images/img_compatibility_0.png",
        "depth_image": None,
        "mask": None,
    }
    stands = fits | {"category": "configuration", "question": "Is the pot above the stove? Answer yes or no.", "answer": "No"}
    return [context, fits, stands]


def write_home(root: Path) -> Path:
    """RoboSpatial-Home as its download script writes it: one question of each category."""
    write_json(root / "annotations.json", home_rows())
    save(picture(200), root / "images" / "img_context_0.png")
    save(mask(), root / "images" / "mask_context_0.png")
    save(mask(), root / "images" / "depth_context_0.png")
    save(picture(201), root / "images" / "img_compatibility_0.png")
    return root


def sample(image: str | list[str], *turns: tuple[str, str], **fields: object) -> dict[str, object]:
    """A row of RefSpatial's JSON; `turns` are pairs of question and answer."""
    conversations = [
        {"from": speaker, "value": value} for pair in turns for speaker, value in zip(("human", "gpt"), pair, strict=True)
    ]
    return {"id": "s", "image": image, "conversations": conversations} | fields


def write_refspatial(root: Path, rows: list[dict[str, object]] | None = None) -> Path:
    """RefSpatial's 2D choice_qa.json with depth: one sample of four turns, or `rows`."""
    turns = (
        (f"<image> <depth>\nPlease point out the cup. {SUFFIX}", "[(0.500, 0.250)]"),
        ("Which is left of the other, (A) the cup or (B) the bowl?", "(B)"),
        ("Is the cup left of the bowl?", "No."),
        ("Which one has less height?", "With less height is the woman in yellow."),
    )
    write_json(root / "2D" / "choice_qa.json", rows if rows is not None else [sample("a.png", *turns, depth="a.png")])
    save(picture(300), root / "2D" / "image" / "a.png")
    save(picture(301), root / "2D" / "image" / "b.png")
    save(mask().convert("RGB"), root / "2D" / "depth" / "a.png")
    return root
