"""What Blender and the engine share: messages, errors, settings, the head and the baked avatar.

Standard library and NumPy only (a test holds this); the only part of the engine Blender may import.
"""
