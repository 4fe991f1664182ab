"""The equations in torch: cells (one step each), the language model (unroll, V, c) and its losses."""
