"""From a text and some minutes to a config: what `rnn train my.txt --budget 10m` chooses, and why.

look.py says what kind of text it is, choice.py chooses (pure functions of facts), reasons.py says why, make.py
gathers the facts; advice.py says after the training what to try next.
"""
