"""Plain values into frozen classes."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

pytest.importorskip("yaml", reason="needs the train extra")

from sightline.errors import InputError
from sightline.train.config.typed import typed


@dataclass(frozen=True)
class Stage:
    from_step: int
    gap: int = 1

    def __post_init__(self) -> None:
        if self.gap < 1:
            raise InputError(f"gap {self.gap}: expected at least 1.")


@dataclass(frozen=True)
class Model:
    size: int = 128
    rate: float = 0.1
    kind: Literal["mask", "box", "point"] = "mask"
    freeze: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    path: str
    model: Model = field(default_factory=Model)
    stages: tuple[Stage, ...] = (Stage(0),)
    special: Stage | None = None
    named: dict[str, Stage] = field(default_factory=dict)


def test_nested_values_become_nested_classes():
    values = {
        "path": "x",
        "model": {"rate": 1, "kind": "box", "freeze": ["a", "b"]},
        "stages": [{"from_step": 0}, {"from_step": 5, "gap": 2}],
        "special": {"from_step": 9},
        "named": {"late": {"from_step": 7}},
    }
    made = typed(values, Settings)
    assert made == Settings("x", Model(128, 1.0, "box", ("a", "b")), (Stage(0), Stage(5, 2)), Stage(9), {"late": Stage(7)})
    assert isinstance(made.model.rate, float)
    assert typed({"path": "x", "special": None}, Settings) == Settings("x")


def test_all_mistakes_are_told_at_once_with_their_keys():
    values = {"model": {"siez": 64, "rate": "fast", "kind": "boks"}, "stages": [{"from_step": 0, "gap": 0}, {"gap": 1}], "pth": "x"}
    with pytest.raises(InputError) as caught:
        typed(values, Settings, where="my.yaml")
    message = str(caught.value)
    assert message.startswith("my.yaml: 7 mistakes:")
    for part in (
        "pth: no such key; did you mean 'path'?",
        "path: missing; expected str",
        "model.siez: no such key; did you mean 'size'?",
        "model.rate: 'fast': Expected float, got str",
        "model.kind: 'boks'",
        "did you mean 'box'? The choices are mask, box, point",
        "stages[0]: gap 0: expected at least 1.",
        "stages[1].from_step: missing",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("value", "why"),
    [("3", "Expected int, got str"), (3.5, "Expected int"), (True, "Expected int, got bool"), (None, "Expected int")],
)
def test_a_value_of_another_type_is_not_bent(value, why):
    with pytest.raises(InputError, match=f"model.size: .*{why}"):
        typed({"path": "x", "model": {"size": value}}, Settings)


def test_a_value_where_keys_are_expected_is_told():
    with pytest.raises(InputError, match="model: expected keys and values, found 3"):
        typed({"path": "x", "model": 3}, Settings)
