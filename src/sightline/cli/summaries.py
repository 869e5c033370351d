"""The tables of scored runs on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightline.cli.console import print_table

if TYPE_CHECKING:
    from sightline.evaluate.summary import Summary
    from sightline.evaluate.table import Table


def print_summaries(summaries: Sequence["Summary"], *, by: Sequence[str] = ()) -> None:
    """One table a task set, a row a model, and one more for each way `by` of taking the results apart."""
    from sightline.evaluate.breakdown import breakdown  # noqa: PLC0415
    from sightline.evaluate.table import tables  # noqa: PLC0415

    for table in tables(summaries):
        print_table_of(table, "model")
    for way in by:
        for table in breakdown(summaries, way):
            if table.rows:
                print_table_of(table, "model")
            else:
                print(f"{table.title}: unknown, the data set does not give it (overlap and occlusion need depth and poses).")
    print("Below each value: its 95 % interval (bootstrap over scenes or clips) and n, its denominator. – where it is 0/0.")


def print_table_of(table: "Table", first: str) -> None:
    """Interval and n stand below each value, so that the table stays narrow."""
    rows = [(row.model, *(cell.replace(" [", "\n[").replace(" (", "\nn=").rstrip(")") for cell in row.cells)) for row in table.rows]
    print_table(table.title, (first, *table.labels), rows)
