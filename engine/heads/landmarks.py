"""MediaPipe's 468 face landmarks as rings and lines, by index. Image-left is the subject's right.

The indices name places on the face (which landmark is where); they are interface facts of MediaPipe
Face Mesh (Apache-2.0), read off `face_mesh_connections` and its published picture.
"""

from __future__ import annotations

# Closed loop round the face, from the top of the forehead towards the subject's left.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
EAR_RIGHT, EAR_LEFT, TOP, CHIN = 234, 454, 10, 152

# Lip loops from the right corner along the upper lip to the left corner and back along the lower.
LIPS_INNER = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
LIPS_MIDDLE = (
    62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15, 86, 179, 89, 96,
)  # fmt: skip
LIPS_FRONT = (
    76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77,
)  # fmt: skip
LIPS_OUTER = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip

# Lid loops from the outer corner along the lower lid to the inner corner and back along the upper.
LIDS_RIGHT = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LIDS_LEFT = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
# The next loop outwards, same order.
LID_FOLDS_RIGHT = (130, 25, 110, 24, 23, 22, 26, 112, 243, 190, 56, 28, 27, 29, 30, 247)
LID_FOLDS_LEFT = (359, 255, 339, 254, 253, 252, 256, 341, 463, 414, 286, 258, 257, 259, 260, 467)

# Where the 68 points of iBUG's scheme (Multi-PIE order) that both schemes define alike lie on the
# mesh of 468: the chin, nose, lids and lips. Brows and cheeks are drawn differently.
IBUG_TO_MEDIAPIPE = {
    8: 152, 27: 168, 28: 197, 29: 5, 30: 4, 31: 98, 32: 97, 33: 2, 34: 326, 35: 327,
    36: 33, 37: 160, 38: 158, 39: 133, 40: 153, 41: 144,
    42: 362, 43: 385, 44: 387, 45: 263, 46: 373, 47: 380,
    48: 61, 49: 39, 50: 37, 51: 0, 52: 267, 53: 269, 54: 291, 55: 405, 56: 314, 57: 17, 58: 84,
    59: 181, 60: 78, 61: 82, 62: 13, 63: 312, 64: 308, 65: 317, 66: 14, 67: 87,
}  # fmt: skip
