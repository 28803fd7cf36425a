"""What tracking found in the footage, kept by the window manager for the panel that tells it."""

from __future__ import annotations

import bpy

SEVERITIES = ("serious", "warning", "note")


class LikenessFinding(bpy.types.PropertyGroup):
    """One thing that footage lacks, and how to film it better."""

    severity: bpy.props.StringProperty(options={"SKIP_SAVE"})
    words: bpy.props.StringProperty(options={"SKIP_SAVE"})
    advice: bpy.props.StringProperty(options={"SKIP_SAVE"})


class LikenessFootageReport(bpy.types.PropertyGroup):
    """Held by the window manager as `likeness_footage`: the last footage that was tracked."""

    told: bpy.props.BoolProperty(options={"SKIP_SAVE"})
    findings: bpy.props.CollectionProperty(type=LikenessFinding, options={"SKIP_SAVE"})
    sheet: bpy.props.StringProperty(options={"SKIP_SAVE"})


def clear() -> None:
    """Forget the report; other footage comes."""
    report = bpy.context.window_manager.likeness_footage
    report.told = False
    report.findings.clear()
    report.sheet = ""


def take(event: dict) -> None:
    """Keep a `report` event of the engine (engine/api/messages.py)."""
    clear()
    report = bpy.context.window_manager.likeness_footage
    report.told = True
    report.sheet = str(event.get("sheet", ""))
    for found in event.get("findings", ()):
        item = report.findings.add()
        severity = found.get("severity")
        item.severity = severity if severity in SEVERITIES else "note"
        item.words, item.advice = str(found.get("words", "")), str(found.get("advice", ""))


classes = (LikenessFinding, LikenessFootageReport)


def register_properties() -> None:
    bpy.types.WindowManager.likeness_footage = bpy.props.PointerProperty(type=LikenessFootageReport)


def unregister_properties() -> None:
    del bpy.types.WindowManager.likeness_footage
