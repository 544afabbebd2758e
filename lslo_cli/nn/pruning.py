"""Magnitude pruning with masks: gradual while training (section 3.2), pooled for estimation (section 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch

from lslo_cli.method.importance import Pool, PrunedMatrix
from lslo_cli.nn.attach import AdapterMatrix, Adapters


class Pruner:
    """Keeps the smallest entries of each pool at zero.

    A pool is a list of matrices that are ranked together by absolute value. ``prune_to(ratio)`` masks
    round(ratio * size) entries of every pool: the absolute P_e of eq. 4, never a fraction of the rest, so
    repeating it changes nothing. Masked entries stay masked. Ties are broken by position, the earlier entry
    first.

    After each optimiser step ``apply()`` writes the zeros again. Adam works entry by entry, so surviving
    entries move exactly as if the others had been masked in the forward pass, unless gradients are clipped:
    their norm counts masked entries too.
    """

    def __init__(self, pools: Iterable[Sequence[AdapterMatrix]]):
        self._pools = [list(pool) for pool in pools]
        self._masks = [
            [torch.zeros_like(member.weight, dtype=torch.bool) for member in pool] for pool in self._pools
        ]

    @torch.no_grad()
    def prune_to(self, ratio: float) -> None:
        """Mask ``ratio`` of every pool, in [0, 1); a smaller ratio than before changes nothing."""
        for pool, masks in zip(self._pools, self._masks, strict=True):
            pruned = torch.cat([mask.flatten() for mask in masks])
            wanted = round(ratio * pruned.numel())
            if wanted <= int(pruned.sum()):
                continue
            magnitude = torch.cat([member.weight.flatten() for member in pool]).abs().float()
            magnitude[pruned] = -1.0
            # Selecting takes time linear in the size; sorting took six times as long for a layer's matrices.
            largest = magnitude.kthvalue(wanted).values
            pruned = magnitude < largest
            ties = (magnitude == largest).nonzero()[:, 0]
            pruned[ties[: wanted - int(pruned.sum())]] = True
            for mask, part in zip(masks, pruned.split([mask.numel() for mask in masks]), strict=True):
                mask.copy_(part.view_as(mask))
        self.apply()

    def emptied(self, ratio: float) -> int | None:
        """The size of the smallest pool of which ``ratio`` is every entry; None if all pools keep some."""
        sizes = (sum(mask.numel() for mask in masks) for masks in self._masks)
        return min((size for size in sizes if 0 < size == round(ratio * size)), default=None)

    def untrained(self) -> list[str]:
        """The languages of which every B in the pools is 0, as it begins."""
        trained: dict[str, bool] = {}
        for member, _ in self._members():
            if member.name == "B":
                moved = trained.get(member.language, False) or bool(member.weight.any())
                trained[member.language] = moved
        return [language for language, moved in trained.items() if not moved]

    @torch.no_grad()
    def apply(self) -> None:
        """Set masked entries to zero."""
        for member, mask in self._members():
            member.weight.masked_fill_(mask, 0.0)

    def counts(self, matrices: Iterable[AdapterMatrix]) -> list[tuple[PrunedMatrix, str]]:
        """Each of ``matrices`` with the number of its masked entries; 0 if it is in no pool."""
        masked = {member.key: int(mask.sum()) for member, mask in self._members()}
        return [
            (PrunedMatrix(m.site, m.language, masked.get(m.key, 0), m.weight.numel()), m.name)
            for m in matrices
        ]

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {member.key: mask for member, mask in self._members()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        for name, mask in self.state_dict().items():
            mask.copy_(state[name])
        self.apply()

    def _members(self) -> Iterator[tuple[AdapterMatrix, torch.Tensor]]:
        for pool, masks in zip(self._pools, self._masks, strict=True):
            yield from zip(pool, masks, strict=True)


def gradual_pruner(
    adapters: Adapters, languages: Iterable[str], matrices: Sequence[str] = ("A", "B")
) -> Pruner:
    """One pool per matrix: per-tensor L1 pruning of the named languages' A and B (section 3.2)."""
    chosen = set(languages)
    return Pruner([m] for m in adapters.matrices() if m.language in chosen and m.name in matrices)


def estimation_pruner(matrices: Iterable[AdapterMatrix], pool: Pool) -> Pruner:
    """Pools of these B across languages (section 4.2) or within a language (section 7.3).

    A is left out: B starts at zero and would be pruned first, all of it (section 4.2).
    """
    pools: dict[str, list[AdapterMatrix]] = {}
    for member in matrices:
        pools.setdefault(pool.key(member.site, member.language), []).append(member)
    return Pruner(pools.values())
