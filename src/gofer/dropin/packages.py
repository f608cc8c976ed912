"""Requests' `packages` module."""
