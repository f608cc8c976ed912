"""Requests' `help` module."""
