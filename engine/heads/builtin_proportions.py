"""Where things are on the built-in head. Millimetres, head-space axes."""

from __future__ import annotations

import numpy as np

EYE_CENTRE = np.array([31.2, 14.4, 48.1])  # of the subject's left eye
EYE_RADIUS = 12.0
LID_RADIUS = 13.0  # lids slide just outside the ball, also halfway along a straight path
MOUTH_LINE = -51.3  # height of the closed lips
SKULL_RADII = np.array([81.0, 97.0, 98.0])
SKULL_CENTRE = np.array([0.0, 38.0, -25.0])
NAPE_ANGLE = np.deg2rad(205)  # where the cranium's sweep over the crown ends
SWEEP_RINGS = 16
NECK_RINGS = 7  # from the jaw's edge to the throat
NECK_AXIS_Z = -33.0
NECK_JOINT = np.array([0.0, -35.0, -25.0])
# The jaw turns about a point below the ear, since its condyle glides forward as it opens: fitted to
# the lower lip of tracked faces, which goes down five times as far as back.
JAW_HINGE = np.array([0.0, -36.0, -6.0])
