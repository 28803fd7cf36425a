"""From a few pictures to a whole avatar: a regressed start, grown, coloured, completed, refined."""
