"""A property that is computed once, without a lock.

On Python 3.11 `functools.cached_property` computes under a lock of its class. A process that is
forked while another thread computes inherits it locked, and waits for ever.
"""


class lazy_property:  # noqa: N801  # used as a decorator, as property is
    """Compute an attribute when it is first read, and keep it in the instance.

    Two threads may both compute it, to the same end.
    """

    def __init__(self, compute):
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        """Compute and keep the value; from then on the instance answers by itself."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
