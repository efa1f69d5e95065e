"""A property that is computed once, without a lock.

On Python 3.11 `functools.cached_property` computes under a lock of its class. A process that is
forked while another thread computes inherits it locked, and waits forever.
"""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy_property(Generic[T]):  # noqa: N801  # used as a decorator, as property is
    """Compute an attribute when it is first read, and keep it in the instance.

    Two threads may both compute it, to the same end.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...

    def __get__(self, instance: object, owner: type | None = None) -> Self | T:
        """Compute and keep the value; from then on the instance answers by itself."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
