"""`make routes`: write chalicelib/api/routes.py, the table that says which module has the view of each route.

The modules of chalicelib/api declare their routes; the table is drawn from what they declare.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from chalicelib import api
from chalicelib.platform.http import endpoints

PAGE = Path(__file__).parents[1] / "chalicelib" / "api" / "routes.py"

_HEAD = '''"""Which module has the view of each route, so that none is imported before a request needs it.

Written by `make routes` from what the modules of this package declare; a test compares it with them.
"""

TABLE = """\\
'''


def page() -> str:
    """The source of the module that holds the table."""
    for module in iter_modules(api.__path__, f"{api.__name__}."):
        import_module(module.name)
    found = [(path, method, each.module.rpartition(".")[2]) for (method, path), each in endpoints.declared().items()]
    lines = [f"{method:<7} {module:<22} {path}\n" for path, method, module in sorted(found)]
    return f'{_HEAD}{"".join(lines)}"""\n'


def main() -> None:
    """Write the module."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
