"""Which labels of a comparison differ by more than chance: simultaneous intervals, tests and effect sizes.

A label is judged by the mean of a metric over its training runs (seeds) and the test examples. Both are random draws,
and they are crossed: every run answers the same examples. The variance of a mean difference has therefore two parts,
from runs and from examples, as in studies of several readers and the same cases (Dorfman, Berbaum & Metz 1992).
"""
