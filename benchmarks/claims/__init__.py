"""Parts of `benchmarks/residual_claims.py`: one claim of the literature on residual networks each."""
