"""Synthetic people: made up from a seed, filmed by our own rasteriser, with everything known.

They teach the feed-forward methods (engine/methods) what footage cannot be shipped for. Nobody
living is shown. Procedural places are in millimetres of the built-in head's neutral template.
"""
