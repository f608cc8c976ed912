from gofer.dropin.cookies import *
