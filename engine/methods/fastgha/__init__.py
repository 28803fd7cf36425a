"""FastGHA (paper 003): a few posed pictures to per-pixel Gaussians, moved by a small network."""
