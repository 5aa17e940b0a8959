"""Everything that has weights, one file a family; `catalog` lists them, `load` loads them."""
