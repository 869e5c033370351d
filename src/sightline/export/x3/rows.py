"""One row of `t1_{train,val}_{multi,concat}.json`, `t2a_{train,val}_multi.json` and `t2b_{train,val}_multi.json`: lists of

    {"id": "T1_MULTI_0123abcdef_uid7_A01001230_B03004560", "task": "t1_multi", "image": ["/abs/A marked", "/abs/B"],
     "query_original": "/abs/B", "conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "[(0.150, 0.200)]"}]}

Surprises: an id has no separator between view number (two digits) and frame; the human turn has no image token (the loader puts one
in front for each picture); a mask is found beside `query_original` by name. The published builder has ids for pairs of one object's
own views only; rows of a Task 2A set whose query is another picture (an object painted away, another scene) get `_` and our name of
that query appended, so that every id stays unique: `..._B02000020_N4`. `task` is documented for t1_multi alone; the words of the
others are taken from the names of their files.
"""

import re
from pathlib import Path

import msgspec

from sightline.types import Record

OWN_TIERS = ("V", "N1", "N2", "N12", "N3")
POINT = re.compile(r"\[\(\s*([0-9.]+)\s*,\s*([0-9.]+)\s*\)\]")
NOT_VISIBLE = "NOT_VISIBLE"
SPLIT_WORDS = {"train": "train", "validation": "val"}


class Turn(msgspec.Struct, frozen=True):
    """One turn of a conversation; `speaker` is human or gpt."""

    speaker: str = msgspec.field(name="from")
    value: str


class Row(msgspec.Struct, frozen=True):
    """One row. Fields we do not use are ignored."""

    id: str
    task: str
    image: tuple[str, ...] | str
    conversations: tuple[Turn, ...]
    query_original: str | None = None

    @property
    def pictures(self) -> tuple[str, ...]:
        return (self.image,) if isinstance(self.image, str) else self.image

    def said(self, speaker: str) -> str | None:
        """The first turn of `speaker`, None if there is none."""
        return next((turn.value for turn in self.conversations if turn.speaker == speaker), None)


class RowName(Record):
    """What an id names, in either scheme. `views` are `{kk}_{frame}`: reference and query, or the one view of Task 2B.

    `variant` names the query of a Task 2A row that is not the object's own view: N4, VC_uid_3, N0_{scene}_{kk}_{frame}.
    """

    task: str
    scene: str
    uid: str
    views: tuple[str, ...]
    variant: str = ""

    @property
    def theirs(self) -> str:
        """The id in a row."""
        letters = "K" if self.task == "t2b" else "AB"
        views = "".join(f"_{letter}{view.replace('_', '')}" for letter, view in zip(letters, self.views, strict=True))
        suffix = f"_{self.variant}" if self.variant else ""
        return f"{PREFIXES[self.task]}_{self.scene}_uid{self.uid}{views}{suffix}"

    @property
    def pair_id(self) -> str:
        """Our id of the pair or view; a Task 2A example has the name of its query after it."""
        return "/".join((self.task, self.scene, f"uid_{self.uid}", *self.views))


class Answer(Record):
    """What the pipeline's parser reads. `coord` is None if the text is not visible, or nothing could be read."""

    is_not_visible: bool
    coord: tuple[float, float] | None = None


PREFIXES = {"t1_multi": "T1_MULTI", "t1_concat": "T1_CONCAT", "t2a": "T2A_MULTI", "t2b": "T2B_MULTI"}
ROW_TASKS = {"t1_multi": "t1_multi", "t1_concat": "t1_concat", "t2a": "t2a_multi", "t2b": "t2b_multi"}
FILES = {"t1_multi": "t1_{}_multi", "t1_concat": "t1_{}_concat", "t2a": "t2a_{}_multi", "t2b": "t2b_{}_multi"}
NUM_PICTURES = {"t1_multi": 2, "t1_concat": 1, "t2a": 2, "t2b": 2}

_OURS = {
    task: re.compile(rf"{task}/([^/]+)/uid_([^/]+)/(\d\d_\d+)" + ("" if task == "t2b" else r"/(\d\d_\d+)") + tail)
    for task, tail in (("t1_multi", ""), ("t1_concat", ""), ("t2a", "/([^/]+)"), ("t2b", ""))
}
_THEIRS = {
    task: re.compile(rf"{prefix}_(.+)_uid(.+)_" + (r"K(\d\d)(\d+)" if task == "t2b" else r"A(\d\d)(\d+)_B(\d\d)(\d+)") + tail)
    for (task, prefix), tail in zip(PREFIXES.items(), ("", "", r"(?:_((?:N0|N4|VC).*))?", ""), strict=True)
}


def file_name(task: str, split: str) -> str:
    """`t1_val_multi.json` of ("t1_multi", "validation")."""
    return FILES[task].format(SPLIT_WORDS[split]) + ".json"


def split_of_file(path: Path) -> str | None:
    """The split that a file's name states, None if it states none."""
    match = re.fullmatch(r"t(?:1|2a|2b)_(train|val)_(?:multi|concat)", path.stem)
    return None if match is None else {"train": "train", "val": "validation"}[match[1]]


def name_of_ours(example_id: str) -> RowName | None:
    """What an id of ours names; None if their scheme has no id for it that names the same."""
    task = example_id.partition("/")[0]
    match = _OURS[task].fullmatch(example_id) if task in _OURS else None
    if match is None:
        return None
    scene, uid, *rest = match.groups()
    variant = rest.pop() if task == "t2a" else ""
    name = RowName(task=task, scene=scene, uid=uid, views=tuple(rest), variant="" if variant in OWN_TIERS else variant)
    return name if name_of_theirs(name.theirs) == name else None


def name_of_theirs(row_id: str) -> RowName | None:
    """What an id of a row names, None if it is not of their scheme."""
    for task, pattern in _THEIRS.items():
        match = pattern.fullmatch(row_id)
        if match is not None:
            scene, uid, *rest = match.groups()
            variant = (rest.pop() or "") if task == "t2a" else ""
            views = tuple(f"{kk}_{frame}" for kk, frame in zip(rest[::2], rest[1::2], strict=True))
            return RowName(task=task, scene=scene, uid=uid, views=views, variant=variant)
    return None


def read_answer(text: str) -> Answer:
    """A text as the pipeline's parser reads it: `NOT_VISIBLE` anywhere wins, else the first `[(x, y)]`.

    `[(0.5.1, 0.2)]` is swallowed: it matches, but is no number, so nothing is read.
    """
    if NOT_VISIBLE in text:
        return Answer(is_not_visible=True)
    match = POINT.search(text)
    if match is None:
        return Answer(is_not_visible=False)
    try:
        return Answer(is_not_visible=False, coord=(float(match[1]), float(match[2])))
    except ValueError:
        return Answer(is_not_visible=False)


def write_answer(coord: tuple[float, float] | None) -> str:
    """`[(0.150, 0.200)]`, or `NOT_VISIBLE` for None."""
    return NOT_VISIBLE if coord is None else f"[({coord[0]:.3f}, {coord[1]:.3f})]"
