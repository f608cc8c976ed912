"""Requests' `certs` module."""
