"""Who builds the shards of a task set: processes of this machine, or a Ray cluster. Both leave the same bytes."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sightline.errors import InputError
from sightline.taskset.shards import ShardDone, ShardJob

Bounds = tuple[int, int, int]
"""A shard's number, its first unit and the one after its last."""

RunShards = Callable[[ShardJob, Sequence[Bounds], int | None], Iterator[ShardDone]]
"""Builds the given shards with so many workers (None: as many as there are processors), and gives them as they are finished."""


class Crew(NamedTuple):
    """An engine and its number of workers."""

    run: RunShards
    workers: int | None


def _local(address: str | None) -> RunShards:
    from sightline.taskset.pool import run_shards  # noqa: PLC0415

    if address is not None:
        raise InputError(f"--address {address} is that of a Ray cluster: give --engine ray with it.")
    return run_shards


def _ray(address: str | None) -> RunShards:
    from sightline.taskset.ray_cluster import RayCluster  # noqa: PLC0415

    return RayCluster(address).run


ENGINES: dict[str, Callable[[str | None], RunShards]] = {"local": _local, "ray": _ray}


def open_engine(name: str, *, address: str | None = None) -> RunShards:
    """The engine of a name; `address` is that of a running Ray cluster, None for what `RAY_ADDRESS` says, else a new one here.

    Raises:
        InputError: Ray is not installed, or an address for `local`.
    """
    return ENGINES[name](address)
