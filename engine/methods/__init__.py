"""The methods, one module each, named in `engine.api.settings.METHODS`.

Each has reconstruct(clip, settings, device, seed, train_frames, max_seconds) -> Iterator[Progress].
"""
