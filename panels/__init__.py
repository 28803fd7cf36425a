"""The Likeness tab. Panels draw only."""
