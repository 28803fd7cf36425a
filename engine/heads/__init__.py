"""Head models: the built-in head, its posing in torch, its file and its contact sheet."""
