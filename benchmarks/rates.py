"""The peak rates of a device: large matrix products in every data type, and copies.

python -m benchmarks.rates [--json FILE]
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks import measure


def run(device: str, dtype: str) -> list[dict[str, Any]]:
    """Measure copies and products, in float32 also with factors rounded to TF32, on CUDA only."""
    rows = [{"operation": "copy, read and written", "GB/s": measure.copy_rate(device) / 1e9}]
    rows += [_product(form, form, device) for form in dict.fromkeys((dtype, "float32"))]
    if torch.device(device).type == "cuda":
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        rows.append(_product("TF32", "float32", device))
        torch.set_float32_matmul_precision(before)
    return rows


def _product(name: str, dtype: str, device: str) -> dict[str, Any]:
    return {"operation": f"product, {name}", "TFLOP/s": measure.peak_rate(dtype, device) / 1e12}


def main() -> None:
    given = measure.parse(measure.parser(__doc__, ("any",)))
    measure.report(run(given.device, given.dtype), given)


if __name__ == "__main__":
    main()
