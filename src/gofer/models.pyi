from gofer.dropin.models import *
