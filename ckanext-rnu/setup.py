"""Compile the Spanish catalogue while a wheel is built; all else stands in pyproject.toml."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from setuptools import setup
from setuptools.command.build_py import build_py

CATALOGUES = Path("ckanext/rnu/i18n")


class BuildWithCatalogues(build_py):
    """Write each catalogue's `.mo` beside its `.po`, in the wheel alone."""

    def run(self) -> None:
        """Build the packages, then compile."""
        super().run()
        for source in CATALOGUES.rglob("*.po"):
            target = (Path(self.build_lib) / source).with_suffix(".mo")
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as words, target.open("wb") as compiled:
                write_mo(compiled, read_po(words, locale=source.parents[1].name))


setup(cmdclass={"build_py": BuildWithCatalogues})
