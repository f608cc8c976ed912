from gofer.dropin.as_requests import *
