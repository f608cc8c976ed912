"""A pytest plugin: gofer in the place of Requests, before anything can import the real one."""

import gofer

gofer.install_as_requests()
