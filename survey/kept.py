"""What a process remembers of the last few studies that somebody looked at."""

from collections import OrderedDict
from typing import Generic, TypeVar

Name = TypeVar("Name")
Value = TypeVar("Value")


class Kept(Generic[Name, Value]):
    """The values that were kept last; each further one pushes the oldest out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Name, Value] = OrderedDict()

    def get(self, name: Name) -> Value | None:
        """The value, if it is still there."""
        return self._values.get(name)

    def keep(self, name: Name, value: Value) -> None:
        """Remember a value as the newest."""
        self._values.pop(name, None)
        self._values[name] = value
        while len(self._values) > self._most:
            self._values.popitem(last=False)
