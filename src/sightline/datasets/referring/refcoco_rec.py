"""RefCOCO boxes as one JSON line an expression, the form of InternVL's and Qwen's evaluation. One clip of one frame a picture.

    {root}/refcoco_testA.jsonl      refcoco, refcoco+: val, testA, testB; refcocog: val, test; also one folder down
    {"image": "COCO_train2014_000000009001.jpg", "sent": "brown dog on left", "bbox": [96.0, 120.0, 160.0, 200.0],
     "width": 640, "height": 480}

The file's name is the split. `bbox` is x0, y0, x1, y1 with exclusive ends (of COCO's box, not of the mask). There are no object
ids: expressions of a picture with the same box mean the same object. An expression's id is its line, from 0. `image` may have
folders before the name; the file is looked for there and in the places of COCO train2014. Source: OpenGVLab/InternVL.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sightline.datasets.clips.listed_frames import existing
from sightline.datasets.coco.coco_json import Open, coco_identity, joined, media_folder
from sightline.datasets.referring.refcoco import IMAGES
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import Box
from sightline.types import Clip, ClipFrame, Expression, LedgerEntry, Track

MAX_BYTES = 256 * 2**20


class _Line(Open):
    image: str
    sent: str
    bbox: Box
    width: int
    height: int


class RefCocoRec:
    """Pictures of one file, in sorted order.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such file, or a line that is not of this form.
    """

    def __init__(self, root: Path, split: str) -> None:
        self.root = root
        self.split = split
        files = _files(root)
        if split not in files:
            raise InputError(f"{root} has no split {split!r}; it has {', '.join(files) or 'no .jsonl file'}.")
        self._path = files[split]
        self._lines: dict[str, list[tuple[int, _Line]]] = {}
        for number, line in enumerate(_read(self._path)):
            self._lines.setdefault(line.image, []).append((number, line))
        self._images = sorted(self._lines)
        names = [Path(image).name for image in self._images]
        self._media = None if not names or inside(root, self._images[0]).is_file() else media_folder(root, IMAGES, names)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The names of the .jsonl files, without ending."""
        return list(_files(root))

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return [Path(image).stem for image in self._images]

    def sources(self) -> list[Path]:
        return [self._path, *existing({(self.root / self._path_of(image)).parent for image in self._images})]

    def __getitem__(self, index: int) -> Clip:
        image = self._images[index]
        lines = self._lines[image]
        name = Path(image).stem
        path = self._path_of(image)
        there = inside(self.root, path).is_file()
        gone = LedgerEntry(unit=name, reason="picture_missing", detail=f"{path} is not there")
        boxes = list(dict.fromkeys(line.bbox for _, line in lines))
        expressions = (
            Expression(expression_id=str(number), text=line.sent, object_ids=(str(boxes.index(line.bbox)),))
            for number, line in lines
        )
        return Clip(
            clip_id=name,
            split=self.split,
            frames=(ClipFrame(frame_id=name, image=path if there else None),),
            tracks=tuple(Track(object_id=str(number), boxes=(box,)) for number, box in enumerate(boxes)),
            expressions=tuple(expressions),
            problems=() if there else (gone,),
            width=lines[0][1].width,
            height=lines[0][1].height,
            video_id=coco_identity(image),
        )

    def _path_of(self, image: str) -> str:
        return image if self._media is None else joined(self._media, Path(image).name)


def _files(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the root that holds refcoco_val.jsonl and the like.")
    return {path.stem: path for path in sorted([*root.glob("*/*.jsonl"), *root.glob("*.jsonl")]) if path.name.startswith("refcoco")}


def _read(path: Path) -> Iterator[_Line]:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path}: {size:,} bytes; at most {MAX_BYTES:,} are read.")
    for number, text in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            line = msgspec.json.decode(text, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}, line {number}: {error}; expected image, sent, bbox, width and height.") from error
        x0, y0, x1, y1 = line.bbox
        if not (x0 < x1 and y0 < y1):
            raise InputError(f"{path}, line {number}: the box {line.bbox} is empty; expected x0 < x1 and y0 < y1.")
        yield line
