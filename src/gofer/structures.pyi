from gofer.dropin.structures import *
