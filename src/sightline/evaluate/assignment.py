"""The one-to-one matching of two sets that has the largest total gain (Hungarian method).

Kuhn, "The Hungarian method for the assignment problem" (1955), in the form that adds one row at a time along a shortest augmenting
path and keeps a price for each row and column (Jonker and Volgenant 1987): exact, cubic in the number of rows.
"""

import numpy as np
from jaxtyping import Float, Int


def best_matching(gains: Float[np.ndarray, "n m"]) -> list[tuple[int, int]]:
    """Pairs (row, column), min(n, m) of them in the order of rows, whose gains add up to the most; the gains must be finite."""
    num_rows, num_columns = gains.shape
    if num_rows > num_columns:
        return sorted((row, column) for column, row in best_matching(np.ascontiguousarray(gains.T)))
    row_of = np.full(num_columns, -1, np.int64)
    row_prices, column_prices = np.zeros(num_rows), np.zeros(num_columns)
    for row in range(num_rows):
        _add_row(row, -gains, row_of, row_prices, column_prices)
    return sorted((int(row), column) for column, row in enumerate(row_of) if row >= 0)


def _add_row(
    row: int,
    costs: Float[np.ndarray, "n m"],
    row_of: Int[np.ndarray, " m"],
    row_prices: Float[np.ndarray, " n"],
    column_prices: Float[np.ndarray, " m"],
) -> None:
    """Match `row` too, moving earlier rows where that is cheaper; all arrays but `costs` are changed in place."""
    num_columns = len(row_of)
    distance = np.full(num_columns, np.inf)
    came_from = np.full(num_columns, -1, np.int64)
    done = np.zeros(num_columns, bool)
    current, current_column, reached = row, -1, 0.0
    while True:
        onward = reached + costs[current] - row_prices[current] - column_prices
        better = ~done & (onward < distance)
        distance[better], came_from[better] = onward[better], current_column
        column = int(np.argmin(np.where(done, np.inf, distance)))
        reached = float(distance[column])
        done[column] = True
        if row_of[column] < 0:
            break
        current, current_column = int(row_of[column]), column
    row_prices[row] += reached
    passed = done.copy()
    passed[column] = False
    row_prices[row_of[passed]] += reached - distance[passed]
    column_prices[passed] -= reached - distance[passed]
    while came_from[column] >= 0:
        row_of[column] = row_of[came_from[column]]
        column = int(came_from[column])
    row_of[column] = row
