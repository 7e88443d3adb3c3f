"""What each setting means: the docstring below it, for the JSON Schema and the reference.

Invariant: read from the source when asked, so that nothing is paid for it when a config is loaded.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap

from pydantic import BaseModel


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """A model's settings, as the file names them, and their docstrings, on one line each; its bases' included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(body, ast.ClassDef)
        for setting, below in itertools.pairwise(body.body):
            match setting, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(text.split())
    fields = model.model_fields
    return {fields[name].alias or name: text for name, text in found.items() if name in fields}
