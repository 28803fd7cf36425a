"""The avatar engine: footage -> tracked clip -> avatar -> baked avatar -> pixels. No bpy.

Conventions: metres; quaternions w, x, y, z; cameras OpenCV world-to-camera (x right, y down, z
forward) with pixel centres at half integers; colours display-referred sRGB in 0..1. Head space: x
towards the subject's left ear, y up, z out of the face, origin midway between the ears.
"""

__version__ = "0.1.0"
