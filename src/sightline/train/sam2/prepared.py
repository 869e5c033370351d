"""Pictures and masks in the network's size, kept until others need the room: for data sets small enough to be seen many times."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from torch import Tensor


class Prepared:
    """What was made ready before, up to a number of bytes; the least recently used goes first. 0: nothing is kept."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._kept: OrderedDict[Hashable, Tensor] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """The tensor of a key, made if it is not there. It must not be changed."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        if made.nbytes <= self.max_bytes:
            self._kept[key] = made
            self.num_bytes += made.nbytes
        while self.num_bytes > self.max_bytes:
            self.num_bytes -= self._kept.popitem(last=False)[1].nbytes
        return made
