"""Components of the global model. A kind is a module here with a class that has tags; nothing else lists it."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)
