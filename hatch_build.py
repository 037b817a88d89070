"""What the metadata of a distribution says that depends on where the project can be found.

``repository`` below ``[tool.gm]`` of pyproject.toml is the address of the public repository. With it the links of the
README lead there, to the files of this version, and the distribution names its pages; without one, a link to a file of
the repository becomes its text, since the page of a package index has no such file.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]\n]*)\]\((?!https?://|#)([^)\s]+)\)")


class Metadata(MetadataHookInterface):
    """Adds ``readme`` and ``urls``."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        settings = tomllib.loads((Path(self.root) / "pyproject.toml").read_text("utf-8"))["tool"]["gm"]
        repository = str(settings["repository"]).rstrip("/")
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, repository, metadata["version"])}
        if repository:
            metadata["urls"] = {
                "Source": repository,
                "Issues": f"{repository}/issues",
                "Documentation": f"{repository}/blob/v{metadata['version']}/docs/index.md",
                "Changelog": f"{repository}/blob/v{metadata['version']}/CHANGELOG.md",
            }


def absolute(text: str, repository: str, version: str) -> str:
    """Markdown with the links to files of the repository leading to those of a version, or without these links."""

    def replaced(found: re.Match[str]) -> str:
        mark, label, target = found.groups()
        if not repository:
            return "" if mark else label
        return f"{mark}[{label}]({repository}/{'raw' if mark else 'blob'}/v{version}/{target})"

    return _LINK.sub(replaced, text)
