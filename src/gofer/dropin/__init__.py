"""Requests' module names as thin faces over the rooms of the house.

`gofer/__init__.py` binds them: `gofer.auth` is `dropin/auth.py`, and so on.
"""
