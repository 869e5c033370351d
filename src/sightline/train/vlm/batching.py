"""What a row of a batch is: a pack of samples, or one sample beside others."""

from dataclasses import dataclass
from typing import Literal

from sightline.errors import InputError

Mode = Literal["packed", "padded", "grouped"]
PackBy = Literal["length", "group", "prefix"]
PACK_BY: tuple[PackBy, ...] = ("length", "group", "prefix")
MODES: tuple[Mode, ...] = ("packed", "padded", "grouped")


@dataclass(frozen=True)
class Batching:
    """Args:
        mode: packs, single samples at random, or single samples of about one length together.
        tokens_per_sample: the most tokens of a row, and so of a sample.
        rows_per_step: rows of a step over all processes (and over the pieces in which gradients are accumulated).
        pack_by: "length": packs are as full as can be; "group": nearly so, of samples that show the same pictures;
            "prefix": of samples with the same beginning, which is there once (`prefix`).

    Raises:
        InputError: an unknown mode or way of packing, groups of rows that are not packed, or a number below 1.
    """

    mode: Mode = "packed"
    tokens_per_sample: int = 8192
    rows_per_step: int = 8
    pack_by: PackBy = "length"

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.tokens_per_sample < 1 or self.rows_per_step < 1:
            raise InputError(f"{self}: expected a mode of {', '.join(MODES)}, and numbers of at least 1.")
        if self.pack_by not in PACK_BY or (self.pack_by != "length" and self.mode != "packed"):
            raise InputError(f"{self}: expected pack_by of {', '.join(PACK_BY)}; group is for packed rows, and so is prefix.")
