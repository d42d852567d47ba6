"""Where the console's templates come from: modules compiled at packaging, else the files themselves.

Compiled ones load in a millisecond; of files each takes ten times as long, in the first request of a process.
"""

from pathlib import Path

import jinja2

TEMPLATES = "templates"
COMPILED = "compiled_templates"
_HERE = Path(__file__).parent


def loader(folder: Path = _HERE) -> jinja2.BaseLoader:
    """The loader for `pages.environment`: of the compiled templates where a folder has them."""
    compiled = folder / COMPILED
    if compiled.is_dir():
        return jinja2.ModuleLoader(compiled)
    return jinja2.FileSystemLoader(folder / TEMPLATES)


def compile_all(environment: jinja2.Environment, folder: Path) -> None:
    """Compile all templates of a folder with an environment like the one that will show them: what is escaped, and which
    blanks are left out, is settled here."""
    environment.compile_templates(folder / COMPILED, zip=None, ignore_errors=False)
