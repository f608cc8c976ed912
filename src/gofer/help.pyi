from gofer.dropin.help import *
