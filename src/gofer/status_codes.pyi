from gofer.dropin.status_codes import *
