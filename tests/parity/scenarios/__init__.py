"""What Python Keystone is asked: a module for each area, and in it a function for each scenario."""

import importlib
import pkgutil

from .cast import ALL

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["ALL"]
