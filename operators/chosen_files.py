"""Several files picked at once in the file browser."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper


class ChosenFiles(ImportHelper):
    """A mix-in of operators that take images, or more where they set another filter."""

    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: bpy.props.StringProperty(
        subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}, description="Where the files lie"
    )
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="", options={"HIDDEN"})
    filename_ext = ""

    def paths(self) -> list[str]:
        """All that was picked, by name; or what a script gave as `filepath`."""
        names = sorted(file.name for file in self.files if file.name)
        return [str(Path(self.directory) / name) for name in names] or [self.filepath]
