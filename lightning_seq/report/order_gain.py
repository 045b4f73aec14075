"""The gain from order: by how much a model of steps in their order is better than its twin of steps without it."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_seq.identity import SETTINGS
from lightning_seq.records.record import Record
from lightning_seq.report.architectures import flat_settings
from lightning_seq.report.verdict import Verdict

ORDER, AS_IS = "data.order", "as_is"


def order_gains(records: Sequence[Record], verdict: Verdict) -> tuple[str, ...]:
    """A sentence with the gain of each architecture and its interval; none without labels that differ in `data.order`
    alone."""
    if verdict.scale is None:
        return ()
    twins: dict[str, dict[str, str]] = {}
    for label, record in {record.label: record for record in records}.items():
        settings = flat_settings(record, SETTINGS)
        if order := settings.pop(ORDER, None):
            twins.setdefault(repr(sorted(settings.items(), key=str)), {})[label] = str(order)
    gains = []
    for orders in twins.values():
        whole = [label for label, order in orders.items() if order == AS_IS]
        for pair in verdict.pairs:
            labels = {pair.better, pair.other}
            if labels <= set(orders) and len(labels & set(whole)) == 1:
                (label,), (twin,) = labels & set(whole), labels - set(whole)
                sign = 1 if pair.better == label else -1
                values = (pair.difference, *((pair.low, pair.high) if sign > 0 else (pair.high, pair.low)))
                difference, *ends = verdict.scale.shown(*(sign * value for value in values))
                interval = f" (95 % CI {ends[0]} to {ends[1]})" if len(ends) == 2 else ""
                gains.append(f"{label} {difference} over {twin}{interval}")
    if not gains:
        return ()
    return (f"Gain from order, in {verdict.scale.unit}: {'; '.join(gains)}.",)
