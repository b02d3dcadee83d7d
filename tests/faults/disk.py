"""A small disk in memory that can be filled up, for a database."""

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

HOW_TO_GET_ONE = (
    "A disk of our own cannot be mounted, so PostgreSQL never runs out of space here. "
    "Run the tests as root, in a container with --cap-add SYS_ADMIN."
)


class Disk:
    """Where mounting is not allowed its folder is an ordinary one, which cannot be filled."""

    def __init__(self, megabytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="honmono-disk-"))
        self.folder.chmod(0o755)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.folder]
        done = subprocess.run(mount, check=False, capture_output=True)
        self._is_mounted = done.returncode == 0
        if self._is_mounted:
            self.folder.chmod(0o755)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        if not self._is_mounted:
            pytest.skip(HOW_TO_GET_ONE)
        with suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        """There is room again."""
        self._ballast.unlink()

    def remove(self) -> None:
        if self._is_mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)
        self.folder.rmdir()
