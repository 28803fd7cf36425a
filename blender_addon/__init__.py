"""Everything that knows Blender but is not a button or a panel."""
