"""Movement from outside: a second video, a face capture, other programs' names."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..blender_addon import avatar_object, jobs, live_link, name_map, retarget, tracked_clip
from ..engine.api.errors import LikenessError
from .avatars import locked_reason
from .engine_job import EngineJob, engine_reason
from .explained import Explained

_NEUTRALS = [
    ("AUTO", "Resting Face", "Take off how the source person's face usually rests"),
    ("FIRST", "First Frame", "Take off the first frame: the source starts with a neutral face"),
    ("NONE", "As Is", "The source is calibrated already"),
]
_TABLES = [
    ("AUTO", "Automatic", "The preset that knows most of the file's names"),
    *((key, label, words) for key, (label, words, _) in name_map.PRESETS.items()),
]


def _strength(label: str) -> bpy.types.Property:
    return bpy.props.FloatProperty(
        name=label,
        description=f"How much of the source's movement the {label.lower()} get",
        default=1.0,
        min=0.0,
        soft_max=1.5,
        max=3.0,
        subtype="FACTOR",
    )


class _Retargets(Explained, ImportHelper):
    """What everything that drives an avatar by another face can be told."""

    neutral: bpy.props.EnumProperty(
        name="Neutral",
        description="Where the source's face is at rest",
        items=_NEUTRALS,
    )
    brows: _strength("Brows")
    eyes: _strength("Eyes")
    cheeks: _strength("Cheeks and Nose")
    mouth: _strength("Jaw, Mouth and Tongue")
    clamp: bpy.props.BoolProperty(
        name="Keep to What Was Learned",
        description="Expressions go no further than the avatar's own footage showed",
        default=True,
    )
    head: bpy.props.FloatProperty(
        name="Head Motion",
        description="How much of the head's turning the neck bone gets; 0 keeps the present motion",
        default=0.0,
        min=-1.0,
        max=1.0,
        subtype="FACTOR",
    )
    filename_ext = ""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return locked_reason(context)

    def settings(self) -> retarget.RetargetSettings:
        strengths = {"BROWS": self.brows, "EYES": self.eyes, "CHEEKS": self.cheeks}
        strengths |= dict.fromkeys(("JAW", "MOUTH", "TONGUE"), self.mouth)
        return retarget.RetargetSettings(self.neutral, strengths, self.clamp, self.head)


class LIKENESS_OT_drive_from_video(EngineJob, bpy.types.Operator, _Retargets):
    """Follow the face in another video and give its movement to the active avatar as an Action"""

    bl_idname = "likeness.drive_from_video"
    bl_label = "Drive from Video"
    bl_options = {"REGISTER"}  # the job pushes its own undo step when it is done

    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return engine_reason(context) or locked_reason(context)

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine. Raises LikenessError."""
        footage = Path(bpy.path.abspath(self.filepath))
        name = avatar_object.find_avatar(context.object).name
        settings, label = self.settings(), f"{name} from {footage.stem}"

        def use(folder: str) -> None:
            proxy = bpy.data.objects.get(name)
            if proxy is None or not avatar_object.is_avatar(proxy):
                raise LikenessError(f"The avatar '{name}' is gone.", "Drive another one.")
            motion = tracked_clip.read_motion(folder)
            retarget.write_action(bpy.context.scene, proxy, motion, settings, label)
            bpy.ops.ed.undo_push(message=LIKENESS_OT_drive_from_video.bl_label)

        jobs.track(context, footage, use)


class LIKENESS_OT_import_capture(bpy.types.Operator, _Retargets):
    """Animate the active avatar by a face capture: Live Link Face CSV, or Rhubarb's mouth shapes"""

    bl_idname = "likeness.import_capture"
    bl_label = "Import Face Capture"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default="*.csv;*.tsv;*.txt;*.json", options={"HIDDEN"})
    table: bpy.props.EnumProperty(
        name="Names", description="What the file calls the expressions", items=_TABLES
    )
    rate: bpy.props.FloatProperty(
        name="Rows per Second",
        description="0 believes the file's own times",
        default=0.0,
        min=0.0,
        max=1000.0,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        proxy = avatar_object.find_avatar(context.object)
        path = Path(bpy.path.abspath(self.filepath))
        try:
            motion = live_link.read_capture(path, self.rate)
            table = self._table(context, list(motion.values))
            values, unknown = name_map.mapped(motion.values, table)
            if not values:
                self.report({"ERROR"}, f"{path.name} names no expression that is known")
                return {"CANCELLED"}
            motion = motion._replace(values=values)
            retarget.write_action(context.scene, proxy, motion, self.settings(), path.stem)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if unknown:
            self.report({"WARNING"}, f"Not in the name table: {', '.join(unknown)[:200]}")
        self.report({"INFO"}, f"{len(motion.times)} moments, {motion.times[-1]:.1f} s")
        return {"FINISHED"}

    def _table(self, context: bpy.types.Context, names: list[str]) -> name_map.Table:
        """The scene's own table, or the chosen preset."""
        own = context.scene.likeness.name_table
        if own is not None:
            return name_map.from_text(own.as_string())
        chosen = name_map.guess(names) if self.table == "AUTO" else self.table
        return name_map.PRESETS[chosen][2]


class LIKENESS_OT_new_name_table(bpy.types.Operator):
    """Write a preset's name table into a new text, to edit it in the Text Editor"""

    bl_idname = "likeness.new_name_table"
    bl_label = "New Name Table"
    bl_options = {"REGISTER", "UNDO"}

    preset: bpy.props.EnumProperty(
        name="Preset", description="What the table starts from", items=_TABLES[1:]
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        label, _, table = name_map.PRESETS[self.preset]
        text = bpy.data.texts.new(f"{label} Names.json")
        text.write(name_map.to_text(table))
        context.scene.likeness.name_table = text
        self.report({"INFO"}, f"Edit '{text.name}' in the Text Editor")
        return {"FINISHED"}


def draw_menu(menu: bpy.types.Menu, _: bpy.types.Context) -> None:
    menu.layout.operator(
        LIKENESS_OT_import_capture.bl_idname, text="Face Capture for Likeness (.csv, .tsv, .json)"
    )


classes = (
    LIKENESS_OT_drive_from_video,
    LIKENESS_OT_import_capture,
    LIKENESS_OT_new_name_table,
)
