"""Task sets as LLaVA / ShareGPT JSON, which LLaMA-Factory, ms-swift, LLaVA and the Qwen-VL fine-tuning code read.

One file `{task set}.json` of an array, a row an example:

    llava     {"id": "...", "image": ["a.png", "b.png"], "conversations": [{"from": "human", "value": "<image>\\n<image>\\n..."},
                                                                            {"from": "gpt", "value": "[(0.512, 0.334)]"}]}
    sharegpt  the same with "images" for "image" (LLaMA-Factory, ms-swift)
    messages  {"id": "...", "images": [...], "messages": [{"role": "user", "content": "..."}, {"role": "assistant", ...}]}

Each picture has one `<image>` in the human turn, where the prompt shows it, and the lists are in that order. In the form `llava`
a single picture is a string, not a list: older readers know no lists. For the other two, `dataset_info.json` of LLaMA-Factory
stands beside the file; set its `media_dir` (or the other trainers' image folder) to the declared root.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from sightline.dialects import Dialect
from sightline.export.files import Exported, Pictures, json_array, noted, open_all
from sightline.export.rendered import Rendered, render_all
from sightline.files import only_writer, read_json, write_json

Form = Literal["llava", "sharegpt", "messages"]
DATASET_INFO = "dataset_info.json"


def export_llava(
    tasksets: Sequence[Path], out: Path, *, dialect: Dialect, form: Form = "llava", media_root: Path | None = None
) -> Exported:
    """Write one JSON file a task set below `out`. `media_root`: paths are relative to it; None copies the pictures.

    Raises:
        FileNotFoundError: a task set or picture is not there.
        InputError: two task sets of one name, a picture that is not below the root, or a target that is no text (masks).
    """
    rows: dict[str, int] = {}
    num_copied = 0
    with only_writer(out):
        for taskset in open_all(tasksets):
            name = taskset.manifest.name
            pictures = Pictures(taskset, out, media_root=media_root)
            options = {"media_root": str((media_root or out).resolve())}
            with (
                noted(out, name, taskset, kind=form, dialect=dialect, options=options),
                json_array(out / f"{name}.json") as array,
            ):
                for rendered in render_all(taskset, dialect):
                    array.add(_row(rendered, [pictures.name(image) for image in rendered.images], form))
            rows[f"{name}.json"] = array.count
            num_copied += pictures.num_copied
        if form != "llava":
            _declare(out, rows, form)
    return Exported(path=str(out), rows=rows, num_copied=num_copied)


def _row(rendered: Rendered, images: list[str], form: Form) -> dict[str, Any]:
    asked, answered = rendered.with_tokens(), rendered.answer
    if form == "messages":
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        return {"id": rendered.example.id, "images": images, "messages": turns}
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answered}]
    if form == "sharegpt":
        return {"id": rendered.example.id, "images": images, "conversations": turns}
    return {"id": rendered.example.id, "image": images[0] if len(images) == 1 else images, "conversations": turns}


def _declare(out: Path, rows: dict[str, int], form: Form) -> None:
    """Add the files to LLaMA-Factory's `dataset_info.json`; what else stands in it stays."""
    path = out / DATASET_INFO
    declared: dict[str, Any] = read_json(path, dict[str, Any]) if path.exists() else {}
    for file in rows:
        declared[file.removesuffix(".json")] = _declaration(file, form)
    write_json(path, declared)


def _declaration(file: str, form: Form) -> dict[str, Any]:
    turns = "messages" if form == "messages" else "conversations"
    declaration: dict[str, Any] = {"file_name": file, "formatting": "sharegpt", "columns": {"messages": turns, "images": "images"}}
    if form == "messages":
        declaration["tags"] = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    return declaration
