"""Seeing a network learn and remember: traces of a sentence, checks of gradients, reports on runs."""
