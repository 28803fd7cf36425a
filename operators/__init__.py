"""Buttons: each checks, calls one function, reports. One file per verb."""
