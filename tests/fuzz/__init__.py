"""Random inputs for everything that reads what others wrote: `make fuzz`, or `python -m tests.fuzz --help`.

`driver.py` makes, checks, counts and saves; each target is one file that says how its inputs are made and what must
hold. A seed and the number of an input make the same input again.
"""
