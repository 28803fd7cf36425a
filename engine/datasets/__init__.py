"""Heads that somebody else's program has tracked: data set layouts in, tracked clips out.

One file per layout, each of which knows its folders, keys and cameras; `layouts.py` tells them
apart. What they have in common is a `FlameTrack`; `flame_clip.py` makes a tracked clip of it.
"""
