"""Requests' `compat` module."""
